/** The address bar: `#/devices?q=..`, `#/devices/<endpoint>[/<object>|/<tab>]`, `#/events`,
 * `#/credentials?q=..`. */

/** What can be looked at on a device's page besides its objects. */
export const TABS = ["composite", "operations", "sends", "firmware", "trace"] as const;
export type Tab = (typeof TABS)[number];

export type Route =
  | { view: "devices"; q: string }
  | { view: "device"; endpoint: string; object: number | null; tab?: Tab }
  | { view: "events" }
  | { view: "credentials"; q: string };

export function parseRoute(hash: string): Route {
  const [path = "", search = ""] = splitOnce(hash.replace(/^#/, ""), "?");
  const parts = path.split("/").filter((part) => part !== "");
  if (parts[0] === "events") return { view: "events" };
  if (parts[0] === "devices" && parts[1] !== undefined) {
    const object = parts[2] !== undefined && /^\d{1,5}$/.test(parts[2]) ? Number(parts[2]) : null;
    const endpoint = decode(parts[1]);
    const tab = TABS.find((name) => name === parts[2]);
    return tab ? { view: "device", endpoint, object, tab } : { view: "device", endpoint, object };
  }
  const q = new URLSearchParams(search).get("q") ?? "";
  return parts[0] === "credentials" ? { view: "credentials", q } : { view: "devices", q };
}

export function formatRoute(route: Route): string {
  switch (route.view) {
    case "events":
      return "#/events";
    case "devices":
    case "credentials":
      return `#/${route.view}${route.q ? "?q=" + encodeURIComponent(route.q) : ""}`;
    case "device": {
      const base = "#/devices/" + encodeURIComponent(route.endpoint);
      if (route.tab) return `${base}/${route.tab}`;
      return route.object === null ? base : `${base}/${route.object}`;
    }
  }
}

function splitOnce(text: string, mark: string): [string, string] {
  const at = text.indexOf(mark);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}

/** A hand-typed `%` must show a page that says "unknown", not break the console. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
