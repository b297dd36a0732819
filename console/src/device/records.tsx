import type { Device, LwRecord } from "../api/types.ts";
import { absoluteTime, clockTime } from "../lib/time.ts";
import { formatValue, kindOf, kindOfValue } from "../lib/value.ts";
import { resourceOf } from "./known.ts";
import { unitLabel } from "./shape.ts";

/** Records as a list: path, name, value, and the time when the device told one. */
export function Records({ records, device }: { records: LwRecord[]; device: Device }) {
  if (records.length === 0) return <p class="muted">No values.</p>;
  return (
    <ul class="records">
      {records.map((record, at) => {
        const model = resourceOf(record.path, device);
        const typed = kindOf(record.type ?? model?.type);
        const kind = typed === "none" ? kindOfValue(record.value) : typed;
        return (
          <li key={`${record.path} ${record.time ?? ""} ${at}`}>
            <span class="mono">{record.path}</span>
            <span class="muted grow">{model?.name}</span>
            {record.time !== undefined && <time class="mono muted" title={absoluteTime(record.time)}>{clockTime(record.time)}</time>}
            <strong>
              {record.value === null ? <span class="muted">empty</span> : formatValue(kind, record.value)}
              {model?.units && record.value !== null && <span class="unit"> {unitLabel(model.units)}</span>}
            </strong>
          </li>
        );
      })}
    </ul>
  );
}
