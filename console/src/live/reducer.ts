import type { Device, EventName, LiveEvent, LwRecord, Operation } from "../api/types.ts";
import { covers } from "../lib/path.ts";

/** Pure steps from a state and what the stream told to the next state. No signals, no DOM: tested as they are. */

export type Row = Device & { gone?: "deregistered" | "expired" };

export interface ListState {
  rows: Row[];
  total: number;
  next: string | null;
  q: string;
  /** The page shows a device list that begins at the start (no cursor). */
  first: boolean;
}

const ABOUT_REGISTRATIONS = new Set<EventName>(["registration", "update", "deregistration", "expiry"]);

/** Whether the page must be fetched again: soon (a device may have joined it), some time (the total), or not. */
export type Stale = "soon" | "later" | null;

/**
 * One event applied to the page that is shown. Only what happens on the page asks for a fetch soon; the other
 * 99 950 devices of a fleet must not.
 */
export function applyToList(state: ListState, event: LiveEvent): { state: ListState; stale: Stale } {
  const same = { state, stale: null };
  if (!ABOUT_REGISTRATIONS.has(event.name)) return same;
  const left = event.name === "deregistration" || event.name === "expiry";
  const at = state.rows.findIndex((row) => row.endpoint === event.endpoint);
  if (at < 0) {
    if (event.name === "update" || !matches(state.q, event.endpoint)) return same;
    if (left) return { state: { ...state, total: Math.max(state.rows.length, state.total - 1) }, stale: "later" };
    // New, or the repetition of a registration? The total is the server's to say.
    return { state, stale: onPage(state, event.endpoint) ? "soon" : "later" };
  }
  const old = state.rows[at] as Row;
  const rows = state.rows.slice();
  if (left) {
    if (old.gone) return same;
    // The row stays, marked, so that the list does not jump under the pointer; the next fetch drops it.
    rows[at] = { ...old, gone: event.name === "expiry" ? "expired" : "deregistered" };
    return { state: { ...state, rows, total: Math.max(0, state.total - 1) }, stale: null };
  }
  rows[at] = event.device ?? { ...old, updatedAt: event.time, gone: undefined };
  return { state: { ...state, rows, total: old.gone ? state.total + 1 : state.total }, stale: null };
}

/** The list is sorted by endpoint: does this one belong on the page that is shown? */
function onPage(state: ListState, endpoint: string): boolean {
  const firstRow = state.rows[0];
  const lastRow = state.rows[state.rows.length - 1];
  if (!firstRow || !lastRow) return true;
  const afterStart = state.first || endpoint >= firstRow.endpoint;
  const beforeEnd = state.next === null || endpoint <= lastRow.endpoint;
  return afterStart && beforeEnd;
}

export function matches(q: string, endpoint: string): boolean {
  return endpoint.toLowerCase().includes(q.trim().toLowerCase());
}

/** A value as last heard; `changes` counts how often it became another one, which is when it flashes. */
export interface Cell {
  record: LwRecord;
  at: number;
  changes: number;
}
export type Cells = ReadonlyMap<string, Cell>;

export function applyRecords(cells: Cells, records: LwRecord[], at: number): Cells {
  if (records.length === 0) return cells;
  const next = new Map(cells);
  for (const record of records) {
    const old = next.get(record.path);
    const changed = old !== undefined && old.record.value !== record.value;
    next.set(record.path, { record, at, changes: (old?.changes ?? 0) + (changed ? 1 : 0) });
  }
  return next;
}

/** A Read answers for everything below its path: what it does not name is not there any more. */
export function replaceBelow(cells: Cells, path: string, records: LwRecord[], at: number): Cells {
  const named = new Set(records.map((record) => record.path));
  const kept = new Map([...cells].filter(([p]) => named.has(p) || !covers(path, p)));
  return applyRecords(kept, records, at);
}

export function removeBelow<T>(map: ReadonlyMap<string, T>, path: string): ReadonlyMap<string, T> {
  return new Map([...map].filter(([p]) => !covers(path, p)));
}

/** The device after Create or Delete, until its own Update says the same. */
export function withInstance(device: Device, object: number, instance: number, present: boolean): Device {
  const objects = device.objects.map((entry) => {
    if (entry.id !== object) return entry;
    const others = entry.instances.filter((id) => id !== instance);
    return { ...entry, instances: present ? [...others, instance].sort((a, b) => a - b) : others };
  });
  return { ...device, objects };
}

export interface LogEntry {
  key: string;
  name: EventName;
  endpoint: string;
  time: number;
  text: string;
}

/** Newest first, bounded. */
export function appendLog(log: LogEntry[], events: LiveEvent[], max: number): LogEntry[] {
  if (events.length === 0) return log;
  const fresh = events.slice(-max).map(toLogEntry).reverse();
  return [...fresh, ...log].slice(0, max);
}

let logKey = 0;

function toLogEntry(event: LiveEvent): LogEntry {
  // Event ids may repeat after a restart of the server; list keys must not.
  const key = `${event.id}-${logKey++}`;
  return { key, name: event.name, endpoint: event.endpoint, time: event.time, text: describe(event) };
}

/** One line for a log. */
export function describe(event: LiveEvent): string {
  const device = event.device;
  switch (event.name) {
    case "registration":
      return device ? `LwM2M ${device.version} from ${device.address}, lifetime ${device.lifetime} s` : "registered";
    case "update":
      return device ? `from ${device.address}, lifetime ${device.lifetime} s` : "registration updated";
    case "deregistration":
      return "the device said goodbye";
    case "expiry":
      return "lifetime ran out without an update";
    case "notification":
    case "send": {
      const records = event.records ?? [];
      const shown = records.slice(0, 3).map((r) => `${r.path} = ${String(r.value)}`);
      const more = records.length > 3 ? `, and ${records.length - 3} more` : "";
      return records.length === 0 ? (event.path ?? "") : shown.join(", ") + more;
    }
    case "operation":
      return event.operation ? describeOperation(event.operation) : "";
    case "firmware":
      return event.firmware?.stateText ?? "";
  }
}

/** An operation in one line, as in `write /1/0/1: done 2.04`. */
export function describeOperation(operation: Operation): string {
  const target = operation.path ?? operation.paths?.join(" ") ?? "";
  const code = operation.result?.code ?? operation.error?.coapCode ?? operation.error?.title ?? "";
  return `${operation.operation} ${target}: ${operation.state}${code ? ` ${code}` : ""}`;
}

/** Newest first; an operation that is known takes the place it has. */
export function withOperation(operations: Operation[], fresh: Operation): Operation[] {
  const at = operations.findIndex((o) => o.id === fresh.id);
  if (at < 0) return [fresh, ...operations];
  const next = operations.slice();
  next[at] = fresh;
  return next;
}

/** Whether nothing more will become of it. */
export function isFinished(operation: Operation): boolean {
  return operation.state !== "queued" && operation.state !== "sent";
}
