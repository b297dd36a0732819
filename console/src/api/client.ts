import type {
  Attributes, Authority, Credential, Device, Done, FirmwareImage, FirmwareJob, Health, ImportReport, Link, LwRecord, Model, ModelSummary, NewCredential, Observation,
  Operation, OwnKey, Page, ReadResult, Scalar, SentPack, TraceItem,
} from "./types.ts";
import { API, dataUrl, deviceUrl, query } from "../lib/path.ts";
import { learnClock } from "../lib/clock.ts";

/** A refusal, as RFC 9457 problem details; `coapCode` is the device's own answer when it gave one. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    readonly detail: string,
    readonly coapCode: string | null = null,
  ) {
    super(`${title}: ${detail}`);
  }
}

/** The device sleeps: what was asked for waits in the server, and its result comes by the stream of events. */
export class Queued extends Error {
  constructor(readonly operation: Operation) {
    super("The device sleeps; the operation waits for it.");
  }
}

export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  return new Problem(0, "The console failed", error instanceof Error ? error.message : String(error));
}

async function call<T>(method: string, url: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  const { response, json } = await answer(method, url, body, signal);
  if (response.status === 202) throw new Queued(json as Operation);
  return json as T;
}

async function answer(
  method: string, url: string, body?: unknown, signal?: AbortSignal,
): Promise<{ response: Response; json: unknown }> {
  const raw = body instanceof Blob;
  let response: Response;
  try {
    response = await fetch(url, {
      method,
      headers: body === undefined ? { accept: "application/json" } : {
        accept: "application/json",
        "content-type": raw ? "application/octet-stream" : "application/json",
      },
      body: body === undefined ? undefined : raw ? body : JSON.stringify(body),
      signal: signal ?? null,
    });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Problem(0, "Server not reachable", "Dunlin did not answer. Is it running? The console retries by itself.");
  }
  learnClock(response.headers.get("date"));
  const text = await response.text();
  let json: unknown = null;
  try {
    json = text ? JSON.parse(text) : null;
  } catch {
    // Handled below: a proxy in between may answer with a page of its own.
  }
  if (!response.ok) throw problemOf(response, json, text);
  return { response, json };
}

function problemOf(response: Response, json: unknown, text: string): Problem {
  const p = (typeof json === "object" && json !== null ? json : {}) as Record<string, unknown>;
  const str = (key: string): string | null => (typeof p[key] === "string" ? (p[key] as string) : null);
  return new Problem(
    response.status,
    str("title") ?? (response.statusText || `HTTP ${response.status}`),
    str("detail") ?? (json === null ? text.slice(0, 300) : ""),
    str("coapCode"),
  );
}

export interface ReadOptions {
  format?: string;
  timeout?: string;
}

