import { batch, signal } from "@preact/signals";
import { api, asProblem, Problem, Queued } from "../api/client.ts";
import type {
  Attributes, Device, FirmwareJob, Link, LiveEvent, LwRecord, Observation, Operation, Scalar, SentPack,
} from "../api/types.ts";
import { serverNow } from "../lib/clock.ts";
import { covers, formatPath, parsePath } from "../lib/path.ts";
import { readFormat, readTimeout } from "../lib/settings.ts";
import {
  appendLog, applyRecords, isFinished, removeBelow, replaceBelow, withInstance, withOperation, type Cells, type LogEntry,
} from "../live/reducer.ts";
import { openStream } from "../live/stream.ts";
import { History } from "./history.ts";

/** What became of the last operation on a path; shown in place. */
export type Outcome =
  | { kind: "busy"; label: string }
  | { kind: "done"; label: string; code: string; ms: number }
  | { kind: "queued"; label: string; id: string }
  | { kind: "problem"; label: string; problem: Problem };

const LOG_MAX = 300;
const SENDS_MAX = 200;
const RECOUNT_MS = 300;
// Long enough to be read, short enough not to be taken for the next operation's result.
const DONE_SHOWN_MS = 5000;

/** Everything a device page knows and can do. Opened with the page, closed when it leaves. */
export class Session {
  readonly device = signal<Device | null>(null);
  /** Why there is no device to show: unknown, or the server is away. */
  readonly missing = signal<Problem | null>(null);
  readonly gone = signal<"deregistered" | "expired" | null>(null);
  readonly cells = signal<Cells>(new Map());
  /** What was read as a whole: there, what is not named is not there. */
  readonly wholes = signal<ReadonlySet<string>>(new Set());
  readonly links = signal<ReadonlyMap<string, Attributes>>(new Map());
  readonly outcomes = signal<ReadonlyMap<string, Outcome>>(new Map());
  readonly observations = signal<Observation[]>([]);
  readonly log = signal<LogEntry[]>([]);
  /** null until it was asked for: what nobody looks at is not fetched. */
  readonly operations = signal<Operation[] | null>(null);
  readonly sends = signal<SentPack[] | null>(null);
  /** undefined until it was asked for, null when there is none. */
  readonly firmware = signal<FirmwareJob | null | undefined>(undefined);
  readonly history: History;
  private readonly opened = new Set<number>();
  private readonly close: () => void;
  private recount: ReturnType<typeof setTimeout> | null = null;
  private ended = false;

  constructor(readonly endpoint: string) {
    this.history = History.of(endpoint);
    this.close = openStream(endpoint, {
      onEvents: (events) => this.take(events),
      onGap: () => void this.refresh(),
    });
    void this.refresh();
  }

  end(): void {
    this.ended = true;
    this.close();
  }

  async refresh(): Promise<void> {
    try {
      const device = await api.device(this.endpoint);
      if (this.ended) return;
      batch(() => {
        this.device.value = device;
        this.missing.value = null;
        this.gone.value = null;
      });
    } catch (error) {
      const problem = asProblem(error);
      if (problem.status === 404) this.device.value = null;
      if (!this.device.value) this.missing.value = problem;
      return;
    }
    await this.refreshObservations();
    if (this.operations.value) await this.loadOperations();
    if (this.sends.value) await this.loadSends();
    if (this.firmware.value !== undefined) await this.loadFirmware();
  }

  async loadOperations(): Promise<Problem | null> {
    return this.load(async () => void (this.operations.value = (await api.operations(this.endpoint)).items));
  }

  async loadSends(): Promise<Problem | null> {
    return this.load(async () => void (this.sends.value = (await api.sends(this.endpoint)).items));
  }

  async loadFirmware(): Promise<Problem | null> {
    return this.load(async () => {
      this.firmware.value = await api.firmware(this.endpoint).catch((error: unknown) => {
        if (error instanceof Problem && error.status === 404) return null;
        throw error;
      });
    });
  }

