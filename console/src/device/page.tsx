import { useEffect, useMemo } from "preact/hooks";
import { ProblemNote, Spinner } from "../components/ui.tsx";
import { LogTable } from "../events/log.tsx";
import { formatRoute, type Tab } from "../lib/route.ts";
import { objectName } from "../models/store.ts";
import { Charts } from "./charts.tsx";
import { ObjectPanel } from "./object.tsx";
import { Session } from "./session.ts";
import { Summary } from "./summary.tsx";
import { TabPanel, Tabs } from "./tabs.tsx";

export function DevicePage({ endpoint, object, tab }: { endpoint: string; object: number | null; tab: Tab | undefined }) {
  const session = useMemo(() => new Session(endpoint), [endpoint]);
  useEffect(() => () => session.end(), [session]);
  const device = session.device.value;
  const missing = session.missing.value;

  if (!device) {
    return (
      <>
        <Crumb endpoint={endpoint} />
        <h1 class="endpoint">{endpoint}</h1>
        {!missing && <p class="loading"><Spinner label="Loading the device" /></p>}
        {missing?.status === 404 && (
          <div class="empty card">
            <h2>This device is not registered</h2>
            <p>The page comes to life by itself as soon as it registers.</p>
            <p class="muted">Is the name right? Endpoint names are case-sensitive.</p>
            <a class="button" href="#/devices">All devices</a>
          </div>
        )}
        {missing && missing.status !== 404 && <ProblemNote problem={missing} label="Could not load the device" />}
      </>
    );
  }

  const objects = [...device.objects].sort((a, b) => a.id - b.id);
  const chosen = objects.find((o) => o.id === object) ?? objects.find((o) => o.id === 3) ?? objects[0];
  return (
    <>
      <Crumb endpoint={endpoint} />
      <Summary session={session} device={device} />
      <Charts session={session} device={device} />
      <Tabs endpoint={endpoint} tab={tab} device={device} />
      {tab && <TabPanel key={tab} tab={tab} session={session} device={device} />}
      {!tab && <div class="device-grid">
        <nav class="objects card flush" aria-label="Objects of the device">
          <ul>
            {objects.map((o) => (
              <li key={o.id}>
                <a href={formatRoute({ view: "device", endpoint, object: o.id })} aria-current={o.id === chosen?.id ? "page" : undefined}>
                  <span class="id">/{o.id}</span>
                  <span class="grow">{objectName(o.id) ?? "Unknown object"}</span>
                  {o.instances.length !== 1 && <span class="count" title={`${o.instances.length} instances`}>{o.instances.length}</span>}
                </a>
              </li>
            ))}
          </ul>
        </nav>
        {chosen ? (
          <ObjectPanel key={chosen.id} session={session} entry={chosen} queueMode={device.queueMode} />
        ) : (
          <p class="card muted">The device registered without any object.</p>
        )}
      </div>}
      <section class="card flush" aria-labelledby="log-title">
        <h2 id="log-title" class="pad">Events</h2>
        <LogTable entries={session.log.value} empty="Nothing yet. What the device sends appears here by itself." />
      </section>
    </>
  );
}

function Crumb({ endpoint }: { endpoint: string }) {
  return (
    <nav class="crumb muted" aria-label="Where you are">
      <a href="#/devices">Devices</a> / <span aria-current="page">{endpoint}</span>
    </nav>
  );
}
