import { useState } from "preact/hooks";
import type { Device, LwRecord } from "../api/types.ts";
import { CloseIcon, EyeIcon, PlusIcon, ReadIcon, WriteIcon } from "../components/icons.tsx";
import { comparePaths, parsePath } from "../lib/path.ts";
import { resourceOf, typedRecord } from "./known.ts";
import { OutcomeMark, OutcomeNote } from "./outcome.tsx";
import { Records } from "./records.tsx";
import type { Session } from "./session.ts";

interface Line {
  path: string;
  value: string;
}

// What was put together survives a look at another tab.
const drafts = new Map<string, Line[]>();
const SUGGESTIONS = 200;

/** Several paths with one request: Read-, Write- and Observe-Composite (Core 1.2 §6.3.8, §6.3.9, §6.4.4). */
export function CompositePanel({ session, device }: { session: Session; device: Device }) {
  const [lines, setLines] = useState<Line[]>(() => drafts.get(session.endpoint) ?? [{ path: "", value: "" }]);
  const [complaint, setComplaint] = useState<string | null>(null);
  const [records, setRecords] = useState<LwRecord[] | null>(null);
  const wishes = session.observations.value.filter((wish) => wish.paths?.length);
  const known = [...session.cells.value.keys()].sort(comparePaths).slice(0, SUGGESTIONS);

  const change = (next: Line[]): void => {
    drafts.set(session.endpoint, next);
    setLines(next);
  };
  const set = (at: number, line: Partial<Line>): void => change(lines.map((old, i) => (i === at ? { ...old, ...line } : old)));
  const used = lines.filter((line) => line.path.trim() !== "").map((line) => ({ ...line, path: full(line.path) }));

  const checked = (): boolean => {
    const wrong = used.find((line) => parsePath(line.path) === null);
    setComplaint(used.length === 0 ? "Name at least one path, such as /3303/0/5700." : wrong ? `${wrong.path} is not a path such as /3303/0/5700.` : null);
    return used.length > 0 && !wrong;
  };
  const read = async (): Promise<void> => {
    if (checked()) setRecords((await session.readTogether(used.map((line) => line.path))) ?? null);
  };
  const observe = async (): Promise<void> => {
    if (checked()) await session.observeTogether(used.map((line) => line.path));
  };
  const write = async (): Promise<void> => {
    if (!checked()) return;
    const typed = used.map((line) => typedRecord(line.path, line.value, device, session.cells.value));
    const wrong = typed.find((record) => typeof record === "string");
    if (typeof wrong === "string") return setComplaint(wrong);
    if (await session.writeTogether(typed as LwRecord[])) setRecords(null);
  };

  return (
    <section class="card composite" aria-labelledby="composite-title">
      <div>
        <h2 id="composite-title">Several paths with one request</h2>
        <p class="muted">Resources of any objects. A read or an observation tells what there is; a write is done whole or not at all.</p>
      </div>
      <datalist id="known-paths">{known.map((path) => <option key={path} value={path} />)}</datalist>
      <ul class="lines">
        {lines.map((line, at) => (
          <li key={at}>
            <input class="mono path" type="text" list="known-paths" aria-label={`Path ${at + 1}`} placeholder="/3303/0/5700" value={line.path}
              spellcheck={false} onInput={(e) => set(at, { path: e.currentTarget.value })} />
            <input type="text" aria-label={`Value ${at + 1}, for writing`} placeholder="value, to write" value={line.value}
              onInput={(e) => set(at, { value: e.currentTarget.value })} />
            <button type="button" class="ghost icon-only" aria-label={`Take away path ${at + 1}`} disabled={lines.length === 1}
              onClick={() => change(lines.filter((_, i) => i !== at))}><CloseIcon /></button>
            <span class="muted small">{parsePath(full(line.path)) && resourceOf(full(line.path), device)?.name}</span>
          </li>
        ))}
      </ul>
      <div class="row wrap">
        <button type="button" class="small" onClick={() => change([...lines, { path: "", value: "" }])}><PlusIcon /> Add a path</button>
        <span class="grow" />
        <OutcomeMark session={session} path="/" />
        <button type="button" onClick={() => void read()}><ReadIcon /> Read together</button>
        <button type="button" onClick={() => void observe()}><EyeIcon /> Observe together</button>
        <button type="button" onClick={() => void write()}><WriteIcon /> Write together</button>
      </div>
      {complaint && <p class="complaint" role="alert">{complaint}</p>}
      <OutcomeNote session={session} path="/" />
      {records && <div class="answer" role="status"><Records records={records} device={device} /></div>}
      {wishes.map((wish) => (
        <div class="answer" key={wish.id} data-wish={wish.id}>
          <header class="row spread">
            <strong>Observed together {wish.state !== "active" && <span class={`chip ${wish.state === "failed" ? "bad" : "warn"}`} title={wish.error ?? undefined}>{wish.state}</span>}</strong>
            <button type="button" class="ghost small" aria-label={`Stop observing ${wish.paths?.join(", ")}`} onClick={() => void session.stopObserving(wish)}>
              <CloseIcon /> Stop
            </button>
          </header>
          <p class="mono muted small">{wish.paths?.join("  ")}</p>
          {wish.error && <p class="note warn">{wish.error}</p>}
          <Records records={wish.records} device={device} />
        </div>
      ))}
    </section>
  );
}

function full(path: string): string {
  const trimmed = path.trim();
  return trimmed === "" || trimmed.startsWith("/") ? trimmed : `/${trimmed}`;
}
