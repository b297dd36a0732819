/** Credentials, as a person makes and loses them; against `dunlin serve --demo 3` or the mock. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { baseUrl, launch } from "./launch.mjs";

const base = baseUrl();
const api = `${base}api/v1/credentials`;
const KEY = "000102030405060708090a0b0c0d0e0f";
/** The base point of P-256. */
const SPKI = "3059301306072a8648ce3d020106082a8648ce3d030107034200046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";

let browser;
let page;
const complaints = [];

/** Nothing of an earlier run is in the way; what demo devices have stays. */
async function clear() {
  const { items } = await (await fetch(`${api}?q=browser-&limit=1000`)).json();
  for (const { id } of items) await fetch(`${api}/${id}`, { method: "DELETE" });
}

before(async () => {
  await clear();
  browser = await launch();
  page = browser.page;
  page.setDefaultTimeout(15000);
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    const where = message.location().url ?? "";
    // The refusals that a test asks for are logged by the browser as well.
    if (message.type() === "error" && !where.includes("/credentials")) complaints.push(`${message.text()} (${where})`);
  });
});

after(async () => {
  await browser?.close();
  await clear();
});

const row = (endpoint) => page.locator("table.credentials tbody tr", { has: page.getByRole("link", { name: endpoint, exact: true }) });
const dialog = () => page.getByRole("dialog");

async function list() {
  await page.goto(`${base}#/devices`);
  await page.getByRole("link", { name: "Credentials", exact: true }).click();
  await page.getByRole("heading", { name: /^Credentials/ }).waitFor();
}

