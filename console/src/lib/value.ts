import type { Scalar } from "../api/types.ts";
import { base64ToBytes, bytesToBase64, bytesToHex, hexToBytes } from "./base64.ts";
import { absoluteTime, fromLocalInput, toLocalInput } from "./time.ts";

/** The kinds of value a person sees and types; several LwM2M types share one. */
export type Kind = "string" | "integer" | "unsigned" | "float" | "boolean" | "opaque" | "time" | "objlnk" | "corelnk" | "none";

const KINDS: Record<string, Kind> = {
  string: "string",
  integer: "integer",
  "unsigned integer": "unsigned",
  unsigned: "unsigned",
  float: "float",
  boolean: "boolean",
  opaque: "opaque",
  time: "time",
  objlnk: "objlnk",
  corelnk: "corelnk",
};

export function kindOf(type: string | undefined): Kind {
  return KINDS[(type ?? "").trim().toLowerCase()] ?? "none";
}

/** A guess for a resource that no model describes, from the value the device sent. */
export function kindOfValue(value: Scalar | null | undefined): Kind {
  if (typeof value === "boolean") return "boolean";
  if (typeof value === "number") return "float";
  return "string";
}

export function isNumeric(kind: Kind): boolean {
  return kind === "integer" || kind === "unsigned" || kind === "float";
}

/** How a value reads on the page; units are added by the caller. */
export function formatValue(kind: Kind, value: Scalar): string {
  if (typeof value === "boolean") return value ? "true" : "false";
  if (typeof value === "number") {
    if (kind === "time") return absoluteTime(value);
    return formatNumber(value);
  }
  if (kind === "opaque") {
    const bytes = base64ToBytes(value);
    if (!bytes) return value;
    if (bytes.length === 0) return "0 bytes";
    const shown = bytesToHex(bytes.subarray(0, 24)).replace(/(..)(?=.)/g, "$1 ");
    return `${shown}${bytes.length > 24 ? " …" : ""}`;
  }
  return value;
}

/** Up to seven significant digits: what a 32-bit float holds, without its noise. */
export function formatNumber(value: number): string {
  if (Number.isInteger(value)) return String(value);
  return String(Number(value.toPrecision(7)));
}

export type Encoding = "hex" | "base64" | "text";
export type Parsed = { ok: true; value: Scalar } | { ok: false; why: string };

/** What a person typed, as the value the API takes; the reason in words when it cannot be one. */
export function parseInput(kind: Kind, text: string, encoding: Encoding = "hex"): Parsed {
  const trimmed = text.trim();
  switch (kind) {
    case "integer":
    case "unsigned": {
      if (!/^[+-]?\d+$/.test(trimmed)) return bad("A whole number is needed, such as 42.");
      const value = Number(trimmed);
      if (kind === "unsigned" && value < 0) return bad("This number cannot be negative.");
      // JSON numbers in a browser are doubles: beyond this the API takes the digits.
      if (!Number.isSafeInteger(value)) {
        const digits = BigInt(trimmed.replace("+", ""));
        const wrapped = kind === "unsigned" ? BigInt.asUintN(64, digits) : BigInt.asIntN(64, digits);
        return wrapped === digits ? good(String(digits)) : bad("This number has more than 64 bits.");
      }
      return good(value === 0 ? 0 : value);
    }
    case "float": {
      if (/^(nan|[+-]?inf(inity)?)$/i.test(trimmed)) return good(trimmed);
      if (trimmed === "" || !Number.isFinite(Number(trimmed))) return bad("A number is needed, such as 21.5.");
      return good(Number(trimmed));
    }
    case "boolean":
      if (/^(true|1|on|yes)$/i.test(trimmed)) return good(true);
      if (/^(false|0|off|no)$/i.test(trimmed)) return good(false);
      return bad("Choose true or false.");
    case "time": {
      if (/^-?\d+$/.test(trimmed)) return good(Number(trimmed));
      const time = fromLocalInput(trimmed);
      return time === null ? bad("A date and a time are needed.") : good(time);
    }
    case "objlnk": {
      const match = /^(\d{1,5}):(\d{1,5})$/.exec(trimmed);
      if (!match || Number(match[1]) > 65535 || Number(match[2]) > 65535) {
        return bad("An object link is object:instance, such as 3303:0.");
      }
      return good(trimmed);
    }
    case "opaque": {
      if (encoding === "text") return good(bytesToBase64(new TextEncoder().encode(text)));
      const bytes = encoding === "hex" ? hexToBytes(text) : base64ToBytes(text);
      if (!bytes) return bad(encoding === "hex" ? "Hex digits in pairs are needed, such as 0a ff." : "This is not base64.");
      return good(bytesToBase64(bytes));
    }
    default:
      return good(text);
  }
}

/** The text an input starts with when a value is edited. */
export function toInput(kind: Kind, value: Scalar | null | undefined): string {
  if (value === undefined || value === null) return kind === "boolean" ? "false" : "";
  if (kind === "time" && typeof value === "number") return toLocalInput(value);
  if (kind === "opaque" && typeof value === "string") {
    const bytes = base64ToBytes(value);
    return bytes ? bytesToHex(bytes) : value;
  }
  return String(value);
}

function good(value: Scalar): Parsed {
  return { ok: true, value };
}

function bad(why: string): Parsed {
  return { ok: false, why };
}