  private async load(work: () => Promise<void>): Promise<Problem | null> {
    try {
      await work();
      return null;
    } catch (error) {
      return asProblem(error);
    }
  }

  private async refreshObservations(): Promise<void> {
    try {
      const page = await api.observations(this.endpoint);
      batch(() => {
        this.observations.value = page.items;
        for (const wish of page.items) {
          this.cells.value = applyRecords(this.cells.value, wish.records, wish.updatedAt ?? serverNow());
          if (wish.updatedAt !== null) this.history.add(wish.records, wish.updatedAt);
        }
      });
    } catch {
      // The stream or the next refresh brings them; the page works without.
    }
  }

  /** Events of the stream, in order. */
  private take(events: LiveEvent[]): void {
    batch(() => {
      for (const event of events) this.apply(event);
      this.log.value = appendLog(this.log.value, events, LOG_MAX);
    });
  }

  private apply(event: LiveEvent): void {
    switch (event.name) {
      case "registration":
      case "update":
        if (event.device) this.device.value = event.device;
        this.gone.value = null;
        this.missing.value = null;
        // A wish becomes pending and then active again with each registration.
        if (event.name === "registration") void this.refreshObservations();
        return;
      case "deregistration":
      case "expiry":
        this.gone.value = event.name === "expiry" ? "expired" : "deregistered";
        return;
      case "notification": {
        const records = event.records ?? [];
        this.cells.value = applyRecords(this.cells.value, records, event.time);
        this.history.add(records, event.time);
        this.observations.value = this.observations.value.map((wish) =>
          wish.id === event.observation
            ? { ...wish, state: "active" as const, error: null, records, updatedAt: event.time }
            : wish,
        );
        return;
      }
      case "send": {
        const records = event.records ?? [];
        this.cells.value = applyRecords(this.cells.value, records, event.time);
        this.history.add(records, event.time);
        if (this.sends.value) this.sends.value = [{ time: event.time, records }, ...this.sends.value].slice(0, SENDS_MAX);
        return;
      }
      case "operation":
        if (event.operation) this.applyOperation(event.operation);
        return;
      case "firmware":
        if (event.firmware) this.firmware.value = event.firmware;
    }
  }

  /** What waited for the device is done: its outcome belongs where it was asked for. */
  private applyOperation(operation: Operation): void {
    if (this.operations.value) this.operations.value = withOperation(this.operations.value, operation);
    this.recountSoon();
    if (!isFinished(operation)) return;
    for (const [path, outcome] of this.outcomes.value) {
      if (outcome.kind !== "queued" || outcome.id !== operation.id) continue;
      if (operation.state === "done") {
        this.setOutcome(path, { kind: "done", label: outcome.label, code: operation.result?.code ?? "", ms: 0 });
      } else {
        const { title = operation.state, detail = "", coapCode = null } = operation.error ?? {};
        this.setOutcome(path, { kind: "problem", label: outcome.label, problem: new Problem(0, title, detail, coapCode) });
      }
    }
    const records = operation.result?.records ?? [];
    this.cells.value = applyRecords(this.cells.value, records, serverNow());
  }

  /** How many operations wait is the server's to say; a burst of them should not become a burst of requests. */
  private recountSoon(): void {
    this.recount ??= setTimeout(() => {
      this.recount = null;
      if (this.ended) return;
      api.device(this.endpoint).then((device) => (this.device.value = device), () => undefined);
    }, RECOUNT_MS);
  }