describe("credentials", { concurrency: false }, () => {
  test("a key is drawn, shown once and never again", async () => {
    await list();
    assert.equal(await page.title(), "Credentials · Dunlin");
    await page.getByRole("button", { name: "Add", exact: true }).click();
    await dialog().getByLabel("Endpoint name").fill("browser-1");
    await dialog().getByRole("button", { name: "Add", exact: true }).click();
    await dialog().getByText("it is not shown again").waitFor();
    const key = await dialog().locator(".command code").textContent();
    assert.match(key, /^[0-9a-f]{32}$/);
    await dialog().getByRole("button", { name: "Done" }).click();
    await row("browser-1").waitFor();
    assert.match(await row("browser-1").textContent(), /PSK.*browser-1/);
    assert.ok(!(await page.content()).includes(key));
    assert.ok(!(await (await fetch(`${api}?q=browser-1`)).text()).includes(key));
  });

  test("what is refused says why, and a short key is marked", async () => {
    await page.getByRole("button", { name: "Add", exact: true }).click();
    await dialog().getByLabel("Endpoint name").fill("browser-2");
    await dialog().getByLabel("PSK identity").fill("browser-1");
    await dialog().getByRole("button", { name: "Add", exact: true }).click();
    await dialog().getByRole("alert").getByText("This PSK identity is that of credential").waitFor();
    await dialog().getByLabel("PSK identity").fill("browser-id");
    await dialog().getByLabel("Key", { exact: true }).fill("0g");
    await dialog().getByRole("button", { name: "Add", exact: true }).click();
    await dialog().getByRole("alert").getByText("no hexadecimal digit").waitFor();
    await dialog().getByLabel("Key", { exact: true }).fill("0001");
    await dialog().getByRole("button", { name: "Add", exact: true }).click();
    await dialog().getByText("Taken, but the key has 2 bytes").waitFor();
    await dialog().getByRole("button", { name: "Done" }).click();
    await row("browser-2").getByText("short key").waitFor();
  });

  test("a raw public key is taken", async () => {
    await page.getByRole("button", { name: "Add", exact: true }).click();
    await dialog().getByLabel("Endpoint name").fill("browser-3");
    await dialog().getByLabel("Kind").selectOption("rpk");
    await dialog().getByLabel("Public key", { exact: true }).fill(SPKI);
    await dialog().getByRole("button", { name: "Add", exact: true }).click();
    await dialog().waitFor({ state: "detached" });
    await row("browser-3").getByText("SHA-256").waitFor();
  });

  test("the list is searched by identity", async () => {
    await page.getByRole("searchbox").fill("BROWSER-ID");
    await row("browser-1").waitFor({ state: "detached" });
    assert.equal(await page.locator("table.credentials tbody tr").count(), 1);
    assert.match(page.url(), /#\/credentials\?q=BROWSER-ID$/);
    await page.getByRole("searchbox").fill("no credential is called so");
    await page.getByRole("heading", { name: /No credential matches/ }).waitFor();
    await page.getByRole("button", { name: "Show all credentials" }).click();
    await row("browser-1").waitFor();
  });

  test("rotation gives a new key, and removal is asked about", async () => {
    await page.getByRole("button", { name: "Rotate the credential of browser-2" }).click();
    await dialog().getByLabel("Key", { exact: true }).fill(KEY);
    await dialog().getByRole("button", { name: "Rotate", exact: true }).click();
    await dialog().waitFor({ state: "detached" });
    await row("browser-2").getByText("rotated").waitFor();
    assert.equal(await row("browser-2").getByText("short key").count(), 0);
    await page.getByRole("button", { name: "Remove the credential of browser-2" }).click();
    await dialog().getByRole("button", { name: "Cancel" }).click();
    await row("browser-2").waitFor();
    await page.getByRole("button", { name: "Remove the credential of browser-2" }).click();
    await dialog().getByRole("button", { name: "Remove", exact: true }).click();
    await row("browser-2").waitFor({ state: "detached" });
  });

  test("a file is dropped, and each line has its outcome", async () => {
    await page.getByRole("button", { name: "Import…" }).click();
    const text = `browser-5,browser-five,${KEY}\nbrowser-6,browser-five,${KEY}\nbrowser-7\n`;
    const data = await page.evaluateHandle((content) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([content], "devices.csv", { type: "text/csv" }));
      return transfer;
    }, text);
    await dialog().locator(".drop").dispatchEvent("drop", { dataTransfer: data });
    await dialog().getByText("2 added").waitFor();
    await dialog().getByText("1 not taken").waitFor();
    const lines = await dialog().locator(".report tbody tr").allTextContents();
    assert.match(lines[0], /^2This PSK identity|^2this PSK identity/);
    assert.match(lines[1], /^1browser-5 added/);
    assert.match(lines[2], /^3browser-7 added [0-9a-f]{32}$/);
    await dialog().getByRole("button", { name: "Done" }).click();
    await row("browser-7").waitFor();
  });

  test("the server's own public key is shown, to copy", async () => {
    const own = await (await fetch(`${api}/server`)).json();
    await page.getByText(own.sha256).waitFor();
    await page.getByText("SubjectPublicKeyInfo, to copy").click();
    await page.locator(".own-key .command code", { hasText: own.publicKey }).waitFor();
  });

  test("an authority is trusted, and no more", async () => {
    const file = fileURLToPath(new URL("../../../crates/server/tests/certificates/authority.pem", import.meta.url));
    await page.getByLabel("CA certificate file").setInputFiles(file);
    await page.locator(".authorities").getByText("Dunlin test authority").waitFor();
    await page.getByRole("button", { name: "Trust Dunlin test authority no more" }).click();
    await dialog().getByRole("button", { name: "Trust no more", exact: true }).click();
    await page.locator(".authorities").waitFor({ state: "detached" });
    await page.getByLabel("CA certificate file").setInputFiles({ name: "x.pem", mimeType: "text/plain", buffer: Buffer.from("junk") });
    await page.getByRole("alert").getByText("no PEM").waitFor();
    await page.getByRole("alert").getByRole("button", { name: "Dismiss" }).click();
  });

  test("a device page tells what was proven", async () => {
    await page.goto(`${base}#/devices/demo-1`);
    await page.locator(".facts dt", { hasText: "Security" }).waitFor();
  });

  test("fits a phone", async () => {
    await page.setViewportSize({ width: 390, height: 844 });
    await list();
    await row("browser-1").waitFor();
    const fits = async (what) => {
      const [content, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
      assert.ok(content <= window, `${what} is ${content} px wide in a window of ${window} px`);
    };
    await fits("the list");
    for (const name of ["Add", "Import…"]) {
      await page.getByRole("button", { name, exact: true }).click();
      await dialog().waitFor();
      await fits(name);
      await dialog().getByRole("button", { name: "Cancel" }).click();
    }
    await page.setViewportSize({ width: 1280, height: 900 });
    assert.deepEqual(complaints, []);
  });
});
