import type { Attributes } from "../api/types.ts";

/** The notification attributes (Core 1.2 §7.3.2) and how a form changes them. Pure. */

export interface AttributeField {
  name: string;
  label: string;
  unit: string;
  integer: boolean;
}

const PERIODS: AttributeField[] = [
  { name: "pmin", label: "wait at least", unit: "seconds", integer: true },
  { name: "pmax", label: "notify at least every", unit: "seconds", integer: true },
  { name: "epmin", label: "sample at most every", unit: "seconds", integer: true },
  { name: "epmax", label: "sample at least every", unit: "seconds", integer: true },
  { name: "con", label: "ask for a receipt", unit: "0 or 1", integer: true },
  { name: "hqmax", label: "keep while offline", unit: "notifications", integer: true },
];
const THRESHOLDS: AttributeField[] = [
  { name: "gt", label: "when it rises above", unit: "value", integer: false },
  { name: "lt", label: "when it falls below", unit: "value", integer: false },
  { name: "st", label: "when it moves by", unit: "step", integer: false },
];
const EDGE: AttributeField[] = [{ name: "edge", label: "when it turns true (1) or false (0)", unit: "0 or 1", integer: true }];

export function attributeFields(numeric: boolean): AttributeField[] {
  return numeric ? [...PERIODS.slice(0, 2), ...THRESHOLDS, ...PERIODS.slice(2)] : [...PERIODS.slice(0, 2), ...EDGE, ...PERIODS.slice(2)];
}

/** What to send: the changed ones, null for those taken away; or what is wrong, in words. */
export function diffAttributes(fields: AttributeField[], before: Attributes, texts: Record<string, string>): Attributes | string {
  const changed: Attributes = {};
  for (const field of fields) {
    const text = (texts[field.name] ?? "").trim();
    const old = before[field.name] == null ? "" : String(before[field.name]);
    if (text === old) continue;
    if (text === "") {
      changed[field.name] = null;
      continue;
    }
    const value = Number(text);
    if (!Number.isFinite(value)) return `${field.name} needs a number.`;
    if (field.integer && (!Number.isInteger(value) || value < 0)) return `${field.name} needs a whole number, 0 or more.`;
    changed[field.name] = value;
  }
  const pmin = changed.pmin === undefined ? before.pmin : changed.pmin;
  const pmax = changed.pmax === undefined ? before.pmax : changed.pmax;
  // The device would ignore such a pmax (Core 1.2 §7.3.2): better said now. Zero means "not used".
  if (pmin != null && pmax != null && Number(pmax) > 0 && Number(pmin) > Number(pmax)) return "pmin cannot be above pmax.";
  return changed;
}