  /** Runs an operation and keeps its outcome at the path. Never throws. */
  private async run<T extends object | null>(
    path: string, label: string, operation: () => Promise<T>, quiet = false,
  ): Promise<T | undefined> {
    const start = performance.now();
    if (!quiet) this.setOutcome(path, { kind: "busy", label });
    try {
      const result = await operation();
      if (!quiet) {
        const done: Outcome = { kind: "done", label, code: codeOf(result), ms: performance.now() - start };
        this.setOutcome(path, done);
        setTimeout(() => this.outcomes.value.get(path) === done && this.setOutcome(path, null), DONE_SHOWN_MS);
      }
      return result;
    } catch (error) {
      if (error instanceof Queued) this.setOutcome(path, { kind: "queued", label, id: error.operation.id });
      else if (!quiet) this.setOutcome(path, { kind: "problem", label, problem: asProblem(error) });
      return undefined;
    }
  }

  setOutcome(path: string, outcome: Outcome | null): void {
    const next = new Map(this.outcomes.value);
    if (outcome) next.set(path, outcome);
    else next.delete(path);
    this.outcomes.value = next;
  }

  async read(path: string, quiet = false): Promise<boolean> {
    const options = { format: readFormat.value, timeout: readTimeout.value };
    const result = await this.run(path, "Read", () => api.read(this.endpoint, path, options), quiet);
    if (!result) return false;
    batch(() => {
      const time = serverNow();
      this.wholes.value = new Set([...this.wholes.value, path]);
      this.cells.value = replaceBelow(this.cells.value, path, result.records, time);
      if (this.isObserved(path)) this.history.add(result.records, time);
    });
    return true;
  }

  /** First look at an object: what is there, and its values. Once a session; the device's energy is not ours. */
  async open(object: number, instances: number[]): Promise<void> {
    if (this.opened.has(object)) return;
    this.opened.add(object);
    for (const instance of instances) {
      // A device that does not answer once is not asked again and again.
      if (this.ended || !(await this.read(formatPath(object, instance)))) return;
    }
    // Discover is a courtesy here: many devices lack it, and Read tells nearly as much.
    if (!this.ended) await this.discover(`/${object}`, true);
  }

  async discover(path: string, quiet = false): Promise<Link[] | null> {
    const result = await this.run(path, "Discover", () => api.discover(this.endpoint, path), quiet);
    if (!result) return null;
    const links = new Map(removeBelow(this.links.value, path));
    for (const link of result.links) links.set(link.path, link.attributes);
    this.links.value = links;
    return result.links;
  }

  async write(path: string, value: Scalar, how: { type?: string | undefined; readBack: boolean }): Promise<boolean> {
    const done = await this.run(path, "Write", () => api.write(this.endpoint, path, value, how.type));
    // What the device made of the value is for the device to say.
    if (done && how.readBack) await this.read(path, true);
    return done !== undefined;
  }

  async addResourceInstance(resource: string, record: LwRecord): Promise<boolean> {
    const done = await this.run(resource, "Write", () => api.update(this.endpoint, resource, [record]));
    if (done) await this.read(resource, true);
    return done !== undefined;
  }

  async execute(path: string, args: string): Promise<boolean> {
    return (await this.run(path, "Execute", () => api.execute(this.endpoint, path, args))) !== undefined;
  }

  /** The refusal, or null when it was created. */
  async create(object: number, instance: number | null, records: LwRecord[]): Promise<Problem | null> {
    try {
      const done = await api.create(this.endpoint, object, instance, records);
      const id = done.location ? parsePath(done.location)?.[1] : instance;
      if (id !== undefined && id !== null) {
        if (this.device.value) this.device.value = withInstance(this.device.value, object, id, true);
        void this.discover(`/${object}`, true);
        void this.read(formatPath(object, id));
      }
      return null;
    } catch (error) {
      return asProblem(error);
    }
  }

  async remove(path: string): Promise<boolean> {
    const done = await this.run(path, "Delete", () => api.remove(this.endpoint, path));
    if (!done) return false;
    const [object, instance] = parsePath(path) ?? [];
    batch(() => {
      this.cells.value = removeBelow(this.cells.value, path);
      this.links.value = removeBelow(this.links.value, path);
      if (this.device.value && object !== undefined && instance !== undefined) {
        this.device.value = withInstance(this.device.value, object, instance, false);
      }
    });
    return true;
  }

