import assert from "node:assert/strict";
import { test } from "node:test";
import { comparePaths, covers, dataUrl, deviceUrl, formatPath, parsePath, query } from "../../src/lib/path.ts";
import { formatRoute, parseRoute, TABS, type Route } from "../../src/lib/route.ts";

const AWKWARD = ["demo-1", "urn:dev:ops:32473-a", "a/b", "a#b?c&d", 'say "hi"', "100%", "%2F", "Grüße 🐦", "a b+c", ".hidden"];

test("paths are numbers between slashes", () => {
  assert.deepEqual(parsePath("/3/0/9"), [3, 0, 9]);
  assert.deepEqual(parsePath("/3303/0/6/1"), [3303, 0, 6, 1]);
  assert.deepEqual(parsePath("/"), []);
  for (const bad of ["/3//9", "/3/0/9/1/2", "/x", "/65535", "/-1", "/3/0/"]) assert.equal(parsePath(bad), null, bad);
  assert.equal(formatPath(3, 0, 9), "/3/0/9");
});

test("a path covers itself and what is below, not what merely begins alike", () => {
  assert.ok(covers("/3", "/3/0/9"));
  assert.ok(covers("/3/0/9", "/3/0/9"));
  assert.ok(covers("/", "/3"));
  assert.ok(!covers("/3", "/33/0"));
  assert.ok(!covers("/3/0/9", "/3/0"));
});

test("paths sort by number", () => {
  assert.deepEqual(["/3/0/10", "/3/0/9", "/3", "/3/0"].sort(comparePaths), ["/3", "/3/0", "/3/0/9", "/3/0/10"]);
});

test("endpoint names survive the URL, whatever they hold", () => {
  for (const name of AWKWARD) {
    const url = new URL(dataUrl(name, "/3/0/9"), "http://server/");
    const parts = url.pathname.split("/");
    assert.equal(parts.length, 9, name);
    assert.equal(decodeURIComponent(parts[4] as string), name);
    assert.equal(url.search + url.hash, "");
  }
  assert.equal(deviceUrl("a/b"), "api/v1/devices/a%2Fb");
});

test("queries leave out what is not given", () => {
  assert.equal(query({}), "");
  assert.equal(query({ q: "", limit: 50, cursor: null }), "?limit=50");
  assert.equal(dataUrl("x", "/3", { format: "tlv", timeout: "" }), "api/v1/devices/x/data/3?format=tlv");
});

test("routes go into the address bar and come back", () => {
  const routes: Route[] = [{ view: "events" }, { view: "devices", q: "" }, { view: "devices", q: "a&b #c" }];
  for (const endpoint of AWKWARD) {
    routes.push({ view: "device", endpoint, object: null }, { view: "device", endpoint, object: 3303 });
    for (const tab of TABS) routes.push({ view: "device", endpoint, object: null, tab });
  }
  for (const route of routes) assert.deepEqual(parseRoute(formatRoute(route)), route);
});

test("a hand-typed address never breaks the console", () => {
  assert.deepEqual(parseRoute(""), { view: "devices", q: "" });
  assert.deepEqual(parseRoute("#/nowhere"), { view: "devices", q: "" });
  assert.deepEqual(parseRoute("#/devices/%"), { view: "device", endpoint: "%", object: null });
  assert.deepEqual(parseRoute("#/devices/a/x"), { view: "device", endpoint: "a", object: null });
});
