import { useState } from "preact/hooks";
import type { ComponentChildren } from "preact";
import type { Problem } from "../api/client.ts";
import type { Device } from "../api/types.ts";
import { TrashIcon, WarnIcon } from "../components/icons.tsx";
import { Ago, Confirm, ProblemNote, Until } from "../components/ui.tsx";
import { StateChip } from "../devices/table.tsx";
import { FORMAT_NAMES } from "../lib/formats.ts";
import { go } from "../lib/router.ts";
import { span } from "../lib/time.ts";
import type { Session } from "./session.ts";

const SECURITY: Record<string, string> = { psk: "PSK", rpk: "public key", x509: "certificate" };

/** Who the device is and how it is registered. */
export function Summary({ session, device }: { session: Session; device: Device }) {
  const [asking, setAsking] = useState(false);
  const [refused, setRefused] = useState<Problem | null>(null);
  const gone = session.gone.value;
  const forget = async (): Promise<void> => {
    const problem = await session.forget();
    if (problem) setRefused(problem);
    else go({ view: "devices", q: "" });
  };
  const formats = device.contentFormats.map((id) => FORMAT_NAMES[id] ?? String(id)).join(", ");
  return (
    <section class="card summary" aria-labelledby="device-name">
      <div class="row wrap spread">
        <div class="row wrap">
          <h1 id="device-name" class="endpoint">{device.endpoint}</h1>
          <StateChip row={gone ? { ...device, gone } : device} />
        </div>
        <button type="button" class="ghost quiet-danger forget" aria-label="Forget this device" onClick={() => setAsking(true)}>
          <TrashIcon /> <span>Forget</span>
        </button>
      </div>
      {gone && (
        <p class="note warn" role="status">
          {gone === "expired" ? "Its lifetime ran out without an update." : "The device deregistered."} What is shown is the
          last known; the page comes back to life when it registers again.
        </p>
      )}
      {refused && <ProblemNote problem={refused} label="Not forgotten" onClose={() => setRefused(null)} />}
      <dl class="facts">
        <Fact name="Last seen"><Ago time={device.updatedAt} /></Fact>
        <Fact name="Expires"><Until time={device.expiresAt} /> {device.lifetime > 0 && <span class="muted">of {span(device.lifetime)}</span>}</Fact>
        <Fact name="Registered"><Ago time={device.registeredAt} /></Fact>
        <Fact name="Address"><span class="mono">{device.address}</span></Fact>
        <Fact name="Security">
          {device.security ? (
            <>{SECURITY[device.security.mode] ?? device.security.mode} <span class="mono">{device.security.identity}</span></>
          ) : <span title="Nothing proves that this device is who it says">none</span>}
        </Fact>
        <Fact name="LwM2M">{device.version} <span class="muted">binding {device.binding || "U"}{device.queueMode ? ", queue mode" : ""}</span></Fact>
        {device.queueMode && device.awake !== undefined && (
          <Fact name="Listens">
            {device.awake ? <>now{device.awakeUntil != null && <span class="muted"> asleep <Until time={device.awakeUntil} /></span>}</> : "asleep"}
            {device.awakeTime !== undefined && <span class="muted"> {Math.round(device.awakeTime)} s after each contact</span>}
          </Fact>
        )}
        <Fact name="Registration"><span class="mono">{device.registrationId}</span></Fact>
        {formats && <Fact name="Formats">{formats}</Fact>}
        {device.rootPath && device.rootPath !== "/" && <Fact name="Root path"><span class="mono">{device.rootPath}</span></Fact>}
        {device.sms && <Fact name="SMS">{device.sms}</Fact>}
        {Object.entries(device.attributes).map(([key, value]) => <Fact key={key} name={key}>{value}</Fact>)}
      </dl>
      {device.faults.length > 0 && (
        <div class="note warn">
          <WarnIcon />
          <div>
            <strong>This device strays from the standard.</strong> The server tolerates it:
            <ul>{device.faults.map((fault) => <li key={fault}>{fault}</li>)}</ul>
          </div>
        </div>
      )}
      {asking && (
        <Confirm title={`Forget ${device.endpoint}?`} action="Forget"
          text="The server drops this registration and its session. The device is not told; it comes back with its next registration."
          onYes={() => void forget()} onClose={() => setAsking(false)} />
      )}
    </section>
  );
}

function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
