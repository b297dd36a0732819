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
  attributes: Attributes;
  state: "active" | "pending" | "failed";
  error: string | null;
  records: LwRecord[];
  updatedAt: number | null;
}

export const EVENT_NAMES = ["registration", "update", "deregistration", "expiry", "notification"] as const;
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
