import { signal } from "@preact/signals";
import type { Health } from "../api/types.ts";

/** What the server said of itself when the page was loaded. */
export const server = signal<Health | null>(null);

/** The URI devices register at, seen from where this page was loaded. */
export function coapUri(coap: string | undefined, host: string): string {
  const address = coap ?? ":5683";
  const colon = address.lastIndexOf(":");
  const at = address.slice(0, colon);
  // A server that listens everywhere is reached where its console is.
  const everywhere = at === "" || at === "0.0.0.0" || at === "[::]";
  return `coap://${everywhere ? host || "127.0.0.1" : at}${address.slice(colon)}`;
}
