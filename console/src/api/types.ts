/** The REST API's shapes, as `/api/v1/openapi.json` describes them. Times are Unix seconds. */

export type Scalar = string | number | boolean;
export type Attributes = Record<string, string | number | null>;

export interface ObjectEntry {
  id: number;
  version?: string | null;
  instances: number[];
}

export interface Device {
  endpoint: string;
  registrationId: string;
  version: string;
  lifetime: number;
  binding: string;
  queueMode: boolean;
  sms: string | null;
  address: string;
  rootPath: string;
  contentFormats: number[];
  registeredAt: number;
  updatedAt: number;
  expiresAt: number | null;
  objects: ObjectEntry[];
  attributes: Record<string, string>;
  faults: string[];
  /** What it has proven; null without security. */
  security?: { mode: string; identity: string } | null;
  /** For a device in queue mode: whether it listens now, until when, and for how long after each contact. */
  awake?: boolean;
  awakeUntil?: number | null;
  awakeTime?: number;
  /** Operations that wait for it. */
  queued?: number;
}

/** By what a device proves who it is; without what is secret in it. */
export interface Credential {
  id: string;
  endpoint: string;
  mode: "psk" | "rpk" | "x509";
  psk?: {
    /** null when it is no text. */
    identity: string | null;
    identityHex: string;
    keyBytes: number;
    /** Only when the server has just drawn it. */
    key?: string;
  };
  rpk?: { publicKey: string; sha256: string };
  x509?: { certificate: string; sha256: string };
  revision: number;
  createdAt: number;
  rotatedAt: number | null;
  /** Only in the answer that made it. */
  warning?: string;
}

export interface NewCredential {
  endpoint?: string;
  psk?: { identity?: string; key?: string };
  rpk?: { publicKey: string };
  x509?: { certificate: string };
}

export interface ImportReport {
  imported: number;
  failed: number;
  lines: { line: number; ok: boolean; id?: string; endpoint?: string; key?: string; warning?: string; error?: string }[];
}

/** Whose certificates devices may show. */
export interface Authority {
  id: string;
  name: string;
  certificate: string;
  sha256: string;
  notBefore: number;
  notAfter: number;
  createdAt: number;
}

/** What devices know the server by. */
export interface OwnKey {
  publicKey: string;
  publicKeyPem: string;
  sha256: string;
  certificates: string | null;
  createdAt: number;
}

export interface Page<T> {
  items: T[];
  next: string | null;
  total?: number;
}

export interface LwRecord {
  path: string;
  type?: string;
  /** null: a multiple resource without instances. */
  value: Scalar | null;
  time?: number;
}

export interface ReadResult {
  code: string;
  format?: number;
  records: LwRecord[];
}

export interface Done {
  code: string;
  location?: string;
}

export interface Link {
  path: string;
  attributes: Attributes;
}

export interface Observation {
  id: string;
  path: string;
  /** What an Observe-Composite asks for. */
  paths?: string[];
  attributes: Attributes;
  state: "active" | "pending" | "failed";
  error: string | null;
  records: LwRecord[];
  updatedAt: number | null;
}

export type OperationState = "queued" | "sent" | "done" | "failed" | "expired" | "cancelled";

/** Work that the server keeps for a device until it is done. */
export interface Operation {
  id: string;
  endpoint: string;
  operation: string;
  path?: string | null;
  paths?: string[] | null;
  priority: number;
  ttl: number;
  createdAt: number;
  expiresAt: number;
  finishedAt?: number | null;
  state: OperationState;
  result?: { code: string; records?: LwRecord[]; links?: Link[]; location?: string } | null;
  error?: { title: string; detail?: string; coapCode?: string | null } | null;
}

/** One Send of a device. */
export interface SentPack {
  time: number;
  records: LwRecord[];
}

export interface FirmwareImage {
  id: string;
  name: string;
  size: number;
  sha256: string;
  createdAt: number;
}

export interface FirmwareJob {
  image: string;
  method: string;
  state: string;
  stateText: string;
  /** Bytes that the device has taken. */
  sent: number;
  size: number;
  deviceState?: number | null;
  result?: number | null;
  resultText?: string | null;
  startedAt: number;
  finishedAt?: number | null;
}

/** A CoAP message that went to a device or came from it. */
export interface TraceItem {
  time: number;
  direction: "in" | "out";
  summary: string;
  /** null for a datagram that is no CoAP message. */
  code: string | null;
  type: string | null;
  messageId: number | null;
  token: string;
  options: { name: string; value: string }[];
  /** Hex. */
  payload: string;
  decoded?: string | null;
}

export const EVENT_NAMES = [
  "registration", "update", "deregistration", "expiry", "notification", "send", "operation", "firmware",
] as const;
export type EventName = (typeof EVENT_NAMES)[number];

export interface LiveEvent {
  /** The stream's id, for resuming. */
  id: string;
  name: EventName;
  endpoint: string;
  time: number;
  device?: Device;
  observation?: string;
  path?: string;
  records?: LwRecord[];
  operation?: Operation;
  firmware?: FirmwareJob;
}

export interface ModelSummary {
  id: number;
  version: string;
  name: string;
  multiple: boolean;
  mandatory: boolean;
}

export interface ResourceModel {
  id: number;
  name: string;
  operations: string;
  multiple: boolean;
  mandatory: boolean;
  type: string;
  range?: string;
  units?: string;
  description?: string;
}

export interface Model extends ModelSummary {
  description?: string;
  resources: ResourceModel[];
}

export interface Health {
  status: string;
  version: string;
  /** Where the server listens for CoAP, as in `127.0.0.1:5683`. */
  coap: string;
  devices: number;
  uptimeSeconds: number;
}
