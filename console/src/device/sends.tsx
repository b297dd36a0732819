import { useEffect, useState } from "preact/hooks";
import type { Problem } from "../api/client.ts";
import type { Device } from "../api/types.ts";
import { Ago, ProblemNote, Spinner } from "../components/ui.tsx";
import { Records } from "./records.tsx";
import type { Session } from "./session.ts";

/** What the device sent of its own accord (Send, since 1.1). */
export function SendsPanel({ session, device }: { session: Session; device: Device }) {
  const [problem, setProblem] = useState<Problem | null>(null);
  useEffect(() => void session.loadSends().then(setProblem), [session]);
  const sends = session.sends.value;
  return (
    <section class="card flush" aria-labelledby="sends-title">
      <div class="pad">
        <h2 id="sends-title">Sends</h2>
        <p class="muted">What the device sent of its own accord, newest first. The server keeps the latest.</p>
      </div>
      {problem && <ProblemNote problem={problem} label="Could not load what was sent" />}
      {!sends && !problem && <p class="loading"><Spinner label="Loading what was sent" /></p>}
      {sends?.length === 0 && (
        <p class="muted pad">
          Nothing yet. {device.version === "1.0" ? "LwM2M 1.0 has no Send." : "A device sends when it wants to, unless its Mute Send (/1/x/23) says no."}
        </p>
      )}
      <ul class="operations">
        {sends?.map((pack, at) => (
          <li key={`${pack.time} ${sends.length - at}`}>
            <p class="muted small"><Ago time={pack.time} /></p>
            <Records records={pack.records} device={device} />
          </li>
        ))}
      </ul>
    </section>
  );
}
