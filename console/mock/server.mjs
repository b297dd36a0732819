/**
 * A stand-in for `dunlin serve`, for working on the console without Rust: `npm run mock -- [--port 8080]
 * [--demo 3] [--fleet 100000]`. Speaks the REST contract, moves values, and serves the built assets under the same
 * strict policy. Never shipped.
 */
import http from "node:http";
import { readFile } from "node:fs/promises";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Credentials } from "./credentials.mjs";
import { definition, MockDevice } from "./devices.mjs";
import { MODELS } from "./models.mjs";
import { Work } from "./work.mjs";

const { values: args } = parseArgs({
  options: { port: { type: "string", default: "8080" }, demo: { type: "string", default: "3" }, fleet: { type: "string", default: "0" } },
});
const ASSETS = fileURLToPath(new URL("../../crates/http/assets/", import.meta.url));
const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };
const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const started = Date.now();

const devices = new Map();
for (let n = 1; n <= Number(args.demo); n++) devices.set(`demo-${n}`, new MockDevice(`demo-${n}`, n));
for (let n = 1; n <= Number(args.fleet); n++) {
  const name = `urn:dev:ops:32473-fleet-${String(n).padStart(6, "0")}`;
  devices.set(name, new MockDevice(name, n, { light: true }));
}
let sorted = [...devices.keys()].sort();

const observations = new Map();
let observationId = 0;
const listeners = new Set();
const backlog = [];
let eventId = 0;

function emit(name, body) {
  const event = { id: ++eventId, name, endpoint: body.endpoint, text: JSON.stringify({ time: Date.now() / 1000, ...body }) };
  backlog.push(event);
  if (backlog.length > 1000) backlog.shift();
  for (const listener of listeners) send(listener, event);
}

function send(listener, event) {
  if (listener.endpoint && listener.endpoint !== event.endpoint) return;
  if (listener.types && !listener.types.includes(event.name)) return;
  listener.response.write(`id: ${event.id}\nevent: ${event.name}\ndata: ${event.text}\n\n`);
}

setInterval(() => {
  const t = (Date.now() - started) / 1000;
  for (let n = 1; n <= Number(args.demo); n++) {
    const device = devices.get(`demo-${n}`);
    if (!device) continue;
    const changed = device.move(t);
    for (const wish of observations.get(device.info.endpoint)?.values() ?? []) {
      const whole = wish.paths ?? [wish.path];
      const records = changed.filter((p) => whole.some((one) => p === one || p.startsWith(one + "/"))).map((p) => device.record(p, device.values.get(p)));
      if (records.length) notify(device, wish, records);
    }
  }
}, 1000).unref();

setInterval(() => {
  const names = sorted;
  const device = devices.get(names[Math.floor(Math.random() * names.length)]);
  if (!device) return;
  device.touch();
  emit("update", { endpoint: device.info.endpoint, device: device.info });
}, 4000).unref();

setInterval(() => {
  const device = devices.get("demo-1");
  if (!device) return;
  const path = "/3303/0/5700";
  const time = Date.now() / 1000;
  const records = [0, 10, 20].map((age) => ({ ...device.record(path, device.values.get(path)), time: time - age }));
  device.sends = [{ time, records }, ...(device.sends ?? [])].slice(0, 50);
  emit("send", { endpoint: "demo-1", records });
}, 3000).unref();

function notify(device, wish, records) {
  wish.records = records;
  wish.updatedAt = Date.now() / 1000;
  emit("notification", { endpoint: device.info.endpoint, observation: wish.id, path: wish.path, records });
}

const work = new Work(emit);

class Refusal extends Error {
  constructor(status, title, detail, coapCode) {
    super(detail);
    this.body = { type: "about:blank", title, status, detail, ...(coapCode ? { coapCode } : {}) };
  }
}
const credentials = new Credentials((status, title, detail) => new Refusal(status, title, detail));
const notFound = (path) => new Refusal(404, "Not found on the device", `The device has nothing at ${path}.`, "4.04");
const notAllowed = (path, what) => new Refusal(405, "Method not allowed", `${path} cannot be ${what}. Look at its operations in the object's definition.`, "4.05");

