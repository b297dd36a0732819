import { defineConfig } from "vite";

export default defineConfig({
  // Relative, so the console also works below a path of a reverse proxy.
  base: "./",
  build: {
    // The server embeds this folder; `cargo build` alone must work, so the result is committed.
    outDir: "../crates/http/assets",
    emptyOutDir: true,
    target: "es2022",
    // light-dark() stays as it is; older browsers than these would need two copies of every colour.
    cssTarget: ["chrome123", "firefox120", "safari17.5"],
    // A strict CSP forbids data: URLs, and the polyfill is only for browsers older than the target.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    cssCodeSplit: false,
  },
  server: {
    proxy: { "/api": process.env.DUNLIN_HTTP ?? "http://127.0.0.1:8080" },
  },
});
