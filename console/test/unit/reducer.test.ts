import assert from "node:assert/strict";
import { test } from "node:test";
import type { Device, LiveEvent, Operation } from "../../src/api/types.ts";
import { decodeEvent } from "../../src/live/decode.ts";
import {
  appendLog, applyRecords, applyToList, describe, isFinished, removeBelow, replaceBelow, withInstance, withOperation, type Cells,
  type ListState,
} from "../../src/live/reducer.ts";

function device(endpoint: string, updatedAt = 100): Device {
  return {
    endpoint, registrationId: "r", version: "1.1", lifetime: 300, binding: "U", queueMode: false, sms: null, address: "a",
    rootPath: "/", contentFormats: [], registeredAt: 0, updatedAt, expiresAt: updatedAt + 300,
    objects: [{ id: 3303, version: "1.1", instances: [0, 2] }], attributes: {}, faults: [],
  };
}

function event(name: LiveEvent["name"], endpoint: string, more: Partial<LiveEvent> = {}): LiveEvent {
  return { id: "1", name, endpoint, time: 200, ...more };
}

const middle: ListState = { rows: [device("d"), device("f")], total: 100_000, next: "f", q: "", first: false };

test("an update of a shown device changes its row only", () => {
  const fresh = device("f", 200);
  const { state, stale } = applyToList(middle, event("update", "f", { device: fresh }));
  assert.equal(state.rows[1], fresh);
  assert.equal(state.rows[0], middle.rows[0]);
  assert.equal(stale, null);
  assert.equal(middle.rows[1]?.updatedAt, 100, "the old state is untouched");
});

test("the rest of a fleet causes neither fetches nor drawing", () => {
  for (const name of ["update", "notification"] as const) {
    const step = applyToList(middle, event(name, "zzz"));
    assert.equal(step.state, middle);
    assert.equal(step.stale, null);
  }
});

test("a registration asks for a fetch soon only when it belongs on the page", () => {
  const stale = (state: ListState, endpoint: string) => applyToList(state, event("registration", endpoint)).stale;
  assert.equal(stale(middle, "e"), "soon");
  assert.equal(stale(middle, "a"), "later");
  assert.equal(stale(middle, "z"), "later");
  assert.equal(stale({ ...middle, first: true }, "a"), "soon");
  assert.equal(stale({ ...middle, next: null }, "z"), "soon");
  assert.equal(stale({ ...middle, rows: [] }, "x"), "soon");
  assert.equal(stale({ ...middle, q: "Dev" }, "e"), null);
  assert.equal(stale({ ...middle, q: "Dev", rows: [], total: 0 }, "my-DEVice"), "soon");
});

test("who leaves stays visible, marked, and comes back", () => {
  const left = applyToList(middle, event("expiry", "d")).state;
  assert.equal(left.rows[0]?.gone, "expired");
  assert.equal(left.total, 99_999);
  assert.equal(applyToList(left, event("deregistration", "d")).state, left, "nobody leaves twice");
  const back = applyToList(left, event("registration", "d", { device: device("d", 300) })).state;
  assert.equal(back.rows[0]?.gone, undefined);
  assert.equal(back.total, 100_000);
});

test("who leaves elsewhere lowers the total", () => {
  assert.equal(applyToList(middle, event("deregistration", "z")).state.total, 99_999);
});

test("a value flashes when it becomes another one, not when it is repeated", () => {
  let cells: Cells = new Map();
  for (const value of [1, 1, 2]) cells = applyRecords(cells, [{ path: "/3303/0/5700", value }], 5);
  assert.equal(cells.get("/3303/0/5700")?.changes, 1);
  assert.equal(cells.get("/3303/0/5700")?.record.value, 2);
});

test("a Read speaks for everything below its path", () => {
  const before = applyRecords(new Map(), [
    { path: "/3/0/6/0", value: 1 }, { path: "/3/0/6/1", value: 5 }, { path: "/3/0/60", value: 9 },
  ], 1);
  const after = replaceBelow(before, "/3/0/6", [{ path: "/3/0/6/1", value: 6 }], 2);
  assert.deepEqual([...after.keys()].sort(), ["/3/0/6/1", "/3/0/60"]);
  assert.equal(after.get("/3/0/6/1")?.changes, 1);
  assert.deepEqual([...removeBelow(after, "/3/0").keys()], []);
});

test("instances come and go before the device's own update says so", () => {
  const made = withInstance(device("d"), 3303, 1, true);
  assert.deepEqual(made.objects[0]?.instances, [0, 1, 2]);
  assert.deepEqual(withInstance(made, 3303, 1, true).objects[0]?.instances, [0, 1, 2]);
  assert.deepEqual(withInstance(made, 3303, 0, false).objects[0]?.instances, [1, 2]);
});

test("the log is newest first, bounded, and its keys differ", () => {
  const events = Array.from({ length: 5 }, (_, i) => event("update", "d", { time: i }));
  const log = appendLog(appendLog([], events, 4), events.slice(0, 1), 4);
  assert.deepEqual(log.map((entry) => entry.time), [0, 4, 3, 2]);
  assert.equal(new Set(log.map((entry) => entry.key)).size, 4);
});

test("what the stream sends is checked", () => {
  const good = decodeEvent("notification", "7", '{"endpoint":"d","time":1,"records":[]}');
  assert.equal(good?.name, "notification");
  assert.equal(good?.id, "7");
  for (const [name, data] of [["surprise", '{"endpoint":"d","time":1}'], ["update", "{"], ["update", "null"], ["update", '{"endpoint":3,"time":1}']]) {
    assert.equal(decodeEvent(name as string, "1", data as string), null, data);
  }
});

function operation(id: string, state: Operation["state"], more: Partial<Operation> = {}): Operation {
  return { id, endpoint: "d", operation: "write", path: "/1/0/1", priority: 0, ttl: 60, createdAt: 0, expiresAt: 60, state, ...more };
}

test("an operation keeps its place while its state changes", () => {
  const list = [operation("2", "queued"), operation("1", "sent")];
  const after = withOperation(list, operation("1", "done"));
  assert.deepEqual(after.map((o) => [o.id, o.state]), [["2", "queued"], ["1", "done"]]);
  assert.deepEqual(withOperation(list, operation("3", "queued")).map((o) => o.id), ["3", "2", "1"]);
  assert.equal(list[1]?.state, "sent", "the old list is untouched");
  assert.deepEqual((["queued", "sent", "done", "failed", "expired", "cancelled"] as const).filter((state) => isFinished(operation("1", state))),
    ["done", "failed", "expired", "cancelled"]);
});

test("operations and sends in one line, and neither touches the list of devices", () => {
  const done = event("operation", "d", { operation: operation("1", "done", { result: { code: "2.04" } }) });
  assert.equal(describe(done), "write /1/0/1: done 2.04");
  const failed = operation("1", "failed", { path: null, paths: ["/1/0/1", "/3/0/14"], error: { title: "Refused", coapCode: "4.05" } });
  assert.equal(describe(event("operation", "d", { operation: failed })), "write /1/0/1 /3/0/14: failed 4.05");
  assert.equal(describe(event("send", "d", { records: [{ path: "/3303/0/5700", value: 21.5 }] })), "/3303/0/5700 = 21.5");
  for (const one of [done, event("send", "d"), event("firmware", "d")]) assert.equal(applyToList(middle, one).state, middle);
});
