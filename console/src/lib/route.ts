/** The address bar: `#/devices?q=..`, `#/devices/<endpoint>[/<object>]`, `#/events`. */

export type Route =
  | { view: "devices"; q: string }
  | { view: "device"; endpoint: string; object: number | null }
  | { view: "events" };

export function parseRoute(hash: string): Route {
  const [path = "", search = ""] = splitOnce(hash.replace(/^#/, ""), "?");
  const parts = path.split("/").filter((part) => part !== "");
  if (parts[0] === "events") return { view: "events" };
  if (parts[0] === "devices" && parts[1] !== undefined) {
    const object = parts[2] !== undefined && /^\d{1,5}$/.test(parts[2]) ? Number(parts[2]) : null;
    return { view: "device", endpoint: decode(parts[1]), object };
  }
  return { view: "devices", q: new URLSearchParams(search).get("q") ?? "" };
}

export function formatRoute(route: Route): string {
  switch (route.view) {
    case "events":
      return "#/events";
    case "devices":
      return route.q ? "#/devices?q=" + encodeURIComponent(route.q) : "#/devices";
    case "device": {
      const base = "#/devices/" + encodeURIComponent(route.endpoint);
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
