import { useEffect, useMemo, useRef } from "preact/hooks";
import { Command, ProblemNote, Spinner } from "../components/ui.tsx";
import { SearchIcon } from "../components/icons.tsx";
import { replaceRoute } from "../lib/router.ts";
import { coapUri, server } from "../lib/server.ts";
import { pageSize } from "../lib/settings.ts";
import { DeviceList } from "./list.ts";
import { DeviceTable } from "./table.tsx";

export function DevicesPage({ q }: { q: string }) {
  const list = useMemo(() => new DeviceList(q), []);
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => () => list.end(), [list]);
  useEffect(() => {
    // Quick typing should not become one request a letter.
    const timer = setTimeout(() => list.search(q), 180);
    return () => clearTimeout(timer);
  }, [q, list]);
  useEffect(() => {
    const slash = (event: KeyboardEvent): void => {
      const typing = event.target instanceof HTMLElement && event.target.matches("input, textarea, select");
      if (event.key !== "/" || typing || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      input.current?.focus();
    };
    addEventListener("keydown", slash);
    return () => removeEventListener("keydown", slash);
  }, []);

  const state = list.state.value;
  const problem = list.problem.value;
  const empty = state !== null && state.rows.length === 0;
  return (
    <>
      <div class="page-head row wrap spread">
        <h1>
          Devices {state && <span class="count" aria-label={`${state.total} in total`}>{state.total.toLocaleString("en")}</span>}
        </h1>
        <label class="search">
          <SearchIcon />
          <input ref={input} type="search" placeholder="Find by endpoint name" aria-label="Find devices by endpoint name"
            aria-keyshortcuts="/" value={q} onInput={(e) => replaceRoute({ view: "devices", q: e.currentTarget.value })} />
          <kbd aria-hidden="true">/</kbd>
        </label>
      </div>
      {problem && <ProblemNote problem={problem} label="Could not load the list" />}
      {!state && !problem && <p class="loading"><Spinner label="Loading devices" /></p>}
      {state && !empty && <DeviceTable rows={state.rows} busy={list.loading.value} />}
      {empty && (state.q.trim() ? <NoMatch q={state.q} /> : list.cursors.value.length ? <PageGone list={list} /> : <NoDevices />)}
      {state && !empty && <Pager list={list} />}
    </>
  );
}

function Pager({ list }: { list: DeviceList }) {
  const state = list.state.value;
  if (!state) return null;
  const page = list.cursors.value.length;
  const size = Number(pageSize.value);
  const from = page * size + 1;
  return (
    <nav class="pager row wrap spread" aria-label="Pages of devices">
      <label class="muted">
        Rows{" "}
        <select value={pageSize.value} onChange={(e) => { pageSize.value = e.currentTarget.value; list.restart(); }}>
          {["25", "50", "100", "200"].map((n) => <option key={n} value={n}>{n}</option>)}
        </select>
      </label>
      <div class="row">
        <span class="muted" role="status">
          {from.toLocaleString("en")}–{(from + state.rows.length - 1).toLocaleString("en")} of {state.total.toLocaleString("en")}
        </span>
        <button type="button" disabled={page === 0} onClick={() => list.back()}>Previous</button>
        <button type="button" disabled={!state.next} onClick={() => list.forward()}>Next</button>
      </div>
    </nav>
  );
}

function NoMatch({ q }: { q: string }) {
  return (
    <div class="empty">
      <h2>No device matches “{q}”</h2>
      <p class="muted">The search looks for a part of the endpoint name; case does not matter.</p>
      <button type="button" onClick={() => replaceRoute({ view: "devices", q: "" })}>Show all devices</button>
    </div>
  );
}

function PageGone({ list }: { list: DeviceList }) {
  return (
    <div class="empty">
      <h2>This page is empty now</h2>
      <button type="button" onClick={() => list.restart()}>To the first page</button>
    </div>
  );
}

function NoDevices() {
  const uri = coapUri(server.value?.coap, location.hostname);
  return (
    <div class="empty card">
      <h2>No device has registered yet</h2>
      <p>Connect one; it appears here by itself. Dunlin brings a device to try with:</p>
      <Command text={`dunlin device --server ${uri}`} />
      <p>Or start the server with a few that move:</p>
      <Command text="dunlin serve --demo 3" />
      <p class="muted">
        Any other LwM2M client works too: give it the server URI <code>{uri}</code> and no security.
      </p>
    </div>
  );
}
