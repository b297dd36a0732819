/** LwM2M paths (`/object/instance/resource/resource instance`) and the URLs made from them. */

/** The numbers of a path, or null when it is not one. "/" is the empty path. */
export function parsePath(path: string): number[] | null {
  if (path === "/" || path === "") return [];
  const parts = path.replace(/^\//, "").split("/");
  if (parts.length > 4) return null;
  const ids: number[] = [];
  for (const part of parts) {
    // 65535 is reserved as "no id" (Core 1.2 §7.1).
    if (!/^\d{1,5}$/.test(part) || Number(part) > 65534) return null;
    ids.push(Number(part));
  }
  return ids;
}

export function formatPath(...ids: number[]): string {
  return "/" + ids.join("/");
}

/** Whether `outer` is `inner` or one of its ancestors: `/3` covers `/3/0/9`, `/3` does not cover `/33`. */
export function covers(outer: string, inner: string): boolean {
  return outer === "/" || inner === outer || inner.startsWith(outer + "/");
}

/** Orders paths by number, so that `/3/0/10` comes after `/3/0/9`. */
export function comparePaths(a: string, b: string): number {
  const left = parsePath(a) ?? [];
  const right = parsePath(b) ?? [];
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const d = (left[i] ?? -1) - (right[i] ?? -1);
    if (d !== 0) return d;
  }
  return 0;
}

// Relative to the page, so that a reverse proxy may move the console below a path.
export const API = "api/v1";

/** Endpoint names may hold any character, `/`, `#` and quotes included. */
export function deviceUrl(endpoint: string): string {
  return `${API}/devices/${encodeURIComponent(endpoint)}`;
}

export function dataUrl(endpoint: string, path: string, options: { format?: string; timeout?: string } = {}): string {
  return `${deviceUrl(endpoint)}/data${path}${query({ format: options.format, timeout: options.timeout })}`;
}

export function query(params: Record<string, string | number | null | undefined>): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(params)) {
    if (value !== null && value !== undefined && value !== "") search.set(key, String(value));
  }
  const text = search.toString();
  return text ? "?" + text : "";
}