async function bodyOf(request) {
  let text = "";
  for await (const chunk of request) text += chunk;
  if (!text) return null;
  if (!request.headers["content-type"]?.includes("json")) return text;
  try {
    return JSON.parse(text);
  } catch {
    throw new Refusal(400, "Bad body", "The body is not JSON.");
  }
}

async function api(request, response, url) {
  const parts = url.pathname.slice("/api/v1/".length).split("/").map(decodeURIComponent);
  const json = (status, body) => {
    response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store" });
    response.end(body === undefined ? "" : JSON.stringify(body));
  };
  if (parts[0] === "health") return json(200, { status: "ok", version: "0.1.0", coap: "127.0.0.1:5683", devices: devices.size, uptimeSeconds: (Date.now() - started) / 1000 });
  if (parts[0] === "models") {
    if (!parts[1]) return json(200, { items: MODELS.map(({ id, version, name, multiple, mandatory }) => ({ id, version, name, multiple, mandatory })) });
    const model = MODELS.find((m) => m.id === Number(parts[1]));
    if (!model) throw new Refusal(404, "Unknown object", `There is no definition of object ${parts[1]}.`);
    return json(200, model);
  }
  if (parts[0] === "events") {
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
    response.write(": hello\n\n");
    const listener = { response, endpoint: url.searchParams.get("endpoint"), types: url.searchParams.get("types")?.split(",") };
    const last = Number(request.headers["last-event-id"] ?? url.searchParams.get("lastEventId") ?? NaN);
    if (!Number.isNaN(last)) {
      if (last > eventId || (backlog[0] && last < backlog[0].id - 1)) response.write("event: reset\ndata: {}\n\n");
      for (const event of backlog) if (event.id > last) send(listener, event);
    }
    listeners.add(listener);
    request.on("close", () => listeners.delete(listener));
    return;
  }
  if (parts[0] === "firmware") {
    if (request.method === "GET") return json(200, { items: work.images, next: null });
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    return json(201, work.addImage(url.searchParams.get("name") ?? "image", Buffer.concat(chunks)));
  }
  if (parts[0] === "credentials") {
    const body = request.method === "POST" ? await bodyOf(request) : null;
    if (parts[1] === "server") return json(200, credentials.own());
    if (parts[1] === "trust") {
      if (request.method === "DELETE") return json(204, credentials.distrust(parts[2]));
      return body ? json(201, credentials.trust(body)) : json(200, credentials.authorities());
    }
    if (parts[1] === "import") return json(200, credentials.import(body ?? ""));
    if (parts[2] === "rotate") return json(200, credentials.create(body ?? {}, parts[1]));
    if (request.method === "DELETE") return json(204, credentials.remove(parts[1]));
    if (parts[1]) return json(200, credentials.get(parts[1]));
    return request.method === "POST" ? json(201, credentials.create(body)) : json(200, credentials.page(url.searchParams));
  }
  if (parts[0] !== "devices") throw new Refusal(404, "No such page", "Look at /api/v1/openapi.json.");
  if (parts.length === 1) {
    const q = (url.searchParams.get("q") ?? "").toLowerCase();
    const limit = Number(url.searchParams.get("limit") ?? 50);
    const cursor = url.searchParams.get("cursor");
    const names = q ? sorted.filter((n) => n.toLowerCase().includes(q)) : sorted;
    let from = cursor ? names.findIndex((n) => n > cursor) : 0;
    if (from < 0) from = names.length;
    const page = names.slice(from, from + limit);
    return json(200, { items: page.map((n) => devices.get(n).info), next: from + limit < names.length ? page.at(-1) : null, total: names.length });
  }
  const device = devices.get(parts[1]);
  if (!device) throw new Refusal(404, "Unknown endpoint", `No device is registered as "${parts[1]}".`);
  const path = "/" + parts.slice(3).join("/");
  const body = await bodyOf(request);
  switch (parts[2]) {
    case undefined:
      if (request.method === "DELETE") {
        devices.delete(parts[1]);
        sorted = sorted.filter((n) => n !== parts[1]);
        emit("deregistration", { endpoint: parts[1] });
        return json(204);
      }
      return json(200, device.info);
    case "data": {
      // A little radio.
      await new Promise((done) => setTimeout(done, 15 + Math.random() * 20));
      const run = () => data(request.method, device, path, body, (_status, answer) => answer);
      if (device.info.queueMode) return json(202, work.enqueue(device, { operation: NAMES[request.method] ?? "execute", path }, run));
      return data(request.method, device, path, body, json);
    }
    case "composite": {
      if (parts[3] === "read") return json(200, { code: "2.05", format: 112, records: body.paths.flatMap((p) => device.read(p) ?? []) });
      for (const record of body.records) {
        const [o, , res] = record.path.split("/").slice(1).map(Number);
        if (!definition(o, res)?.operations.includes("W")) throw notAllowed(record.path, "written");
      }
      for (const record of body.records) device.values.set(record.path, record.value);
      return json(200, { code: "2.04" });
    }
    case "operations": {
      if (request.method === "GET") return json(200, { items: work.of(device), next: null });
      if (request.method === "DELETE") return json(work.cancel(device, parts[3]) ? 204 : 404);
      const methods = { read: "GET", write: "PUT", delete: "DELETE" };
      const run = () => data(methods[body.operation] ?? "POST", device, body.path, { value: body.value }, (_status, answer) => answer);
      return json(201, work.enqueue(device, body, run));
    }
    case "sends":
      return json(200, { items: device.sends ?? [], next: null });
    case "firmware": {
      if (request.method === "POST") return json(202, work.update(device, body));
      const job = work.jobs.get(device.info.endpoint);
      if (!job) throw new Refusal(404, "No update", "No firmware was sent to this device.");
      if (request.method === "DELETE") {
        work.stop(device);
        return json(204);
      }
      return json(200, job);
    }
    case "trace":
      return json(200, { items: work.trace(device) });
    case "trace.pcap":
      response.writeHead(200, { "content-type": "application/vnd.tcpdump.pcap" });
      return response.end(Buffer.from("d4c3b2a1020004000000000000000000ffff000065000000", "hex"));
    case "discover":
      return json(200, { code: "2.05", links: device.discover(path) });
    case "attributes": {
      const all = { ...(device.attributes.get(path) ?? {}) };
      for (const [key, value] of Object.entries(body)) value === null ? delete all[key] : (all[key] = String(value));
      device.attributes.set(path, all);
      return json(200, { code: "2.04" });
    }
    case "observations":
      return observe(request.method, device, parts[3], body, json);
  }
  throw new Refusal(404, "No such page", "Look at /api/v1/openapi.json.");
}

