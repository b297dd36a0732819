import { useEffect, useState } from "preact/hooks";
import { api, asProblem, type Problem } from "../api/client.ts";
import type { Authority } from "../api/types.ts";
import { PlusIcon, TrashIcon } from "../components/icons.tsx";
import { Confirm, ProblemNote } from "../components/ui.tsx";
import { now } from "../lib/clock.ts";

/** Authorities whose certificates devices may show. */
export function Trust() {
  const [items, setItems] = useState<Authority[] | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [asking, setAsking] = useState<Authority | null>(null);
  const run = async (work: () => Promise<unknown>): Promise<void> => {
    try {
      await work();
      setProblem(null);
    } catch (error) {
      setProblem(asProblem(error));
    }
    await api.authorities().then((page) => setItems(page.items), (error: unknown) => setProblem(asProblem(error)));
  };
  useEffect(() => {
    void run(() => Promise.resolve());
  }, []);
  const add = (file: File | undefined): void => {
    if (file) void run(async () => api.trust(await file.text()));
  };
  return (
    <section class="card own-key" aria-labelledby="trust-title">
      <div class="row wrap spread">
        <div>
          <h2 id="trust-title">Trusted authorities</h2>
          <p class="muted">A device may show a certificate that one of them has issued, and register by the name in it.</p>
        </div>
        <label class="button">
          <PlusIcon /> Trust a CA…
          <input type="file" class="visually-hidden" aria-label="CA certificate file" onChange={(e) => add(e.currentTarget.files?.[0])} />
        </label>
      </div>
      {problem && <ProblemNote problem={problem} label="Authorities" onClose={() => setProblem(null)} />}
      {items !== null && items.length > 0 && (
        <ul class="authorities">
          {items.map((one) => (
            <li key={one.id} class="row wrap">
              <strong>{one.name || "without a name"}</strong>
              <span class="mono muted">SHA-256 {one.sha256.slice(0, 16)}…</span>
              {one.notAfter < now.value && <span class="chip bad">expired</span>}
              <span class="muted small grow">until {new Date(one.notAfter * 1000).toISOString().slice(0, 10)}</span>
              <button type="button" class="ghost quiet-danger icon-only small" aria-label={`Trust ${one.name} no more`} onClick={() => setAsking(one)}>
                <TrashIcon />
              </button>
            </li>
          ))}
        </ul>
      )}
      {asking && (
        <Confirm title={`Trust ${asking.name} no more?`} action="Trust no more"
          text="The sessions of all devices that it has vouched for end, and they cannot come back by its certificates."
          onYes={() => void run(() => api.distrust(asking.id))} onClose={() => setAsking(null)} />
      )}
    </section>
  );
}
