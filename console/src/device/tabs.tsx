import type { Device } from "../api/types.ts";
import { formatRoute, TABS, type Tab } from "../lib/route.ts";
import { CompositePanel } from "./composite.tsx";
import { FirmwarePanel } from "./firmware.tsx";
import { OperationsPanel } from "./operations.tsx";
import { SendsPanel } from "./sends.tsx";
import type { Session } from "./session.ts";
import { TracePanel } from "./trace.tsx";

const NAMES: Record<Tab, string> = {
  composite: "Composite",
  operations: "Operations",
  sends: "Sends",
  firmware: "Firmware",
  trace: "Trace",
};

/** The ways to look at a device: links, so that each has an address. */
export function Tabs({ endpoint, tab, device }: { endpoint: string; tab: Tab | undefined; device: Device }) {
  return (
    <nav class="tabs" aria-label="Parts of the device's page">
      <a href={formatRoute({ view: "device", endpoint, object: null })} aria-current={tab === undefined ? "page" : undefined}>Objects</a>
      {TABS.map((name) => (
        <a key={name} href={formatRoute({ view: "device", endpoint, object: null, tab: name })} aria-current={tab === name ? "page" : undefined}>
          {NAMES[name]}
          {name === "operations" && (device.queued ?? 0) > 0 && <span class="count" title={`${device.queued} wait`}>{device.queued}</span>}
        </a>
      ))}
    </nav>
  );
}

export function TabPanel({ tab, session, device }: { tab: Tab; session: Session; device: Device }) {
  switch (tab) {
    case "composite":
      return <CompositePanel session={session} device={device} />;
    case "operations":
      return <OperationsPanel session={session} device={device} />;
    case "sends":
      return <SendsPanel session={session} device={device} />;
    case "firmware":
      return <FirmwarePanel session={session} device={device} />;
    case "trace":
      return <TracePanel session={session} />;
  }
}
