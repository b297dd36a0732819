import assert from "node:assert/strict";
import { test } from "node:test";
import { coapUri } from "../../src/lib/server.ts";

test("devices are told where the server listens", () => {
  assert.equal(coapUri("127.0.0.1:5684", "localhost"), "coap://127.0.0.1:5684");
  assert.equal(coapUri("[::1]:5683", "localhost"), "coap://[::1]:5683");
});

test("a server that listens everywhere is where its console is", () => {
  assert.equal(coapUri("0.0.0.0:5683", "gateway.lan"), "coap://gateway.lan:5683");
  assert.equal(coapUri("[::]:1234", "192.0.2.1"), "coap://192.0.2.1:1234");
  assert.equal(coapUri(undefined, ""), "coap://127.0.0.1:5683");
});
