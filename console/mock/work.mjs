/** Queued operations, firmware jobs and a trace for the stand-in server. */
import { createHash } from "node:crypto";

const now = () => Date.now() / 1000;
const SLEEP_MS = 2500;

export class Work {
  images = [];
  jobs = new Map();
  #operations = new Map();
  #last = 0;
  #emit;

  constructor(emit) {
    this.#emit = emit;
  }

  of(device) {
    return this.#operations.get(device.info.endpoint) ?? [];
  }

  enqueue(device, { operation, path, paths, ttl = 86400, priority = 0 }, run) {
    const entry = {
      id: String(++this.#last), endpoint: device.info.endpoint, operation, path, paths, priority, ttl,
      createdAt: now(), expiresAt: now() + ttl, finishedAt: null, state: "queued", result: null, error: null,
    };
    this.#operations.set(device.info.endpoint, [entry, ...this.of(device)]);
    this.#tell(device, entry);
    setTimeout(() => {
      if (entry.state !== "queued") return;
      try {
        entry.result = run();
        entry.state = "done";
      } catch (error) {
        entry.error = error.body ?? { title: String(error) };
        entry.state = "failed";
      }
      entry.finishedAt = now();
      this.#tell(device, entry);
    }, device.info.queueMode ? SLEEP_MS : 100);
    return entry;
  }

  cancel(device, id) {
    const entry = this.of(device).find((one) => one.id === id && one.state === "queued");
    if (!entry) return false;
    Object.assign(entry, { state: "cancelled", finishedAt: now() });
    this.#tell(device, entry);
    return true;
  }

  #tell(device, operation) {
    if (device.info.queueMode) device.info.queued = this.of(device).filter((one) => one.state === "queued").length;
    this.#emit("operation", { endpoint: device.info.endpoint, operation: { ...operation } });
  }

  addImage(name, bytes) {
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const image = { id: sha256.slice(0, 16), name, size: bytes.length, sha256, createdAt: now() };
    this.images = [image, ...this.images.filter((one) => one.id !== image.id)];
    return image;
  }

  update(device, { image, method, install }) {
    const size = this.images.find((one) => one.id === image)?.size ?? 0;
    const job = {
      image, method: method === "auto" ? "push" : method, state: "transferring", stateText: "The image goes to the device.", sent: 0, size,
      deviceState: 1, result: 0, resultText: null, startedAt: now(), finishedAt: null,
    };
    this.jobs.set(device.info.endpoint, job);
    const tell = () => this.#emit("firmware", { endpoint: device.info.endpoint, firmware: { ...job } });
    const timer = setInterval(() => {
      if (job.finishedAt !== null) return clearInterval(timer);
      job.sent = Math.min(size, job.sent + Math.ceil(size / 8));
      if (job.sent === size) {
        clearInterval(timer);
        Object.assign(job, install
          ? { state: "done", stateText: "The device runs the new firmware.", deviceState: 0, result: 1, resultText: "Updated.", finishedAt: now() }
          : { state: "done", stateText: "The image is on the device, not installed.", deviceState: 2, finishedAt: now() });
      }
      tell();
    }, 200);
    tell();
    return job;
  }

  stop(device) {
    const job = this.jobs.get(device.info.endpoint);
    Object.assign(job, { state: "cancelled", stateText: "Cancelled by an operator.", finishedAt: now() });
    this.#emit("firmware", { endpoint: device.info.endpoint, firmware: { ...job } });
  }

  trace(device) {
    const at = Math.floor(now());
    return Array.from({ length: 6 }, (_, n) => ({
      time: at - 12 + 2 * n, direction: n % 2 ? "out" : "in", type: n % 2 ? "ACK" : "CON", code: n % 2 ? "2.04 Changed" : "0.02 POST",
      messageId: 4000 + at % 1000 + (n >> 1), token: "a1b2", summary: n % 2 ? "ACK 2.04 Changed" : `CON POST /rd/${device.info.registrationId}`,
      options: n % 2 ? [] : [{ name: "Uri-Path", value: "rd" }, { name: "Uri-Path", value: device.info.registrationId }],
      payload: n === 2 ? "c10964" : "", decoded: n === 2 ? "/3/0/9 = 100" : null,
    }));
  }
}