export const api = {
  health: () => call<Health>("GET", `${API}/health`),
  devices: (q: string, limit: number, cursor: string | null, signal?: AbortSignal) =>
    call<Page<Device>>("GET", `${API}/devices${query({ q, limit, cursor })}`, undefined, signal),
  device: (ep: string) => call<Device>("GET", deviceUrl(ep)),
  forget: (ep: string) => call<null>("DELETE", deviceUrl(ep)),

  read: (ep: string, path: string, options: ReadOptions) =>
    call<ReadResult>("GET", dataUrl(ep, path, { ...options })),
  /** `type` is for resources that no definition knows. */
  write: (ep: string, path: string, value: Scalar, type?: string) =>
    call<Done>("PUT", dataUrl(ep, path), { value, type }),
  update: (ep: string, path: string, records: LwRecord[]) => call<Done>("PATCH", dataUrl(ep, path), { records }),
  execute: (ep: string, path: string, args: string) =>
    call<Done>("POST", dataUrl(ep, path), args === "" ? undefined : { arguments: args }),
  create: (ep: string, object: number, instance: number | null, records: LwRecord[]) =>
    call<Done>("POST", dataUrl(ep, `/${object}`), instance === null ? { records } : { instance, records }),
  remove: (ep: string, path: string) => call<Done>("DELETE", dataUrl(ep, path)),

  discover: (ep: string, path: string) =>
    call<{ code: string; links: Link[] }>("GET", `${deviceUrl(ep)}/discover${path}`),
  writeAttributes: (ep: string, path: string, attributes: Attributes) =>
    call<Done>("PUT", `${deviceUrl(ep)}/attributes${path}`, attributes),

  observations: (ep: string) => call<Page<Observation>>("GET", `${deviceUrl(ep)}/observations`),
  observe: (ep: string, path: string) => call<Observation>("POST", `${deviceUrl(ep)}/observations`, { path }),
  observeTogether: (ep: string, paths: string[]) =>
    call<Observation>("POST", `${deviceUrl(ep)}/observations`, { paths }),
  cancel: (ep: string, id: string) =>
    call<null>("DELETE", `${deviceUrl(ep)}/observations/${encodeURIComponent(id)}`),

  readTogether: (ep: string, paths: string[]) =>
    call<ReadResult>("POST", `${deviceUrl(ep)}/composite/read`, { paths }),
  writeTogether: (ep: string, records: LwRecord[]) => call<Done>("POST", `${deviceUrl(ep)}/composite/write`, { records }),

  operations: (ep: string) => call<Page<Operation>>("GET", `${deviceUrl(ep)}/operations`),
  enqueue: (ep: string, operation: Record<string, unknown>) =>
    call<Operation>("POST", `${deviceUrl(ep)}/operations`, operation),
  cancelOperation: (ep: string, id: string) =>
    call<null>("DELETE", `${deviceUrl(ep)}/operations/${encodeURIComponent(id)}`),

  sends: (ep: string) => call<{ items: SentPack[] }>("GET", `${deviceUrl(ep)}/sends`),

  images: () => call<{ items: FirmwareImage[] }>("GET", `${API}/firmware`),
  addImage: (file: File) => call<FirmwareImage>("POST", `${API}/firmware${query({ name: file.name })}`, file),
  firmware: (ep: string) => call<FirmwareJob>("GET", `${deviceUrl(ep)}/firmware`),
  /** 202 is the rule here: the job goes on by itself. */
  startFirmware: async (ep: string, image: string, method: string, install: boolean) =>
    (await answer("POST", `${deviceUrl(ep)}/firmware`, { image, method, install })).json as FirmwareJob,
  stopFirmware: (ep: string) => call<null>("DELETE", `${deviceUrl(ep)}/firmware`),

  credentials: (q: string, limit: number, cursor: string | null, signal?: AbortSignal) =>
    call<Page<Credential>>("GET", `${API}/credentials${query({ q, limit, cursor })}`, undefined, signal),
  addCredential: (body: NewCredential) => call<Credential>("POST", `${API}/credentials`, body),
  rotateCredential: (id: string, body: NewCredential) =>
    call<Credential>("POST", `${API}/credentials/${encodeURIComponent(id)}/rotate`, body),
  removeCredential: (id: string) => call<null>("DELETE", `${API}/credentials/${encodeURIComponent(id)}`),
  importCredentials: (file: File) => call<ImportReport>("POST", `${API}/credentials/import`, file),
  authorities: () => call<Page<Authority>>("GET", `${API}/credentials/trust`),
  trust: (certificate: string) => call<Page<Authority>>("POST", `${API}/credentials/trust`, { certificate }),
  distrust: (id: string) => call<null>("DELETE", `${API}/credentials/trust/${encodeURIComponent(id)}`),
  ownKey: () => call<OwnKey>("GET", `${API}/credentials/server`),

  trace: (ep: string) => call<{ items: TraceItem[] }>("GET", `${deviceUrl(ep)}/trace`),

  models: () => call<{ items: ModelSummary[] }>("GET", `${API}/models`),
  model: (id: number, version: string | null) => call<Model>("GET", `${API}/models/${id}${query({ version })}`),
};
