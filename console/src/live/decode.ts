import { EVENT_NAMES, type EventName, type LiveEvent } from "../api/types.ts";

/** One SSE message as an event, or null when it is none of ours: a newer server may send kinds we do not know. */
export function decodeEvent(name: string, id: string, data: string): LiveEvent | null {
  if (!(EVENT_NAMES as readonly string[]).includes(name)) return null;
  let body: unknown;
  try {
    body = JSON.parse(data);
  } catch {
    return null;
  }
  if (typeof body !== "object" || body === null) return null;
  const fields = body as Partial<LiveEvent>;
  if (typeof fields.endpoint !== "string" || typeof fields.time !== "number") return null;
  return { ...(fields as LiveEvent), id, name: name as EventName };
}
