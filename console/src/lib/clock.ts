import { signal } from "@preact/signals";

/**
 * The server's idea of now, ticking once a second. Every "5 s ago" reads this, so a browser whose clock is wrong
 * still shows right ages.
 */
let skew = 0;

export const now = signal(Date.now() / 1000);

setInterval(() => {
  now.value = serverNow();
}, 1000);

export function serverNow(): number {
  return Date.now() / 1000 + skew;
}

/** From the `Date` header of an answer, whose resolution is one second: smaller differences are left alone. */
export function learnClock(date: string | null): void {
  const server = date ? Date.parse(date) : NaN;
  if (Number.isNaN(server)) return;
  const difference = server / 1000 - Date.now() / 1000;
  skew = Math.abs(difference) > 3 ? difference : 0;
}
