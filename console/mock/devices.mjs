/** Made-up devices whose values move. */
import { MODELS } from "./models.mjs";

const TYPES = new Map();
for (const model of MODELS) for (const res of model.resources) TYPES.set(`${model.id}/${res.id}`, res);

export const definition = (object, resource) => TYPES.get(`${object}/${resource}`);

const now = () => Date.now() / 1000;

export class MockDevice {
  constructor(endpoint, number, { light = false } = {}) {
    this.number = number;
    this.info = {
      endpoint, registrationId: (0x5eed00 + number * 7919).toString(36), version: number % 3 === 0 ? "1.0" : "1.1",
      lifetime: number % 5 === 2 ? 86400 : 300, binding: "U", queueMode: number % 7 === 3, sms: null,
      address: `127.0.0.1:${20000 + (number % 40000)}`, rootPath: "/", contentFormats: [0, 42, 60, 110, 112, 11542],
      registeredAt: now() - 3600 - number, updatedAt: now() - (number * 37) % 240, expiresAt: 0, objects: [],
      attributes: {}, faults: number === 2 ? ["The registration has no content type; application/link-format was assumed (Core 1.2 §6.2.1)"] : [],
    };
    if (this.info.queueMode) Object.assign(this.info, { awake: false, awakeUntil: null, awakeTime: 93, queued: 0 });
    if (number === 2) this.info.attributes = { fw: "2.4.1" };
    this.info.expiresAt = this.info.updatedAt + this.info.lifetime;
    /** Path to value; light devices (a big fleet) share one small set. */
    this.values = light ? new Map([["/3/0/0", "Dunlin mock"]]) : this.firstValues();
    this.attributes = new Map();
    this.refreshObjects();
  }

  firstValues() {
    const n = this.number;
    return new Map(Object.entries({
      "/1/0/0": 1, "/1/0/1": this.info.lifetime, "/1/0/2": 1, "/1/0/3": 60, "/1/0/6": true, "/1/0/7": "U",
      "/3/0/0": "Strand Instruments", "/3/0/1": "Tide Gauge 2", "/3/0/2": `TG2-00${n}`, "/3/0/3": "2.4.1",
      "/3/0/6/0": 1, "/3/0/6/1": 5, "/3/0/7/0": 3790, "/3/0/7/1": 5020, "/3/0/9": 87, "/3/0/10": 142,
      "/3/0/11/0": 0, "/3/0/13": Math.floor(now()), "/3/0/14": "+01:00", "/3/0/15": "Europe/Amsterdam", "/3/0/16": "U",
      "/3/0/17": "sensor", "/3/0/18": "B",
      "/4/0/0": 7, "/4/0/1/0": 7, "/4/0/2": -71, "/4/0/3": 42, "/4/0/4/0": "192.0.2.17", "/4/0/4/1": "2001:db8::17", "/4/0/7/0": "iot.example",
      "/6/0/0": 53.2194 + n / 100, "/6/0/1": 6.5665, "/6/0/2": 1.4, "/6/0/4": "AQAQAAAC", "/6/0/5": Math.floor(now()) - 42,
      "/5/0/3": 0, "/5/0/5": 0, "/5/0/6": "", "/5/0/7": "", "/5/0/9": 2,
      "/3303/0/5700": 19 + n, "/3303/0/5601": 17.2 + n, "/3303/0/5602": 21.9 + n, "/3303/0/5603": -40, "/3303/0/5604": 85, "/3303/0/5701": "Cel", "/3303/0/5750": "water",
      "/3304/0/5700": 61 + n, "/3304/0/5601": 55, "/3304/0/5602": 68, "/3304/0/5701": "%RH", "/3304/0/5750": "",
      "/3342/0/5500": false, "/3342/0/5750": "lamp", "/3342/0/5527": "3q2+78r+", "/3342/0/5911": "3303:0",
    }));
  }

  refreshObjects() {
    const objects = new Map();
    for (const path of this.values.keys()) {
      const [, o, i] = path.split("/").map(Number);
      if (!objects.has(o)) objects.set(o, new Set());
      objects.get(o).add(i);
    }
    this.info.objects = [...objects].map(([id, set]) => ({
      id, version: MODELS.find((m) => m.id === id)?.version ?? "1.0", instances: [...set].sort((a, b) => a - b),
    })).sort((a, b) => a.id - b.id);
  }

  touch() {
    this.info.updatedAt = now();
    this.info.expiresAt = this.info.updatedAt + this.info.lifetime;
  }

  /** One step of the weather; returns the paths that changed. */
  move(t) {
    const n = this.number;
    const temperature = Number((19 + n + 1.6 * Math.sin(t / 9 + n) + 0.35 * Math.sin(t / 2.1) + 0.1 * Math.random()).toFixed(2));
    const humidity = Number((61 + n + 4 * Math.sin(t / 14 + 2 * n) + 0.4 * Math.random()).toFixed(1));
    const changed = [];
    const set = (path, value) => {
      if (!this.values.has(path) || this.values.get(path) === value) return;
      this.values.set(path, value);
      changed.push(path);
    };
    for (const [object, value] of [[3303, temperature], [3304, humidity]]) {
      set(`/${object}/0/5700`, value);
      set(`/${object}/0/5601`, Math.min(this.values.get(`/${object}/0/5601`), value));
      set(`/${object}/0/5602`, Math.max(this.values.get(`/${object}/0/5602`), value));
    }
    set("/3/0/13", Math.floor(now()));
    return changed;
  }

  /** The records at or below a path, or null when there is nothing. */
  read(path) {
    const records = [];
    for (const [p, value] of this.values) {
      if (p === path || p.startsWith(path === "/" ? "/" : path + "/")) records.push(this.record(p, value));
    }
    return records.length ? records : null;
  }

  record(path, value) {
    const [, o, , res] = path.split("/").map(Number);
    const type = definition(o, res)?.type || (typeof value === "number" ? "Float" : typeof value === "boolean" ? "Boolean" : "String");
    return { path, type, value };
  }

  discover(path) {
    const links = new Map();
    const add = (p) => links.has(p) || links.set(p, { ...(this.attributes.get(p) ?? {}) });
    for (const p of this.values.keys()) {
      const ids = p.split("/").slice(1);
      for (let n = 1; n <= 3; n++) {
        const prefix = "/" + ids.slice(0, n).join("/");
        if (prefix === path || prefix.startsWith(path + "/")) add(prefix);
      }
      if (ids.length === 4) {
        const res = "/" + ids.slice(0, 3).join("/");
        if (links.has(res)) links.get(res).dim = String((Number(links.get(res).dim) || 0) + 1);
      }
    }
    for (const { id, instances } of this.info.objects) {
      const model = MODELS.find((m) => m.id === id);
      for (const i of instances) for (const res of model?.resources ?? []) {
        const p = `/${id}/${i}/${res.id}`;
        if (res.operations === "E" && (p === path || p.startsWith(path + "/")) && ![5, 12].includes(res.id)) add(p);
      }
    }
    return [...links].map(([p, attributes]) => ({ path: p, attributes }));
  }
}
