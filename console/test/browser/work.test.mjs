/** The parts of a device's page besides its objects: composite, operations, sends, firmware, trace. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { baseUrl, cancelAll, launch } from "./launch.mjs";

const base = baseUrl();
const WAIT = { timeout: 15000 };
const mockOnly = process.env.DUNLIN_MOCK ? test : () => {};
const TABS = ["composite", "operations", "sends", "firmware", "trace"];

let browser;
let page;
const complaints = [];

before(async () => {
  await cancelAll(base, "demo-1");
  browser = await launch();
  page = browser.page;
  page.setDefaultTimeout(WAIT.timeout);
  page.on("pageerror", (error) => complaints.push(String(error)));
});

after(async () => {
  await browser?.close();
  await cancelAll(base, "demo-1");
});

const open = async (tab, endpoint = "demo-1") => {
  await page.goto(`${base}#/devices/${endpoint}/${tab}`);
  await page.locator(".tabs a[aria-current]").waitFor();
};

async function until(what, check) {
  const end = Date.now() + WAIT.timeout;
  for (;;) {
    if (await check()) return;
    if (Date.now() > end) assert.fail(`never happened: ${what}`);
    await new Promise((done) => setTimeout(done, 100));
  }
}

describe("the device's page", { concurrency: false }, () => {
  test("has a tab for each part, with an address", async () => {
    await page.goto(`${base}#/devices/demo-1`);
    for (const tab of TABS) {
      await page.locator(".tabs a", { hasText: new RegExp(tab, "i") }).click();
      await page.locator(`.tabs a[href$="/${tab}"][aria-current]`).waitFor();
      assert.ok(page.url().endsWith(`#/devices/demo-1/${tab}`), page.url());
    }
    await page.locator(".tabs a", { hasText: "Objects" }).click();
    await page.locator(".objects").waitFor();
  });

  test("reads several paths of several objects with one request", async () => {
    await open("composite");
    await page.getByRole("button", { name: "Read together" }).click();
    await page.getByText("Name at least one path").waitFor();
    await page.getByLabel("Path 1", { exact: true }).fill("/3/0/0");
    await page.getByRole("button", { name: "Add a path" }).click();
    await page.getByLabel("Path 2", { exact: true }).fill("3303/0/5700");
    await page.getByRole("button", { name: "Read together" }).click();
    const answer = page.locator('.answer[role="status"]');
    await answer.locator("li", { hasText: "/3/0/0" }).waitFor();
    await answer.locator("li", { hasText: "/3303/0/5700" }).waitFor();
    assert.equal(await answer.locator("li").count(), 2);
  });

  test("observes them together, until it is stopped", async () => {
    await page.getByRole("button", { name: "Observe together" }).click();
    const wish = page.locator(".answer[data-wish]");
    await wish.locator("li", { hasText: "/3303/0/5700" }).waitFor();
    const value = () => wish.locator("li", { hasText: "/3303/0/5700" }).locator("strong").textContent();
    const first = await value();
    await until("another value", async () => (await value()) !== first);
    await wish.getByRole("button", { name: /^Stop observing/ }).click();
    await wish.waitFor({ state: "detached" });
    const { items } = await (await fetch(`${base}api/v1/devices/demo-1/observations`)).json();
    assert.deepEqual(items, []);
  });

  test("writes them together, all or none", async () => {
    const lifetime = async () => (await (await fetch(`${base}api/v1/devices/demo-1/data/1/0/1`)).json()).records[0].value;
    const before = await lifetime();
    await page.getByLabel("Path 1", { exact: true }).fill("/1/0/1");
    await page.getByLabel("Value 1, for writing", { exact: true }).fill(String(before + 60));
    await page.getByLabel("Path 2", { exact: true }).fill("/3303/0/5700");
    await page.getByLabel("Value 2, for writing", { exact: true }).fill("5");
    await page.getByRole("button", { name: "Write together" }).click();
    await page.getByRole("alert").getByText("4.05", { exact: true }).waitFor();
    assert.equal(await lifetime(), before, "nothing was written");
    await page.getByRole("button", { name: "Take away path 2" }).click();
    await page.getByRole("button", { name: "Write together" }).click();
    await page.locator(".composite .done", { hasText: "2.04" }).waitFor();
    assert.equal(await lifetime(), before + 60);
    await page.getByLabel("Value 1, for writing", { exact: true }).fill(String(before));
    await page.getByRole("button", { name: "Write together" }).click();
    await until("the old lifetime", async () => (await lifetime()) === before);
  });

  test("asks for an operation and shows what became of it", async () => {
    await open("operations");
    await page.getByRole("button", { name: "Ask for it" }).click();
    await page.getByText("A path is needed").waitFor();
    await page.getByLabel("Operation", { exact: true }).selectOption("read");
    await page.getByLabel("Path", { exact: true }).fill("/3/0/0");
    await page.getByRole("button", { name: "Ask for it" }).click();
    const row = page.locator(".operations > li").first();
    await row.locator(".chip", { hasText: "done 2.05" }).waitFor();
    await row.locator(".records li", { hasText: "/3/0/0" }).waitFor();
  });

  mockOnly("what a sleeping device is asked for waits, and can be taken back", async () => {
    await page.goto(`${base}#/devices/demo-3/3`);
    await page.getByRole("button", { name: "Read /3/0", exact: true }).click();
    await page.locator(".chip", { hasText: "waits for the device" }).waitFor();
    await page.locator(".tabs .count", { hasText: "1" }).waitFor();
    await page.locator(".instance .done", { hasText: "2.05" }).waitFor();
    await page.locator('.resource[data-path="/3/0/0"] .shown').waitFor();
    await open("operations", "demo-3");
    await page.getByLabel("Path", { exact: true }).fill("/1/0/1");
    await page.getByLabel("Value", { exact: true }).fill("90");
    await page.getByRole("button", { name: "Ask for it" }).click();
    await page.getByRole("button", { name: "Cancel write /1/0/1" }).click();
    await page.locator(".operations > li").first().locator(".chip", { hasText: "cancelled" }).waitFor();
  });

  mockOnly("shows what the device sends, with its times", async () => {
    await open("sends");
    const pack = page.locator(".operations > li").first();
    await pack.waitFor();
    assert.equal(await pack.locator(".records time").count(), 3);
  });

  mockOnly("takes an image, brings it to the device and tells how it went", async () => {
    await open("firmware");
    await page.getByLabel("Image file").setInputFiles({ name: "gauge-2.5.bin", mimeType: "application/octet-stream", buffer: Buffer.alloc(4000, 7) });
    await until("the image is chosen", async () => /gauge-2\.5/.test(await page.getByLabel("Image", { exact: true }).textContent()));
    await page.getByRole("button", { name: "Start the update" }).click();
    const job = page.locator(".answer[data-job]");
    await job.getByText("The image goes to the device.").waitFor();
    await job.getByText(/Updated\./).waitFor();
    assert.equal(await job.getByRole("progressbar").evaluate((bar) => bar.position), 1);
  });

  test("shows the messages, each whole when it is opened, and as a file", async () => {
    await fetch(`${base}api/v1/devices/demo-1/data/3/0/0`);
    await open("trace");
    const message = page.locator(".trace li").first();
    await message.waitFor();
    await message.locator("summary").click();
    await message.getByText("Message ID").waitFor();
    const link = await page.getByRole("link", { name: "Download as pcap" }).evaluate((a) => a.href);
    const bytes = new DataView(await (await fetch(link)).arrayBuffer());
    // The writer of a capture file chooses the order of its bytes.
    assert.ok([bytes.getUint32(0), bytes.getUint32(0, true)].includes(0xa1b2c3d4));
  });

  test("fits a phone", async () => {
    await page.setViewportSize({ width: 390, height: 844 });
    for (const tab of TABS) {
      await open(tab);
      await page.waitForTimeout(300);
      const [content, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
      assert.ok(content <= window, `${tab} is ${content} px wide in a window of ${window} px`);
    }
    await page.setViewportSize({ width: 1280, height: 900 });
    assert.deepEqual(complaints, []);
  });
});
