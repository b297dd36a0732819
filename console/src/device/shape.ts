import type { Attributes, Model, ResourceModel } from "../api/types.ts";
import { formatPath, parsePath } from "../lib/path.ts";
import { kindOf, kindOfValue, type Kind } from "../lib/value.ts";
import type { Cell, Cells } from "../live/reducer.ts";

/**
 * What the page draws for an instance: the definition and what the device told, put together. Pure. `heard` says
 * that the instance was read as a whole.
 */

export interface ResourceShape {
  id: number;
  path: string;
  name: string;
  kind: Kind;
  units: string;
  range: string;
  description: string;
  /** The type the device sent, when no definition says it: the server needs it to write. */
  heardType: string | undefined;
  multiple: boolean;
  readable: boolean;
  writable: boolean;
  executable: boolean;
  cell: Cell | undefined;
  /** Resource instances, when there are any. */
  parts: { id: number; path: string; cell: Cell }[];
  attributes: Attributes | undefined;
  /** Whether the device has it: "maybe" until it was asked. */
  presence: "yes" | "no" | "maybe";
}

export function shapeInstance(
  object: number, instance: number, model: Model | null, cells: Cells, links: ReadonlyMap<string, Attributes>,
  heard: boolean,
): ResourceShape[] {
  const base = formatPath(object, instance);
  const ids = new Set<number>(model?.resources.map((r) => r.id));
  let discovered = false;
  for (const path of cells.keys()) collect(path, base, ids);
  for (const path of links.keys()) discovered = collect(path, base, ids) || discovered;
  const models = new Map(model?.resources.map((r) => [r.id, r]));
  return [...ids]
    .sort((a, b) => a - b)
    .map((id) => shape(formatPath(object, instance, id), id, models.get(id), cells, links, heard, discovered));
}

function collect(path: string, base: string, ids: Set<number>): boolean {
  if (!path.startsWith(base + "/")) return false;
  const id = parsePath(path)?.[2];
  if (id === undefined) return false;
  ids.add(id);
  return true;
}

function shape(
  path: string, id: number, model: ResourceModel | undefined, cells: Cells, links: ReadonlyMap<string, Attributes>,
  heard: boolean, discovered: boolean,
): ResourceShape {
  const cell = cells.get(path);
  const parts = [];
  for (const [p, c] of cells) {
    if (p.startsWith(path + "/")) parts.push({ id: parsePath(p)?.[3] ?? 0, path: p, cell: c });
  }
  parts.sort((a, b) => a.id - b.id);
  const operations = model?.operations ?? "RWE";
  const sample = cell ?? parts[0]?.cell;
  const seen = sample !== undefined || links.has(path);
  // A Read of the instance names all that is readable; Discover names the rest too.
  const ruledOut = discovered || (heard && operations.includes("R"));
  const typed = kindOf(model?.type ?? sample?.record.type);
  return {
    id,
    path,
    name: model?.name ?? `Resource ${id}`,
    kind: typed === "none" && !model ? kindOfValue(sample?.record.value) : typed,
    units: unitsOf(path, model?.units, cells),
    range: model?.range ?? "",
    description: model?.description ?? "",
    heardType: model ? undefined : sample?.record.type,
    multiple: model?.multiple ?? parts.length > 0,
    readable: operations.includes("R"),
    writable: operations.includes("W"),
    executable: operations.includes("E") && (model !== undefined || sample === undefined),
    cell,
    parts,
    attributes: links.get(path),
    presence: seen ? "yes" : ruledOut ? "no" : "maybe",
  };
}

/** IPSO sensors measure in whatever their resource 5701, Sensor Units, tells. */
const SENSOR_UNITS = 5701;
const IN_SENSOR_UNITS = [5601, 5602, 5603, 5604, 5700];

/** The unit by the definition, or what the sensor itself tells. */
export function unitsOf(path: string, defined: string | undefined, cells: Cells): string {
  if (defined) return defined;
  const [object, instance, resource] = parsePath(path) ?? [];
  if (object === undefined || instance === undefined || !IN_SENSOR_UNITS.includes(resource ?? 0)) return "";
  const told = cells.get(formatPath(object, instance, SENSOR_UNITS))?.record.value;
  return typeof told === "string" ? told : "";
}

/** SenML and UCUM-like codes as people know them; others are shown as they are. */
const UNITS: Record<string, string> = { Cel: "°C", "%RH": "% RH", "/100": "%", "Cel/m": "°C/m", lx: "lx", deg: "°" };

export function unitLabel(units: string | undefined): string {
  return UNITS[units ?? ""] ?? units ?? "";
}
