import assert from "node:assert/strict";
import { test } from "node:test";
import type { Attributes, Model } from "../../src/api/types.ts";
import { attributeFields, diffAttributes } from "../../src/device/attribute-fields.ts";
import { shapeInstance, unitLabel } from "../../src/device/shape.ts";
import { addPoint, bounds, EMPTY_SERIES, type Series } from "../../src/lib/series.ts";
import { applyRecords, type Cells } from "../../src/live/reducer.ts";

const model: Model = {
  id: 3, version: "1.1", name: "Device", multiple: false, mandatory: true,
  resources: [
    { id: 0, name: "Manufacturer", operations: "R", multiple: false, mandatory: false, type: "String" },
    { id: 4, name: "Reboot", operations: "E", multiple: false, mandatory: true, type: "" },
    { id: 6, name: "Power", operations: "R", multiple: true, mandatory: false, type: "Integer" },
    { id: 9, name: "Battery", operations: "R", multiple: false, mandatory: false, type: "Integer", units: "/100" },
  ],
};
const cells: Cells = applyRecords(new Map(), [
  { path: "/3/0/0", value: "x" }, { path: "/3/0/6/1", value: 5 }, { path: "/3/0/6/0", value: 1 }, { path: "/3/0/77", type: "Boolean", value: true },
], 1);
const none: ReadonlyMap<string, Attributes> = new Map();

test("a definition and what the device told become rows", () => {
  const rows = shapeInstance(3, 0, model, cells, none, true);
  assert.deepEqual(rows.map((r) => [r.id, r.presence]), [[0, "yes"], [4, "maybe"], [6, "yes"], [9, "no"], [77, "yes"]]);
  assert.deepEqual(rows[2]?.parts.map((p) => p.id), [0, 1]);
  assert.equal(rows[4]?.kind, "boolean", "a resource no definition knows has the type the device sent");
  assert.ok(rows[1]?.executable && !rows[1].readable);
});

test("Discover settles what a Read cannot", () => {
  const rows = shapeInstance(3, 0, model, new Map(), new Map<string, Attributes>([["/3/0", {}], ["/3/0/9", { pmin: "5" }]]), false);
  assert.deepEqual(rows.map((r) => r.presence), ["no", "no", "no", "yes"]);
  assert.deepEqual(rows[3]?.attributes, { pmin: "5" });
});

test("one observed value says nothing about the others", () => {
  const one = applyRecords(new Map(), [{ path: "/3/0/9", value: 80 }], 1);
  assert.deepEqual(shapeInstance(3, 0, model, one, none, false).map((r) => r.presence), ["maybe", "maybe", "maybe", "yes"]);
});

test("before anything was asked, everything may be there", () => {
  assert.ok(shapeInstance(3, 0, model, new Map(), none, false).every((r) => r.presence === "maybe"));
  assert.deepEqual(shapeInstance(9999, 0, null, new Map(), none, true), []);
});

test("units read as people write them", () => {
  assert.equal(unitLabel("Cel"), "°C");
  assert.equal(unitLabel("mV"), "mV");
  assert.equal(unitLabel(undefined), "");
});

test("attributes: only what changed is sent, emptied ones as null", () => {
  const fields = attributeFields(true);
  assert.deepEqual(diffAttributes(fields, { pmin: "10", gt: "5" }, { pmin: "10", pmax: "60", gt: "", lt: "-1.5" }), { pmax: 60, gt: null, lt: -1.5 });
  assert.equal(typeof diffAttributes(fields, {}, { pmin: "1.5" }), "string");
  assert.equal(typeof diffAttributes(fields, {}, { st: "much" }), "string");
  assert.equal(typeof diffAttributes(fields, { pmin: "10" }, { pmin: "10", pmax: "5" }), "string");
  assert.deepEqual(diffAttributes(fields, { pmin: "10" }, { pmin: "10", pmax: "0" }), { pmax: 0 });
});

test("points stay in the order of time and within bounds", () => {
  let series: Series = EMPTY_SERIES;
  for (const [time, value] of [[1, 10], [3, 30], [2, 20], [3, 31], [4, 40]] as const) series = addPoint(series, time, value, 3);
  assert.deepEqual(series, { times: [2, 3, 4], values: [20, 31, 40] });
  assert.deepEqual(bounds(series), { low: 20, high: 40 });
  assert.equal(bounds(EMPTY_SERIES), null);
  assert.deepEqual(EMPTY_SERIES, { times: [], values: [] });
});
