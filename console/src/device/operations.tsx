import { useEffect, useState } from "preact/hooks";
import type { Problem } from "../api/client.ts";
import type { Device, Operation, OperationState } from "../api/types.ts";
import { CloseIcon } from "../components/icons.tsx";
import { Ago, ProblemNote, Spinner, Until } from "../components/ui.tsx";
import { parsePath } from "../lib/path.ts";
import { isFinished } from "../live/reducer.ts";
import { typedRecord } from "./known.ts";
import { Records } from "./records.tsx";
import type { Session } from "./session.ts";

const TONES: Record<OperationState, string> = {
  queued: "calm", sent: "calm", done: "good", failed: "bad", expired: "warn", cancelled: "plain",
};
/** As the API names them, and as a person does; `value` tells what has to be given. */
const KINDS: { name: string; label: string; needs: "nothing" | "value" | "arguments" }[] = [
  { name: "read", label: "Read", needs: "nothing" },
  { name: "write", label: "Write", needs: "value" },
  { name: "execute", label: "Execute", needs: "arguments" },
  { name: "discover", label: "Discover", needs: "nothing" },
  { name: "delete", label: "Delete", needs: "nothing" },
];
const LIVES: [seconds: number, label: string][] = [[3600, "an hour"], [86400, "a day"], [604800, "a week"], [2592000, "30 days"]];

/** What waits for the device, and what became of the rest. */
export function OperationsPanel({ session, device }: { session: Session; device: Device }) {
  const [problem, setProblem] = useState<Problem | null>(null);
  useEffect(() => void session.loadOperations().then(setProblem), [session]);
  const operations = session.operations.value;
  return (
    <>
      <NewOperation session={session} device={device} />
      <section class="card flush" aria-labelledby="operations-title">
        <div class="pad">
          <h2 id="operations-title">Operations</h2>
          <p class="muted">
            {device.queueMode
              ? "The device sleeps between contacts. What is asked of it waits here, outlives a restart of the server, and goes out in this order when the device wakes up."
              : "The device listens all the time: operations go out at once, one after the other."}
          </p>
        </div>
        {problem && <ProblemNote problem={problem} label="Could not load the operations" />}
        {!operations && !problem && <p class="loading"><Spinner label="Loading the operations" /></p>}
        {operations?.length === 0 && <p class="muted pad">Nothing waits, and nothing was asked for lately.</p>}
        <ul class="operations">
          {operations?.map((operation) => <Row key={operation.id} operation={operation} session={session} device={device} onProblem={setProblem} />)}
        </ul>
      </section>
    </>
  );
}

function Row(props: { operation: Operation; session: Session; device: Device; onProblem: (problem: Problem | null) => void }) {
  const { operation, session, device } = props;
  const { state, result, error } = operation;
  const target = operation.path ?? operation.paths?.join("  ") ?? "";
  return (
    <li data-operation={operation.id}>
      <div class="row wrap">
        <span class={`chip ${TONES[state] ?? "plain"}`}>{state}{result?.code ? ` ${result.code}` : ""}</span>
        <strong>{operation.operation}</strong> <span class="mono">{target}</span>
        <span class="grow" />
        <span class="muted small">
          {isFinished(operation)
            ? <Ago time={operation.finishedAt ?? operation.createdAt} />
            : <>asked <Ago time={operation.createdAt} />, gives up <Until time={operation.expiresAt} />{operation.priority !== 0 && `, priority ${operation.priority}`}</>}
        </span>
        {state === "queued" && (
          <button type="button" class="ghost small" aria-label={`Cancel ${operation.operation} ${target}`}
            onClick={() => void session.cancelOperation(operation.id).then(props.onProblem)}><CloseIcon /> Cancel</button>
        )}
      </div>
      {error && <p class="muted">{error.coapCode ? `${error.coapCode} ` : ""}{error.title}{error.detail ? `: ${error.detail}` : ""}</p>}
      {result?.records && result.records.length > 0 && <Records records={result.records} device={device} />}
      {result?.links && <p class="mono muted small">{result.links.map((link) => link.path).join("  ")}</p>}
    </li>
  );
}

function NewOperation({ session, device }: { session: Session; device: Device }) {
  const [kind, setKind] = useState("write");
  const [path, setPath] = useState("");
  const [value, setValue] = useState("");
  const [ttl, setTtl] = useState(86400);
  const [priority, setPriority] = useState("0");
  const [complaint, setComplaint] = useState<string | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const needs = KINDS.find((k) => k.name === kind)?.needs ?? "nothing";

  const submit = async (): Promise<void> => {
    const at = path.trim().startsWith("/") ? path.trim() : `/${path.trim()}`;
    const body: Record<string, unknown> = { operation: kind, path: at, ttl, priority: Number(priority) || 0 };
    if (at === "/" || parsePath(at) === null) return setComplaint("A path is needed, such as /1/0/1.");
    if (needs === "value") {
      const record = typedRecord(at, value, device, session.cells.value);
      if (typeof record === "string") return setComplaint(record);
      body.value = record.value;
    }
    if (needs === "arguments" && value.trim() !== "") body.arguments = value.trim();
    setComplaint(null);
    setProblem(await session.enqueue(body));
  };

  return (
    <form class="card new-operation" aria-label="Ask for an operation" noValidate onSubmit={(e) => { e.preventDefault(); void submit(); }}>
      <div class="row wrap">
        <select aria-label="Operation" value={kind} onChange={(e) => setKind(e.currentTarget.value)}>
          {KINDS.map((k) => <option key={k.name} value={k.name}>{k.label}</option>)}
        </select>
        <input class="mono path" type="text" aria-label="Path" placeholder="/1/0/1" spellcheck={false} value={path} onInput={(e) => setPath(e.currentTarget.value)} />
        {needs !== "nothing" && (
          <input class="grow" type="text" aria-label={needs === "value" ? "Value" : "Arguments"} placeholder={needs === "value" ? "value" : "arguments, if any"}
            value={value} onInput={(e) => setValue(e.currentTarget.value)} />
        )}
        <label class="row tight muted small">try for
          <select value={String(ttl)} onChange={(e) => setTtl(Number(e.currentTarget.value))}>
            {LIVES.map(([seconds, label]) => <option key={seconds} value={String(seconds)}>{label}</option>)}
          </select>
        </label>
        <label class="row tight muted small">priority
          <input class="short" type="number" value={priority} onInput={(e) => setPriority(e.currentTarget.value)} />
        </label>
        <button type="submit" class="primary">Ask for it</button>
      </div>
      {complaint && <p class="complaint" role="alert">{complaint}</p>}
      {problem && <ProblemNote problem={problem} label="Not taken" onClose={() => setProblem(null)} />}
    </form>
  );
}
