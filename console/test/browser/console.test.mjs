/**
 * A person's way through the console in a real browser, against any server with the demo devices: `dunlin serve
 * --demo 3` or the mock. DUNLIN_HTTP names it; CHROMIUM may name the browser.
 */
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { baseUrl, cancelAll, launch } from "./launch.mjs";

const base = baseUrl();
const origin = new URL(base).origin;
const WAIT = { timeout: 15000 };

let browser;
let page;
const requests = [];
const complaints = [];
/** Parts of URLs whose refusal a test asked for: the browser logs those too. */
const expected = ["/devices/no-such"];
// Discover is a courtesy when an object is opened: a device may lack it.
expected.push("/discover/");

before(async () => {
  await cancelAll(base, "demo-1");
  browser = await launch();
  page = browser.page;
  page.setDefaultTimeout(WAIT.timeout);
  browser.context.on("request", (request) => requests.push(request.url()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    const where = message.location().url ?? "";
    if (message.type() === "error" && !expected.some((part) => where.includes(part))) complaints.push(`${message.text()} (${where})`);
  });
});

after(async () => {
  await browser?.close();
  await cancelAll(base, "demo-1");
});

afterEach(() => page.unrouteAll());

const row = (path) => page.locator(`.resource[data-path="${path}"]`);
const shown = (path) => row(path).locator(".shown").first();
const open = async (hash) => {
  await page.goto(base + hash);
  await page.locator("h1").first().waitFor();
};

async function until(what, check) {
  const end = Date.now() + WAIT.timeout;
  for (;;) {
    if (await check()) return;
    if (Date.now() > end) assert.fail(`never happened: ${what}`);
    await new Promise((done) => setTimeout(done, 100));
  }
}

