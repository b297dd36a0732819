import { signal } from "@preact/signals";
import { formatRoute, parseRoute, type Route } from "./route.ts";

export const route = signal<Route>(parseRoute(location.hash));

addEventListener("hashchange", () => {
  route.value = parseRoute(location.hash);
});

/** Typing into the search changes the address without filling the browser's history. */
export function replaceRoute(to: Route): void {
  history.replaceState(null, "", formatRoute(to));
  route.value = to;
}

export function go(to: Route): void {
  location.hash = formatRoute(to);
}
