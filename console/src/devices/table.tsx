import { Ago, Until } from "../components/ui.tsx";
import { now } from "../lib/clock.ts";
import { formatRoute } from "../lib/route.ts";
import { span } from "../lib/time.ts";
import type { Row } from "../live/reducer.ts";
import { go } from "../lib/router.ts";

export function DeviceTable({ rows, busy }: { rows: Row[]; busy: boolean }) {
  return (
    <div class="card flush">
      <table class="devices" aria-busy={busy}>
        <caption class="visually-hidden">Registered devices</caption>
        <thead>
          <tr>
            <th scope="col">Endpoint</th>
            <th scope="col">State</th>
            <th scope="col">LwM2M</th>
            <th scope="col">Address</th>
            <th scope="col">Lifetime</th>
            <th scope="col">Last seen</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => <DeviceRow key={row.endpoint} row={row} />)}
        </tbody>
      </table>
    </div>
  );
}

function DeviceRow({ row }: { row: Row }) {
  const href = formatRoute({ view: "device", endpoint: row.endpoint, object: null });
  return (
    // The link is what keyboards and screen readers use; the row is a larger target for a pointer.
    <tr class={row.gone ? "gone" : ""}
      onClick={(e) => {
        const onLink = e.target instanceof Element && e.target.closest("a");
        if (!onLink && !getSelection()?.toString()) go({ view: "device", endpoint: row.endpoint, object: null });
      }}>
      <th scope="row"><a href={href}>{row.endpoint}</a></th>
      <td data-label="State"><StateChip row={row} /></td>
      <td data-label="LwM2M">{row.version}</td>
      <td data-label="Address" class="mono">{row.address}</td>
      <td data-label="Lifetime">
        {row.lifetime === 0 ? "no limit" : span(row.lifetime)}{" "}
        {!row.gone && row.expiresAt !== null && <span class="muted">expires <Until time={row.expiresAt} /></span>}
      </td>
      <td data-label="Last seen"><Ago key={row.updatedAt} time={row.updatedAt} /></td>
    </tr>
  );
}

export function StateChip({ row }: { row: Row }) {
  const [tone, text, why] = stateOf(row);
  return (
    <span class="state">
      <span class={`chip ${tone}`} title={why}><span class="dot" aria-hidden="true" />{text}</span>
      {row.faults.length > 0 && (
        <span class="chip warn" title={row.faults.join("\n")}>
          {row.faults.length} {row.faults.length === 1 ? "fault" : "faults"}
        </span>
      )}
    </span>
  );
}

function stateOf(row: Row): [tone: string, text: string, why: string] {
  if (row.gone === "expired") return ["bad", "Expired", "Its lifetime ran out without an update"];
  if (row.gone === "deregistered") return ["plain", "Left", "The device deregistered"];
  if (row.expiresAt !== null && row.expiresAt < now.value) return ["warn", "Overdue", "Its update is late"];
  if (row.queueMode) return ["calm", "Queue mode", "It sleeps between updates; requests may have to wait"];
  return ["good", "Online", "Registered, and its lifetime has not run out"];
}
