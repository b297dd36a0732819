import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { PauseIcon, RunIcon, SearchIcon } from "../components/icons.tsx";
import { EVENT_NAMES, type EventName, type LiveEvent } from "../api/types.ts";
import { appendLog, matches, type LogEntry } from "../live/reducer.ts";
import { openStream } from "../live/stream.ts";
import { LogTable } from "./log.tsx";

const MAX = 500;

// Kept outside the page: coming back shows what was there.
const log = signal<LogEntry[]>([]);
const paused = signal(false);
const q = signal("");
const hidden = signal<ReadonlySet<EventName>>(new Set());

/** What happens in the whole fleet, as it happens. */
export function EventsPage() {
  useEffect(
    () =>
      openStream(null, {
        onEvents: (events: LiveEvent[]) => {
          if (!paused.value) log.value = appendLog(log.value, events, MAX);
        },
        onGap: () => undefined,
      }),
    [],
  );
  const shown = log.value.filter((entry) => !hidden.value.has(entry.name) && matches(q.value, entry.endpoint));
  return (
    <>
      <div class="page-head row wrap spread">
        <h1>Events</h1>
        <label class="search">
          <SearchIcon />
          <input type="search" placeholder="Only endpoints with…" aria-label="Only events of endpoints with" value={q.value}
            onInput={(e) => (q.value = e.currentTarget.value)} />
        </label>
      </div>
      <div class="row wrap spread filters">
        <div class="row wrap tight" role="group" aria-label="Kinds of events">
          {EVENT_NAMES.map((name) => (
            <button key={name} type="button" class="toggle" aria-pressed={!hidden.value.has(name)} onClick={() => toggle(name)}>
              {name}
            </button>
          ))}
        </div>
        <div class="row tight">
          <button type="button" aria-pressed={paused.value} onClick={() => (paused.value = !paused.value)}>
            {paused.value ? <RunIcon /> : <PauseIcon />} {paused.value ? "Resume" : "Pause"}
          </button>
          <button type="button" onClick={() => (log.value = [])}>Clear</button>
        </div>
      </div>
      <div class="card flush">
        <LogTable entries={shown} withEndpoint empty="Nothing has happened since this page was opened. Events appear here by themselves." />
      </div>
    </>
  );
}

function toggle(name: EventName): void {
  const next = new Set(hidden.value);
  if (!next.delete(name)) next.add(name);
  hidden.value = next;
}
