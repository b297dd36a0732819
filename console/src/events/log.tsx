import { formatRoute } from "../lib/route.ts";
import { absoluteTime, clockTime } from "../lib/time.ts";
import type { LogEntry } from "../live/reducer.ts";

const TONES: Record<string, string> = {
  registration: "good",
  update: "plain",
  deregistration: "warn",
  expiry: "bad",
  notification: "calm",
  send: "calm",
  operation: "plain",
  firmware: "plain",
};

export function LogTable(props: { entries: LogEntry[]; withEndpoint?: boolean; empty: string }) {
  if (props.entries.length === 0) return <p class="muted pad">{props.empty}</p>;
  return (
    <ol class="log" aria-label="Events, newest first">
      {props.entries.map((entry) => (
        <li key={entry.key}>
          <time class="mono muted" title={absoluteTime(entry.time)}>{clockTime(entry.time)}</time>
          <span class={`chip ${TONES[entry.name] ?? "plain"}`}>{entry.name}</span>
          {props.withEndpoint && (
            <a href={formatRoute({ view: "device", endpoint: entry.endpoint, object: null })}>{entry.endpoint}</a>
          )}
          <span class="log-text">{entry.text}</span>
        </li>
      ))}
    </ol>
  );
}
