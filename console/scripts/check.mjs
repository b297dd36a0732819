/** Are the committed assets what these sources build? Builds again elsewhere and compares every byte. */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";

const root = fileURLToPath(new URL("..", import.meta.url));
const committed = join(root, "../crates/http/assets");
const fresh = await mkdtemp(join(tmpdir(), "dunlin-console-check-"));

async function files(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const list = entries.filter((e) => e.isFile()).map((e) => relative(folder, join(e.parentPath ?? e.path, e.name)).split(sep).join("/"));
  return new Set(list.sort());
}

const faults = [];
try {
  await build({ root, logLevel: "warn", build: { outDir: fresh, emptyOutDir: true } });
  const [have, want] = [await files(committed), await files(fresh)];
  for (const name of want) {
    if (!have.has(name)) faults.push(`missing: ${name}`);
    else if (!(await readFile(join(committed, name))).equals(await readFile(join(fresh, name)))) faults.push(`differs: ${name}`);
  }
  for (const name of have) if (!want.has(name)) faults.push(`left over: ${name}`);
} finally {
  await rm(fresh, { recursive: true, force: true });
}
if (faults.length > 0) {
  console.error(`crates/http/assets is not what console/ builds:\n  ${faults.join("\n  ")}\nRun \`npm --prefix console run build\` and commit the result.`);
  process.exit(1);
}
console.log("crates/http/assets is what console/ builds.");