async function noOverflow(what) {
  const [content, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(content <= window, `${what} is ${content} px wide in a window of ${window} px`);
}

describe("the console", { concurrency: false }, () => {
  test("lists the demo devices, live", async () => {
    await open("");
    await page.locator("table.devices tbody tr").nth(2).waitFor();
    const names = await page.locator("table.devices tbody th").allTextContents();
    for (const name of ["demo-1", "demo-2", "demo-3"]) assert.ok(names.includes(name), `${name} in ${names}`);
    await page.getByText("Live", { exact: true }).waitFor();
    const first = page.locator("table.devices tbody tr", { hasText: "demo-1" });
    assert.match(await first.textContent(), /1\.[012]/);
    assert.match(await first.textContent(), /ago|just now/);
  });

  test("search narrows the list, stays in the address, and says when nothing matches", async () => {
    await page.keyboard.press("/");
    await page.keyboard.type("MO-2");
    await until("one row", async () => (await page.locator("table.devices tbody tr").count()) === 1);
    assert.equal(await page.locator("table.devices tbody th").textContent(), "demo-2");
    assert.match(page.url(), /#\/devices\?q=MO-2$/);
    await page.getByRole("searchbox").fill("no device is called so");
    await page.getByRole("heading", { name: /No device matches/ }).waitFor();
    await page.getByRole("button", { name: "Show all devices" }).click();
    await page.locator("table.devices tbody tr").nth(2).waitFor();
  });

  test("long lists have pages", async () => {
    const pages = (size) => page.evaluate((value) => (value ? localStorage.setItem("dunlin.page-size", value) : localStorage.removeItem("dunlin.page-size")), size);
    await pages("2");
    await page.reload();
    const pager = page.getByRole("navigation", { name: "Pages of devices" });
    const names = () => page.locator("table.devices tbody th").allTextContents();
    await until("the first two", async () => (await names()).length === 2);
    const first = await names();
    assert.match(await pager.getByRole("status").textContent(), /^1–2 of \d+$/);
    assert.ok(await pager.getByRole("button", { name: "Previous" }).isDisabled());
    await pager.getByRole("button", { name: "Next" }).click();
    // The numbers change with the click, the rows when they have arrived.
    await until("the next page", async () => /^3–/.test(await pager.getByRole("status").textContent()) && String(await names()) !== String(first));
    const second = await names();
    assert.ok(second.length > 0 && second.every((name) => !first.includes(name)), `${first} / ${second}`);
    await pager.getByRole("button", { name: "Previous" }).click();
    await until("the first page again", async () => String(await names()) === String(first));
    await pages(null);
    await page.reload();
    await page.locator("table.devices tbody tr").nth(2).waitFor();
  });

  test("a device's page shows its registration and its objects by name", async () => {
    await page.getByRole("link", { name: "demo-1", exact: true }).click();
    await page.getByRole("heading", { name: "demo-1", level: 1 }).waitFor();
    const summary = page.locator(".summary");
    for (const fact of ["Last seen", "Expires", "Address", "LwM2M"]) await summary.getByText(fact, { exact: true }).waitFor();
    const objects = page.getByRole("navigation", { name: "Objects of the device" });
    for (const [id, name] of [[1, /server/i], [3, /device/i], [3303, /temperature/i], [3304, /humidity/i]]) {
      const link = objects.locator(`a[href$="/${id}"]`);
      await link.waitFor();
      await until(`object ${id} has a name`, async () => name.test(await link.textContent()));
    }
    assert.match(await page.title(), /demo-1/);
  });

  test("reads an instance, with the device's code", async () => {
    await open("#/devices/demo-1/3");
    await page.getByRole("button", { name: "Read /3/0", exact: true }).click();
    await page.locator(".instance .done", { hasText: "2.05" }).waitFor();
    assert.ok((await page.locator(".resource .shown").count()) >= 3);
    assert.match(await page.locator("#object-title").textContent(), /Device/);
  });

  test("writes a number, and refuses what is none", async () => {
    await open("#/devices/demo-1/1");
    await shown("/1/0/1").waitFor();
    const old = parseInt(await shown("/1/0/1").textContent(), 10);
    const wanted = old === 240 ? 250 : 240;
    for (const value of [wanted, old]) {
      await row("/1/0/1").getByRole("button", { name: /^Write (?!attributes)/ }).click();
      const input = row("/1/0/1").getByRole("spinbutton");
      await input.fill("1.5");
      await page.keyboard.press("Enter");
      await row("/1/0/1").getByText("A whole number is needed").waitFor();
      await input.fill(String(value));
      await page.keyboard.press("Enter");
      await row("/1/0/1").locator(".done", { hasText: "2.04" }).waitFor();
      await until(`lifetime ${value}`, async () => parseInt(await shown("/1/0/1").textContent(), 10) === value);
      const read = await (await fetch(`${base}api/v1/devices/demo-1/data/1/0/1`)).json();
      assert.equal(read.records[0].value, value);
    }
  });

  test("executes with one button", async () => {
    await open("#/devices/demo-1/3303");
    await row("/3303/0/5605").getByRole("button", { name: /^Execute/ }).click();
    await row("/3303/0/5605").getByRole("button", { name: "Execute now" }).click();
    await row("/3303/0/5605").locator(".done", { hasText: "2.04" }).waitFor();
  });

  test("observes in place; the value moves and the chart grows", async () => {
    await open("#/devices/demo-1/3303");
    const eye = row("/3303/0/5700").getByRole("button", { name: /^Observe/ });
    await eye.click();
    await page.locator('.resource[data-path="/3303/0/5700"].observed').waitFor();
    assert.equal(await eye.getAttribute("aria-pressed"), "true");
    const chart = page.locator('.chart-card[data-path="/3303/0/5700"] .chart');
    await chart.locator("canvas").waitFor();
    await until("two points", async () => Number(await chart.getAttribute("data-points")) >= 2);
    await page.locator(".log li", { hasText: "/3303/0/5700 =" }).first().waitFor();
    await page.locator('.resource[data-path="/3303/0/5700"] .shown.flash').waitFor();
    // A wish lives in the server: it is still there after the page is loaded again.
    await page.reload();
    await page.locator('.resource[data-path="/3303/0/5700"].observed').waitFor();
  });

  test("shows dark when the system is dark, and remembers a choice", async () => {
    const background = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
    const light = (colour) => colour.match(/\d+/g).slice(0, 3).every((c) => Number(c) > 128);
    await page.emulateMedia({ colorScheme: "light" });
    assert.ok(light(await background()));
    await page.emulateMedia({ colorScheme: "dark" });
    assert.ok(!light(await background()));
    await page.getByRole("button", { name: /switch to light/ }).click();
    assert.ok(light(await background()));
    await page.reload();
    await page.getByRole("button", { name: /switch to dark/ }).waitFor();
    assert.ok(light(await background()), "the choice is remembered");
    await page.getByRole("button", { name: /switch to dark/ }).click();
    assert.ok(!light(await background()));
    await page.getByRole("button", { name: /switch to auto/ }).click();
    await page.emulateMedia({ colorScheme: "light" });
  });

  test("fits a phone without scrolling sideways", async () => {
    await page.setViewportSize({ width: 390, height: 844 });
    await page.locator(".chart canvas").waitFor();
    await row("/3303/0/5605").getByRole("button", { name: /^Execute/ }).click();
    await until("the chart shrinks", async () => (await page.locator(".chart").first().boundingBox()).width < 390);
    await noOverflow("the device page");
    const picture = await page.screenshot({ fullPage: true });
    assert.equal(picture.readUInt32BE(16), 390, "the screenshot is as wide as the phone");
    for (const hash of ["#/devices", "#/events", "#/devices/demo-1/3"]) {
      await open(hash);
      await page.waitForTimeout(400);
      await noOverflow(hash);
    }
    await page.setViewportSize({ width: 1280, height: 900 });
  });

  test("stops observing", async () => {
    await open("#/devices/demo-1/3303");
    const eye = row("/3303/0/5700").getByRole("button", { name: /^Observe/ });
    await page.locator('.resource[data-path="/3303/0/5700"].observed').waitFor();
    await eye.click();
    await until("not observed", async () => (await eye.getAttribute("aria-pressed")) === "false");
    await page.locator('.chart-card[data-path="/3303/0/5700"]').waitFor({ state: "detached" });
    const { items } = await (await fetch(`${base}api/v1/devices/demo-1/observations`)).json();
    assert.deepEqual(items, []);
  });

  test("a refusal shows in place, with its reason and the device's code", async () => {
    expected.push("/data/3303/0/5700");
    await page.route("**/data/3303/0/5700*", (route) =>
      route.fulfill({
        status: 404,
        contentType: "application/problem+json",
        body: JSON.stringify({ type: "about:blank", title: "Not found", status: 404, detail: "The device has no such thing.", coapCode: "4.04" }),
      }),
    );
    await row("/3303/0/5700").getByRole("button", { name: /^Read/ }).click();
    const note = row("/3303/0/5700").getByRole("alert");
    await note.getByText("The device has no such thing.").waitFor();
    await note.getByText("4.04").waitFor();
    await note.getByRole("button", { name: "Dismiss" }).click();
    await note.waitFor({ state: "detached" });
  });

  test("a dialog takes the keyboard and gives it back", async () => {
    const button = row("/3303/0/5700").getByRole("button", { name: /^Write attributes/ });
    await button.click();
    const dialog = page.getByRole("dialog");
    await dialog.waitFor();
    await dialog.locator('input[name="pmin"]').fill("never");
    await page.keyboard.press("Enter");
    await dialog.getByText("pmin needs a number").waitFor();
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    assert.ok(await button.evaluate((el) => el === document.activeElement));
  });

  // What follows needs objects that a real demo device need not have.
  const mockOnly = process.env.DUNLIN_MOCK ? test : () => {};

  mockOnly("creates an instance, sets its attributes, writes each type, deletes it", async () => {
    await open("#/devices/demo-1/3342");
    await shown("/3342/0/5500").waitFor();
    await page.getByRole("button", { name: "Create", exact: true }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Create", exact: true }).click();
    await shown("/3342/1/5500").waitFor();
    assert.equal(await shown("/3342/1/5500").textContent(), "false");

    await page.getByRole("button", { name: "Write attributes of /3342/1" }).click();
    await page.getByRole("dialog").locator('input[name="pmin"]').fill("5");
    await page.getByRole("dialog").getByRole("button", { name: "Write attributes" }).click();
    await page.locator(".instance-head .chip", { hasText: "pmin=5" }).waitFor();

    const write = (path) => row(path).getByRole("button", { name: /^Write (?!attributes)/ }).click();
    await write("/3342/1/5500");
    await row("/3342/1/5500").getByRole("switch").check();
    await row("/3342/1/5500").getByRole("button", { name: "Write", exact: true }).last().click();
    await until("true", async () => (await shown("/3342/1/5500").textContent()) === "true");

    await write("/3342/0/5527");
    await row("/3342/0/5527").locator('input[type="file"]').setInputFiles({ name: "a.bin", mimeType: "application/octet-stream", buffer: Buffer.from([1, 2, 255]) });
    await until("the file is read", async () => (await row("/3342/0/5527").getByRole("textbox").inputValue()) === "AQL/");
    await row("/3342/0/5527").getByRole("button", { name: "Write", exact: true }).last().click();
    await until("the bytes", async () => /01 02 ff/.test(await shown("/3342/0/5527").textContent()));

    await page.getByRole("button", { name: "Delete /3342/1" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
    await page.getByRole("button", { name: "Delete /3342/1" }).waitFor({ state: "detached" });
  });

  mockOnly("tells when a device leaves while its page is open", async () => {
    await open("#/devices/demo-2/3");
    expected.push("/devices/demo-2/");
    await page.getByText("This device strays from the standard.").waitFor();
    await fetch(`${base}api/v1/devices/demo-2`, { method: "DELETE" });
    await page.getByText("The device deregistered.").waitFor();
  });

  test("an endpoint name may hold anything, and an unknown one is told as such", async () => {
    const name = 'no-such/"dev"#1?%';
    await open(`#/devices/${encodeURIComponent(name)}`);
    await page.getByRole("heading", { name: "This device is not registered" }).waitFor();
    assert.equal(await page.locator("h1").textContent(), name);
    const asked = requests.filter((url) => url.includes("/devices/no-such")).map((url) => new URL(url).pathname.split("/devices/")[1]);
    assert.ok(asked.length > 0 && asked.every((part) => decodeURIComponent(part) === name), String(asked));
  });

  test("the page of events fills by itself", async () => {
    await open("#/events");
    await page.getByRole("group", { name: "Kinds of events" }).waitFor();
    const answer = await fetch(`${base}api/v1/devices/demo-1/observations`, {
      method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ path: "/3303/0/5700" }),
    });
    assert.equal(answer.status, 201);
    await page.locator(".log li", { hasText: "demo-1" }).first().waitFor();
  });

  test("nothing left the origin and nothing was complained about", () => {
    assert.ok(requests.length > 20);
    assert.deepEqual(requests.filter((url) => !url.startsWith(origin + "/")), []);
    assert.deepEqual(complaints, []);
  });
});