  async writeAttributes(path: string, attributes: Attributes): Promise<Problem | null> {
    try {
      const done = await api.writeAttributes(this.endpoint, path, attributes);
      this.setOutcome(path, { kind: "done", label: "Write attributes", code: done.code, ms: 0 });
      const [object] = parsePath(path) ?? [];
      await this.discover(`/${object}`, true);
      return null;
    } catch (error) {
      return asProblem(error);
    }
  }

  observation(path: string): Observation | undefined {
    return this.observations.value.find((wish) => !wish.paths?.length && wish.path === path);
  }

  wasRead(path: string): boolean {
    return [...this.wholes.value].some((whole) => covers(whole, path));
  }

  isObserved(path: string): boolean {
    return this.observations.value.some((wish) =>
      wish.paths?.length ? wish.paths.some((one) => covers(one, path)) : covers(wish.path, path));
  }

  async toggleObserve(path: string): Promise<void> {
    const wish = this.observation(path);
    if (wish) {
      const result = await this.run(path, "Stop observing", () => api.cancel(this.endpoint, wish.id));
      if (result !== undefined) this.observations.value = this.observations.value.filter((o) => o.id !== wish.id);
      return;
    }
    const made = await this.run(path, "Observe", async () => ({ wish: await api.observe(this.endpoint, path) }));
    if (made) this.keepWish(made.wish);
  }

  private keepWish(wish: Observation): void {
    batch(() => {
      const time = wish.updatedAt ?? serverNow();
      this.observations.value = [...this.observations.value.filter((o) => o.id !== wish.id), wish];
      this.cells.value = applyRecords(this.cells.value, wish.records, time);
      this.history.add(wish.records, time);
    });
  }

  /** Read-Composite; its outcome stands at the root path. */
  async readTogether(paths: string[]): Promise<LwRecord[] | undefined> {
    const result = await this.run("/", "Read-Composite", () => api.readTogether(this.endpoint, paths));
    if (!result) return undefined;
    this.cells.value = applyRecords(this.cells.value, result.records, serverNow());
    return result.records;
  }

  async writeTogether(records: LwRecord[]): Promise<boolean> {
    return (await this.run("/", "Write-Composite", () => api.writeTogether(this.endpoint, records))) !== undefined;
  }

  async observeTogether(paths: string[]): Promise<void> {
    const made = await this.run("/", "Observe-Composite", async () => ({ wish: await api.observeTogether(this.endpoint, paths) }));
    if (made) this.keepWish(made.wish);
  }

  async stopObserving(wish: Observation): Promise<void> {
    const result = await this.run("/", "Stop observing", () => api.cancel(this.endpoint, wish.id));
    if (result !== undefined) this.observations.value = this.observations.value.filter((o) => o.id !== wish.id);
  }

  async enqueue(operation: Record<string, unknown>): Promise<Problem | null> {
    return this.load(async () => this.applyOperation(await api.enqueue(this.endpoint, operation)));
  }

  async cancelOperation(id: string): Promise<Problem | null> {
    return this.load(async () => {
      await api.cancelOperation(this.endpoint, id);
      await this.loadOperations();
    });
  }

  async startFirmware(image: string, method: string, install: boolean): Promise<Problem | null> {
    return this.load(async () => void (this.firmware.value = await api.startFirmware(this.endpoint, image, method, install)));
  }

  async stopFirmware(): Promise<Problem | null> {
    return this.load(async () => {
      await api.stopFirmware(this.endpoint);
      await this.loadFirmware();
    });
  }

  async forget(): Promise<Problem | null> {
    try {
      await api.forget(this.endpoint);
      return null;
    } catch (error) {
      return asProblem(error);
    }
  }
}

function codeOf(result: object | null): string {
  return result !== null && "code" in result && typeof result.code === "string" ? result.code : "";
}
