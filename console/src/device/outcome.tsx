import { ProblemNote, Spinner } from "../components/ui.tsx";
import type { Session } from "./session.ts";

/** A refusal stays until it is dismissed; it belongs below the row it is about. */
export function OutcomeNote({ session, path }: { session: Session; path: string }) {
  const outcome = session.outcomes.value.get(path);
  if (outcome?.kind === "problem") {
    return <ProblemNote problem={outcome.problem} label={outcome.label} onClose={() => session.setOutcome(path, null)} />;
  }
  return null;
}

const WORDS: Record<string, string> = {
  "2.01": "Created",
  "2.02": "Deleted",
  "2.04": "Changed",
  "2.05": "Content",
};

/** Busy, or done with the device's code: short, beside the buttons. */
export function OutcomeMark({ session, path }: { session: Session; path: string }) {
  const outcome = session.outcomes.value.get(path);
  if (outcome?.kind === "busy") return <Spinner label={`${outcome.label}…`} />;
  if (outcome?.kind === "queued") {
    return (
      <span class="chip calm" role="status" title={`${outcome.label}: the device sleeps; the server sends it when it wakes up`}>
        waits for the device
      </span>
    );
  }
  if (outcome?.kind === "done") {
    return (
      <span class="chip good done" role="status" title={`${outcome.label}: ${WORDS[outcome.code] ?? "done"}`}>
        ✓ {outcome.code || "done"}{outcome.ms >= 1 && <span class="ms"> {Math.round(outcome.ms)} ms</span>}
      </span>
    );
  }
  return null;
}
