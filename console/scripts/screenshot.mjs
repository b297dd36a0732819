/**
 * The picture for the documentation: the page of demo-1 with two charts that have run for a while.
 * DUNLIN_HTTP=http://127.0.0.1:8080/ npm run screenshot [-- --seconds 40] [-- --all]
 */
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { baseUrl, cancelAll, launch, observe } from "../test/browser/launch.mjs";

const { values: args } = parseArgs({ options: { seconds: { type: "string", default: "40" }, all: { type: "boolean" } } });
const base = baseUrl();
const out = (name) => fileURLToPath(new URL(`../${name}`, import.meta.url));
const wait = (ms) => new Promise((done) => setTimeout(done, ms));

await cancelAll(base, "demo-1");
for (const path of ["/3303/0/5700", "/3304/0/5700"]) await observe(base, "demo-1", path);

const browser = await launch({ viewport: { width: 1280, height: 940 }, colorScheme: "light" });
const { page } = browser;
await page.goto(`${base}#/devices/demo-1/3303`);
await page.locator(".chart-card").nth(1).waitFor();
await wait(Number(args.seconds) * 1000);
await page.screenshot({ path: out("screenshots/console.png") });

// For the eye of whoever works on the design; not committed.
if (args.all) {
  const shot = (name, full = true) => page.screenshot({ path: out(`.screens/${name}.png`), fullPage: full });
  await page.goto(`${base}#/devices/demo-1/3`);
  await page.locator('[data-path="/3/0/0"] .shown').waitFor();
  await page.getByRole("button", { name: "Write UTC Offset" }).click();
  await wait(400);
  await shot("device");
  await page.emulateMedia({ colorScheme: "dark" });
  await wait(300);
  await shot("device-dark");
  await page.goto(`${base}#/devices`);
  await page.locator("table.devices").waitFor();
  await shot("list-dark");
  await page.emulateMedia({ colorScheme: "light" });
  await shot("list");
  await page.goto(`${base}#/events`);
  await wait(3000);
  await shot("events");
  await page.setViewportSize({ width: 390, height: 844 });
  await shot("events-phone");
  await page.goto(`${base}#/devices`);
  await page.locator("table.devices").waitFor();
  await shot("list-phone");
  await page.goto(`${base}#/devices/demo-2/3303`);
  await page.locator('[data-path="/3303/0/5700"] .shown').waitFor();
  await wait(500);
  await shot("device-phone");
  await page.setViewportSize({ width: 1280, height: 900 });
  await page.getByRole("button", { name: "Write attributes of Sensor Value" }).click();
  await wait(300);
  await shot("dialog", false);
  await page.goto(`${base}#/devices?q=nothing-like-this`);
  await wait(600);
  await shot("nomatch", false);
}
await browser.close();
await cancelAll(base, "demo-1");
