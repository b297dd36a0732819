/** Times as people read them. Everything here takes Unix seconds. */

const two = (n: number): string => String(n).padStart(2, "0");

/** 2026-11-22 12:03:04, in the browser's zone. */
export function absoluteTime(unix: number): string {
  const d = new Date(unix * 1000);
  if (Number.isNaN(d.getTime())) return String(unix);
  return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())} ${clockTime(unix)}`;
}

export function clockTime(unix: number): string {
  const d = new Date(unix * 1000);
  return `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
}

/** A span in one or two units: "12 s", "4 min", "3 h 20 min", "12 d". */
export function span(seconds: number): string {
  const s = Math.max(0, Math.floor(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return s < 600 && s % 60 ? `${Math.floor(s / 60)} min ${s % 60} s` : `${Math.floor(s / 60)} min`;
  if (s < 86400) {
    const minutes = Math.floor((s % 3600) / 60);
    return `${Math.floor(s / 3600)} h${minutes ? ` ${minutes} min` : ""}`;
  }
  const hours = Math.floor((s % 86400) / 3600);
  const days = Math.floor(s / 86400);
  return `${days} d${hours && days < 10 ? ` ${hours} h` : ""}`;
}

/** "just now", "5 s ago"; a clock slightly ahead of ours is not "in the future". */
export function ago(unix: number, now: number): string {
  const seconds = now - unix;
  return seconds < 2 ? "just now" : `${span(seconds)} ago`;
}

/** For `<input type="datetime-local" step="1">`. */
export function toLocalInput(unix: number): string {
  return absoluteTime(unix).replace(" ", "T");
}

export function fromLocalInput(text: string): number | null {
  if (!/^\d{4,6}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?/.test(text)) return null;
  const ms = new Date(text.replace(" ", "T")).getTime();
  return Number.isNaN(ms) ? null : Math.floor(ms / 1000);
}
