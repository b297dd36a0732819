import assert from "node:assert/strict";
import { test } from "node:test";
import { base64ToBytes, bytesToBase64, bytesToHex, hexToBytes } from "../../src/lib/base64.ts";
import { fromLocalInput, span, ago, toLocalInput } from "../../src/lib/time.ts";
import { formatValue, kindOf, parseInput, toInput, type Encoding, type Kind } from "../../src/lib/value.ts";

function value(kind: Kind, text: string, encoding: Encoding = "hex"): unknown {
  const parsed = parseInput(kind, text, encoding);
  return parsed.ok ? parsed.value : undefined;
}

test("types of the definitions become kinds", () => {
  assert.equal(kindOf("Unsigned Integer"), "unsigned");
  assert.equal(kindOf("Objlnk"), "objlnk");
  assert.equal(kindOf(""), "none");
  assert.equal(kindOf(undefined), "none");
});

test("whole numbers", () => {
  assert.equal(value("integer", " -42 "), -42);
  assert.ok(Object.is(value("integer", "-0"), 0));
  assert.equal(value("unsigned", "7"), 7);
  for (const bad of ["", "1.5", "1e3", "x", "9223372036854775808"]) assert.equal(value("integer", bad), undefined, bad);
  for (const bad of ["-1", "18446744073709551616"]) assert.equal(value("unsigned", bad), undefined, bad);
  // Beyond what a JavaScript number holds the digits themselves go out.
  assert.equal(value("integer", "+9007199254740993"), "9007199254740993");
  assert.equal(value("integer", "-9223372036854775808"), "-9223372036854775808");
  assert.equal(value("unsigned", "18446744073709551615"), "18446744073709551615");
});

test("numbers with a fraction, and those that are none", () => {
  assert.equal(value("float", "21.5"), 21.5);
  assert.equal(value("float", "1e-3"), 0.001);
  assert.equal(value("float", "NaN"), "NaN");
  assert.equal(value("float", "-inf"), "-inf");
  for (const bad of ["", " ", "1,5", "warm"]) assert.equal(value("float", bad), undefined, bad);
});

test("booleans", () => {
  assert.equal(value("boolean", "true"), true);
  assert.equal(value("boolean", "0"), false);
  assert.equal(value("boolean", "maybe"), undefined);
});

test("times are local dates or Unix seconds", () => {
  const unix = 1795000000;
  assert.equal(value("time", toLocalInput(unix)), unix);
  assert.equal(value("time", String(unix)), unix);
  assert.equal(value("time", "soon"), undefined);
  assert.equal(fromLocalInput("2026-11-22T10:00"), new Date(2026, 10, 22, 10, 0).getTime() / 1000);
});

test("object links", () => {
  assert.equal(value("objlnk", "3303:0"), "3303:0");
  assert.equal(value("objlnk", "65535:65535"), "65535:65535");
  for (const bad of ["3303", "3303:70000", "a:b", "1:2:3"]) assert.equal(value("objlnk", bad), undefined, bad);
});

test("opaque values are typed as hex, base64 or text", () => {
  assert.equal(value("opaque", "de ad BE:ef"), "3q2+7w==");
  assert.equal(value("opaque", "0x00ff"), "AP8=");
  assert.equal(value("opaque", "3q2-7w", "base64"), "3q2+7w==");
  assert.equal(value("opaque", "é", "text"), "w6k=");
  assert.equal(value("opaque", ""), "");
  assert.equal(value("opaque", "abc"), undefined);
  assert.equal(value("opaque", "?", "base64"), undefined);
});

test("strings are taken as typed, blanks included", () => {
  assert.equal(value("string", " x "), " x ");
  assert.equal(value("corelnk", "</3/0>"), "</3/0>");
});

test("bytes survive every notation, large ones too", () => {
  const bytes = Uint8Array.from({ length: 100_000 }, (_, i) => i % 256);
  assert.deepEqual(base64ToBytes(bytesToBase64(bytes)), bytes);
  assert.deepEqual(hexToBytes(bytesToHex(bytes)), bytes);
});

test("values read well", () => {
  assert.equal(formatValue("float", 21.899999618530273), "21.9");
  assert.equal(formatValue("integer", 123456789012), "123456789012");
  assert.equal(formatValue("boolean", true), "true");
  assert.equal(formatValue("opaque", "3q2+7w=="), "de ad be ef");
  assert.equal(formatValue("opaque", ""), "0 bytes");
  assert.equal(formatValue("float", "NaN"), "NaN");
  assert.match(formatValue("time", 1795000000), /^2026-11-1\d \d\d:\d\d:\d\d$/);
});

test("an editor starts with what is there", () => {
  assert.equal(toInput("opaque", "3q2+7w=="), "deadbeef");
  assert.equal(toInput("boolean", undefined), "false");
  assert.equal(toInput("float", 1.5), "1.5");
  assert.equal(toInput("string", undefined), "");
  assert.equal(toInput("integer", null), "");
});

test("spans and ages", () => {
  assert.deepEqual([0, 59, 61, 600, 3600, 12000, 90000, 86400 * 30].map(span), ["0 s", "59 s", "1 min 1 s", "10 min", "1 h", "3 h 20 min", "1 d 1 h", "30 d"]);
  assert.equal(ago(100, 105), "5 s ago");
  assert.equal(ago(110, 105), "just now");
});