const NAMES = { GET: "read", PUT: "write", PATCH: "update", DELETE: "delete" };

function data(method, device, path, body, json) {
  const ids = path.split("/").slice(1).map(Number);
  const def = definition(ids[0], ids[2]);
  const changed = (records) => {
    for (const wish of observations.get(device.info.endpoint)?.values() ?? []) {
      const hit = records.filter((p) => p === wish.path || p.startsWith(wish.path + "/"));
      if (hit.length) notify(device, wish, hit.map((p) => device.record(p, device.values.get(p))));
    }
  };
  if (method === "GET") {
    if (def && !def.operations.includes("R")) throw notAllowed(path, "read");
    const records = device.read(path);
    if (!records) throw notFound(path);
    return json(200, { code: "2.05", format: 112, records });
  }
  if (method === "PUT" || method === "PATCH") {
    const records = body?.records ?? [{ path, value: body?.value }];
    for (const record of records) {
      const [o, , res] = record.path.split("/").slice(1).map(Number);
      if (!definition(o, res)?.operations.includes("W")) throw notAllowed(record.path, "written");
      if (o === 1 && res === 1 && !(record.value > 0)) throw new Refusal(400, "Bad request", "The device refused the value: a lifetime is above 0.", "4.00");
      device.values.set(record.path, record.value);
      if (o === 1 && res === 1) {
        device.info.lifetime = record.value;
        device.touch();
        emit("update", { endpoint: device.info.endpoint, device: device.info });
      }
    }
    changed(records.map((record) => record.path));
    return json(200, { code: "2.04" });
  }
  if (method === "POST" && ids.length === 3) {
    if (!def?.operations.includes("E")) throw notAllowed(path, "executed");
    if (ids[2] === 5605) for (const res of [5601, 5602]) device.values.set(`/${ids[0]}/${ids[1]}/${res}`, device.values.get(`/${ids[0]}/${ids[1]}/5700`));
    return json(200, { code: "2.04" });
  }
  if (method === "POST" && ids.length === 1) {
    const used = device.info.objects.find((o) => o.id === ids[0])?.instances ?? [];
    const instance = body?.instance ?? Math.max(-1, ...used) + 1;
    if (used.includes(instance)) throw new Refusal(400, "Bad request", `Instance ${instance} exists already.`, "4.00");
    for (const record of body?.records ?? []) device.values.set(record.path.replace(/^\/\d+\/\d+/, `/${ids[0]}/${instance}`), record.value);
    afterChange(device);
    return json(201, { code: "2.01", location: `/${ids[0]}/${instance}` });
  }
  if (method === "DELETE" && ids.length === 2) {
    if ([1, 3].includes(ids[0])) throw notAllowed(path, "deleted");
    for (const p of [...device.values.keys()]) if (p.startsWith(path + "/")) device.values.delete(p);
    afterChange(device);
    return json(200, { code: "2.02" });
  }
  throw new Refusal(400, "Bad path", `${method} does not go with ${path}.`);
}

