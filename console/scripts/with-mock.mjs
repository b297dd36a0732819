/** Runs a command against the mock server: node scripts/with-mock.mjs node --test test/browser/*.test.mjs */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const server = fileURLToPath(new URL("../mock/server.mjs", import.meta.url));
const mock = spawn(process.execPath, [server, "--port", "0"], { stdio: ["ignore", "pipe", "inherit"] });
mock.stdout.setEncoding("utf8");
const url = await new Promise((found) => {
  mock.stdout.on("data", (text) => {
    const match = /^Console\s+(\S+)/m.exec(text);
    if (match) found(match[1]);
  });
});
const [command, ...args] = process.argv.slice(2);
const child = spawn(command, args, { stdio: "inherit", env: { ...process.env, DUNLIN_HTTP: url, DUNLIN_MOCK: "1" } });
child.on("exit", (code) => {
  mock.kill();
  process.exit(code ?? 1);
});
