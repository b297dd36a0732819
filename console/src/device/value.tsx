import { base64ToBytes } from "../lib/base64.ts";
import { now } from "../lib/clock.ts";
import { absoluteTime, span } from "../lib/time.ts";
import { formatValue, type Kind } from "../lib/value.ts";
import type { Cell } from "../live/reducer.ts";

/** A value with its unit. It flashes when it becomes another one. */
export function Value({ kind, cell, unit }: { kind: Kind; cell: Cell; unit: string }) {
  const { value, time } = cell.record;
  // A new key makes a new element, which is what starts the animation again.
  const key = cell.changes;
  return (
    <span key={key} class={`shown ${kind}${cell.changes > 0 ? " flash" : ""}`} title={`As of ${absoluteTime(time ?? cell.at)}`}>
      {typeof value === "boolean" && <span class={`bit ${value ? "on" : ""}`} aria-hidden="true" />}
      {value === "" || value === null ? <span class="muted">empty</span> : formatValue(kind, value)}
      {unit && value !== null && <span class="unit"> {unit}</span>}
      {kind === "opaque" && typeof value === "string" && <Bytes base64={value} />}
      {kind === "time" && typeof value === "number" && <Distance time={value} />}
    </span>
  );
}

function Distance({ time }: { time: number }) {
  const seconds = now.value - time;
  return <span class="muted"> {Math.abs(seconds) < 2 ? "now" : seconds > 0 ? `${span(seconds)} ago` : `in ${span(-seconds)}`}</span>;
}

/** The size, and the bytes as a file. */
function Bytes({ base64 }: { base64: string }) {
  const bytes = base64ToBytes(base64);
  if (!bytes || bytes.length === 0) return null;
  const save = (): void => {
    // A blob made on click: a data: link would be refused by a strict policy.
    const url = URL.createObjectURL(new Blob([bytes.slice().buffer], { type: "application/octet-stream" }));
    const link = document.createElement("a");
    link.href = url;
    link.download = "value.bin";
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  };
  return (
    <button type="button" class="ghost tiny" title="Save as a file" onClick={save}>{bytes.length} B</button>
  );
}
