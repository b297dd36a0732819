import { signal, type Signal } from "@preact/signals";
import type { LwRecord } from "../api/types.ts";
import { addPoint, EMPTY_SERIES, type Series } from "../lib/series.ts";

// Charts survive a visit to another page, for this many devices.
const DEVICES_KEPT = 20;
const kept = new Map<string, History>();

/** Numeric values of one device over time, for its charts. */
export class History {
  readonly paths = signal<string[]>([]);
  private readonly series = new Map<string, Signal<Series>>();

  static of(endpoint: string): History {
    const history = kept.get(endpoint) ?? new History();
    kept.delete(endpoint);
    kept.set(endpoint, history);
    const oldest = kept.keys().next().value;
    if (kept.size > DEVICES_KEPT && oldest !== undefined) kept.delete(oldest);
    return history;
  }

  add(records: LwRecord[], heardAt: number): void {
    for (const record of records) {
      // Times are numbers too, but a line of dates tells nothing.
      if (typeof record.value !== "number" || record.type === "Time") continue;
      const line = this.line(record.path);
      line.value = addPoint(line.value, record.time ?? heardAt, record.value);
    }
  }

  line(path: string): Signal<Series> {
    let line = this.series.get(path);
    if (!line) {
      line = signal(EMPTY_SERIES);
      this.series.set(path, line);
      this.paths.value = [...this.paths.value, path];
    }
    return line;
  }
}
