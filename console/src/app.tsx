import { useEffect, useRef } from "preact/hooks";
import { api } from "./api/client.ts";
import { AutoIcon, MoonIcon, SunIcon } from "./components/icons.tsx";
import { CredentialsPage } from "./credentials/page.tsx";
import { DevicePage } from "./device/page.tsx";
import { DevicesPage } from "./devices/page.tsx";
import { EventsPage } from "./events/page.tsx";
import logo from "./dunlin.svg";
import { route } from "./lib/router.ts";
import { theme } from "./lib/settings.ts";
import { server } from "./lib/server.ts";
import { linkState } from "./live/stream.ts";


const NAMES = { devices: "Devices", events: "Events", credentials: "Credentials" };

export function App() {
  const here = route.value;
  const main = useRef<HTMLElement>(null);
  const first = useRef(true);
  const pageKey = here.view === "device" ? "device " + here.endpoint : here.view;

  useEffect(() => {
    api.health().then((health) => (server.value = health), () => undefined);
  }, []);
  useEffect(() => {
    const name = here.view === "device" ? here.endpoint : NAMES[here.view];
    document.title = `${name} · Dunlin`;
    // A keyboard or screen reader user starts at the new page, not where the link was.
    if (!first.current) main.current?.focus({ preventScroll: true });
    if (!first.current) scrollTo(0, 0);
    first.current = false;
  }, [pageKey]);

  return (
    <>
      <button type="button" class="skip" onClick={() => main.current?.focus()}>
        Skip to content
      </button>
      <header class="top">
        <a class="brand" href="#/devices" aria-label="Dunlin, all devices">
          <img src={logo} alt="" width="32" height="32" />
          <span>Dunlin</span>
        </a>
        <nav aria-label="Pages">
          <a href="#/devices" aria-current={here.view === "devices" || here.view === "device" ? "page" : undefined}>
            Devices
          </a>
          <a href="#/events" aria-current={here.view === "events" ? "page" : undefined}>
            Events
          </a>
          <a href="#/credentials" aria-current={here.view === "credentials" ? "page" : undefined}>
            Credentials
          </a>
        </nav>
        {/* Nothing there comes by the stream. */}
        {here.view !== "credentials" && <LinkState />}
        <ThemeButton />
      </header>
      <main ref={main} tabIndex={-1}>
        {here.view === "device" && <DevicePage key={here.endpoint} endpoint={here.endpoint} object={here.object} tab={here.tab} />}
        {here.view === "devices" && <DevicesPage q={here.q} />}
        {here.view === "events" && <EventsPage />}
        {here.view === "credentials" && <CredentialsPage q={here.q} />}
      </main>
      <footer class="bottom muted">
        Dunlin {server.value?.version} · <a href="api/v1/openapi.json">API</a> · <a href="metrics">Metrics</a>
      </footer>
    </>
  );
}

function LinkState() {
  const state = linkState.value;
  const text = state === "live" ? "Live" : state === "lost" ? "Reconnecting…" : "Connecting…";
  return (
    <span class={`link ${state}`} role="status" title="The stream of events from the server">
      <span class="dot" aria-hidden="true" />
      {text}
    </span>
  );
}

const NEXT: Record<string, string> = { auto: "light", light: "dark", dark: "auto" };

function ThemeButton() {
  const current = theme.value;
  const label = current === "auto" ? "Colours follow the system" : `Colours are ${current}`;
  return (
    <button type="button" class="ghost icon-only" title={label} aria-label={`${label}; switch to ${NEXT[current] ?? "auto"}`}
      onClick={() => (theme.value = NEXT[current] ?? "auto")}>
      {current === "dark" ? <MoonIcon /> : current === "light" ? <SunIcon /> : <AutoIcon />}
    </button>
  );
}