function afterChange(device) {
  device.refreshObjects();
  device.touch();
  emit("update", { endpoint: device.info.endpoint, device: device.info });
}

function observe(method, device, id, body, json) {
  const endpoint = device.info.endpoint;
  const wishes = observations.get(endpoint) ?? new Map();
  observations.set(endpoint, wishes);
  if (method === "GET") return json(200, { items: [...wishes.values()], next: null });
  if (method === "DELETE") return wishes.delete(id) ? json(204) : json(404, { title: "Unknown observation", status: 404, detail: `No observation ${id}.` });
  const records = body.paths ? body.paths.flatMap((p) => device.read(p) ?? []) : device.read(body.path);
  if (!records) throw notFound(body.path);
  const wish = { id: String(++observationId), path: body.path ?? "/", paths: body.paths, attributes: body.attributes ?? {}, state: "active", error: null, records, updatedAt: Date.now() / 1000 };
  wishes.set(wish.id, wish);
  return json(201, wish);
}

async function asset(response, url) {
  const name = url.pathname === "/" ? "index.html" : normalize(decodeURIComponent(url.pathname)).replace(/^[/\\]+/, "");
  try {
    const bytes = await readFile(join(ASSETS, name));
    response.writeHead(200, { "content-type": TYPES[extname(name)] ?? "application/octet-stream", "content-security-policy": POLICY, "x-content-type-options": "nosniff" });
    response.end(bytes);
  } catch {
    response.writeHead(404).end("not found");
  }
}

const server = http.createServer((request, response) => {
  const url = new URL(request.url, "http://mock");
  const work = url.pathname.startsWith("/api/v1/") ? api(request, response, url) : asset(response, url);
  work.catch((error) => {
    const body = error instanceof Refusal ? error.body : { type: "about:blank", title: "The mock failed", status: 500, detail: String(error.stack) };
    response.writeHead(body.status, { "content-type": "application/problem+json" });
    response.end(JSON.stringify(body));
  });
});
server.listen(Number(args.port), "127.0.0.1", () => console.log(`Console  http://127.0.0.1:${server.address().port}/`));
