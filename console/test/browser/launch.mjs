/** A browser with nothing of its own to say to the network, and a fresh profile each time. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const ARGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];

export function baseUrl() {
  const url = process.env.DUNLIN_HTTP;
  if (!url) throw new Error("Set DUNLIN_HTTP to a running server, such as DUNLIN_HTTP=http://127.0.0.1:8080/ (dunlin serve --demo 3)");
  return url.endsWith("/") ? url : url + "/";
}

/** `options` are Playwright's context options: viewport, colorScheme, ... */
export async function launch(options = {}) {
  const profile = await mkdtemp(join(tmpdir(), "dunlin-console-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ARGS,
    viewport: { width: 1280, height: 900 },
    ...options,
  });
  return {
    context,
    page: context.pages()[0] ?? (await context.newPage()),
    async close() {
      await context.close();
      await rm(profile, { recursive: true, force: true });
    },
  };
}

/** Leaves nothing observed, so that runs do not lean on each other. */
export async function cancelAll(base, endpoint) {
  const url = `${base}api/v1/devices/${encodeURIComponent(endpoint)}/observations`;
  const { items } = await (await fetch(url)).json();
  for (const { id } of items) await fetch(`${url}/${id}`, { method: "DELETE" });
}

export async function observe(base, endpoint, path) {
  const url = `${base}api/v1/devices/${encodeURIComponent(endpoint)}/observations`;
  const answer = await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ path }) });
  if (!answer.ok) throw new Error(`observe ${path}: ${answer.status} ${await answer.text()}`);
}
