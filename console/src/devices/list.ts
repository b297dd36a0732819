import { batch, signal } from "@preact/signals";
import { api, asProblem, type Problem } from "../api/client.ts";
import { pageSize } from "../lib/settings.ts";
import type { LiveEvent } from "../api/types.ts";
import { applyToList, type ListState } from "../live/reducer.ts";
import { openStream } from "../live/stream.ts";

const SOON_MS = 700;
const LATER_MS = 10000;
const RETRY_MS = 3000;

/** One page of the fleet, kept up to date. The browser never holds more than that page. */
export class DeviceList {
  readonly state = signal<ListState | null>(null);
  readonly problem = signal<Problem | null>(null);
  readonly loading = signal(true);
  /** The cursors that led here: the last one is this page's, and an empty list means the first page. */
  readonly cursors = signal<string[]>([]);
  private q: string;
  private request: AbortController | null = null;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private dueAt = Infinity;
  private readonly close: () => void;

  constructor(q: string) {
    this.q = q;
    this.close = openStream(null, {
      onEvents: (events) => this.take(events),
      onGap: () => void this.load(),
    }, ["registration", "update", "deregistration", "expiry"]);
    void this.load();
  }

  end(): void {
    this.close();
    this.request?.abort();
    if (this.timer) clearTimeout(this.timer);
  }

  search(q: string): void {
    if (q === this.q) return;
    this.q = q;
    this.restart();
  }

  restart(): void {
    this.cursors.value = [];
    void this.load();
  }

  forward(): void {
    const next = this.state.value?.next;
    if (!next) return;
    this.cursors.value = [...this.cursors.value, next];
    scrollTo(0, 0);
    void this.load();
  }

  back(): void {
    this.cursors.value = this.cursors.value.slice(0, -1);
    scrollTo(0, 0);
    void this.load();
  }

  private async load(): Promise<void> {
    this.request?.abort();
    const request = new AbortController();
    this.request = request;
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    this.dueAt = Infinity;
    this.loading.value = true;
    const q = this.q;
    const cursor = this.cursors.value.at(-1) ?? null;
    try {
      const page = await api.devices(q.trim(), Number(pageSize.value), cursor, request.signal);
      if (request.signal.aborted) return;
      batch(() => {
        const total = page.total ?? page.items.length;
        this.state.value = { rows: page.items, total, next: page.next, q, first: cursor === null };
        this.problem.value = null;
        this.loading.value = false;
      });
    } catch (error) {
      if (request.signal.aborted) return;
      batch(() => {
        this.problem.value = asProblem(error);
        this.loading.value = false;
      });
      this.loadWithin(RETRY_MS);
    }
  }

  /** A storm of registrations asks for many fetches and gets one. */
  private loadWithin(ms: number): void {
    const at = Date.now() + ms;
    if (at >= this.dueAt) return;
    if (this.timer) clearTimeout(this.timer);
    this.dueAt = at;
    this.timer = setTimeout(() => void this.load(), ms);
  }

  private take(events: LiveEvent[]): void {
    let state = this.state.value;
    if (!state) return;
    for (const event of events) {
      const step = applyToList(state, event);
      state = step.state;
      if (step.stale) this.loadWithin(step.stale === "soon" ? SOON_MS : LATER_MS);
    }
    this.state.value = state;
  }
}
