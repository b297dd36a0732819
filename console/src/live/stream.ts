import { signal, type ReadonlySignal } from "@preact/signals";
import { EVENT_NAMES, type EventName, type LiveEvent } from "../api/types.ts";
import { API, query } from "../lib/path.ts";
import { decodeEvent } from "./decode.ts";

export type Link = "connecting" | "live" | "lost";

const link = signal<Link>("connecting");
/** Whether what the page shows is live; the header tells. */
export const linkState: ReadonlySignal<Link> = link;

export interface StreamHandlers {
  /** Several at a time: a busy fleet sends hundreds a second and the page draws a few times a second. */
  onEvents(events: LiveEvent[]): void;
  /** Events may have been missed: fetch again what is shown. Not called for the first connection. */
  onGap(): void;
}

const FLUSH_MS = 150;

/**
 * Server-sent events, of one device or of all. A view opens one and closes it when it leaves; never two at a time,
 * because HTTP/1.1 browsers allow six connections to a server in all tabs together.
 */
export function openStream(endpoint: string | null, handlers: StreamHandlers, types: readonly EventName[] = EVENT_NAMES): () => void {
  let source: EventSource | null = null;
  let lastId = "";
  let queue: LiveEvent[] = [];
  let flushTimer: ReturnType<typeof setTimeout> | null = null;
  let retryTimer: ReturnType<typeof setTimeout> | null = null;
  let retryMs = 1000;
  let opened = false;
  let closed = false;

  const flush = (): void => {
    flushTimer = null;
    const events = queue;
    queue = [];
    if (!closed && events.length > 0) handlers.onEvents(events);
  };

  const connect = (): void => {
    link.value = "connecting";
    source = new EventSource(`${API}/events${query({ endpoint, types: types === EVENT_NAMES ? null : types.join(), lastEventId: lastId })}`);
    source.onopen = () => {
      link.value = "live";
      retryMs = 1000;
      // After a restart of the server the ids say nothing: always look again.
      if (opened) handlers.onGap();
      opened = true;
    };
    source.onerror = () => {
      if (closed) return;
      link.value = "lost";
      // The browser retries a dropped connection itself, but gives up on an HTTP error (a proxy's 502).
      if (source?.readyState === EventSource.CLOSED) {
        retryTimer = setTimeout(connect, retryMs);
        retryMs = Math.min(retryMs * 2, 15000);
      }
    };
    for (const name of types) {
      source.addEventListener(name, (message: MessageEvent<string>) => {
        lastId = message.lastEventId || lastId;
        const event = decodeEvent(name, message.lastEventId, message.data);
        if (!event) return;
        queue.push(event);
        flushTimer ??= setTimeout(flush, FLUSH_MS);
      });
    }
    source.addEventListener("reset", (message: MessageEvent<string>) => {
      lastId = message.lastEventId || lastId;
      handlers.onGap();
    });
  };

  connect();
  return () => {
    closed = true;
    source?.close();
    if (flushTimer) clearTimeout(flushTimer);
    if (retryTimer) clearTimeout(retryTimer);
  };
}
