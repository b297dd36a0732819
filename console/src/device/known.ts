import type { Device, LwRecord, ResourceModel } from "../api/types.ts";
import { parsePath } from "../lib/path.ts";
import { kindOf, kindOfValue, parseInput, type Kind } from "../lib/value.ts";
import type { Cells } from "../live/reducer.ts";
import { objectModel } from "../models/store.ts";

/** What is known of a path from the definitions and from what the device told. */

export function resourceOf(path: string, device: Device): ResourceModel | undefined {
  const [object, , resource] = parsePath(path) ?? [];
  if (object === undefined || resource === undefined) return undefined;
  const version = device.objects.find((o) => o.id === object)?.version;
  return objectModel(object, version).value?.resources.find((r) => r.id === resource);
}

export function kindAt(path: string, device: Device, cells: Cells): Kind {
  const typed = kindOf(resourceOf(path, device)?.type ?? cells.get(path)?.record.type);
  return typed === "none" ? kindOfValue(cells.get(path)?.record.value ?? "") : typed;
}

/** A record from what a person typed, or what is wrong with it, in words. */
export function typedRecord(path: string, text: string, device: Device, cells: Cells): LwRecord | string {
  const kind = kindAt(path, device, cells);
  const parsed = parseInput(kind, text);
  if (!parsed.ok) return `${path}: ${parsed.why}`;
  return { path, value: parsed.value };
}
