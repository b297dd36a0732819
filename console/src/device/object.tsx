import { useEffect, useState } from "preact/hooks";
import type { Link, ObjectEntry } from "../api/types.ts";
import { EyeIcon, PlusIcon, ReadIcon, SlidersIcon } from "../components/icons.tsx";
import { CloseIcon } from "../components/icons.tsx";
import { Spinner } from "../components/ui.tsx";
import { READ_FORMATS } from "../lib/formats.ts";
import { readFormat, readOnOpen, readTimeout } from "../lib/settings.ts";
import { objectModel } from "../models/store.ts";
import { AttributesDialog, attributeText } from "./attributes.tsx";
import { CreateDialog } from "./create.tsx";
import { InstancePanel } from "./instance.tsx";
import { OutcomeNote } from "./outcome.tsx";
import type { Session } from "./session.ts";

// Opening an object of a device with many instances should not keep its radio busy.
const READ_AT_ONCE = 4;

interface Props {
  session: Session;
  entry: ObjectEntry;
  queueMode: boolean;
}

export function ObjectPanel({ session, entry, queueMode }: Props) {
  const path = `/${entry.id}`;
  const model = objectModel(entry.id, entry.version).value;
  const [dialog, setDialog] = useState<"create" | "attributes" | null>(null);
  const [links, setLinks] = useState<Link[] | null>(null);
  const observed = session.observation(path);

  useEffect(() => {
    if (readOnOpen.value === "yes" && !queueMode) void session.open(entry.id, entry.instances.slice(0, READ_AT_ONCE));
  }, [session, entry.id]);

  const name = model?.name ?? (model === null ? `Object ${entry.id}` : "…");
  const canCreate = model ? model.multiple || entry.instances.length === 0 : true;
  return (
    <section class="object" aria-labelledby="object-title">
      <div class="card object-head">
        <div class="row wrap spread">
          <h2 id="object-title">
            {name} <span class="muted mono">{path}</span>
            {(entry.version ?? model?.version) && <span class="muted small"> v{entry.version ?? model?.version}</span>}
          </h2>
          <div class="row wrap tight">
            <button type="button" class="small" onClick={() => void session.discover(path).then(setLinks)}>Discover</button>
            <button type="button" class="small icon-only" aria-label={`Write attributes of ${path}`} title="Write attributes"
              onClick={() => setDialog("attributes")}><SlidersIcon /></button>
            <button type="button" class="small toggle" aria-pressed={observed !== undefined}
              onClick={() => void session.toggleObserve(path)}><EyeIcon /> Observe all</button>
            {canCreate && (
              <button type="button" class="small" onClick={() => setDialog("create")}><PlusIcon /> Create</button>
            )}
          </div>
        </div>
        <div class="row wrap spread about">
          <p class="muted description">{model?.description}</p>
          <ReadSettings />
        </div>
        {model === null && (
          <p class="muted">The server has no definition of this object: resources show by number, types as the device sends them.</p>
        )}
        <OutcomeNote session={session} path={path} />
        {links && <Links links={links} onClose={() => setLinks(null)} />}
      </div>
      {model === undefined && <p class="loading"><Spinner label="Loading the definition" /></p>}
      {model !== undefined && entry.instances.map((instance) => (
        <InstancePanel key={instance} session={session} object={entry.id} instance={instance} model={model} />
      ))}
      {entry.instances.length === 0 && <p class="card muted">No instances{canCreate ? "; Create makes one." : "."}</p>}
      {dialog === "attributes" && <AttributesDialog session={session} path={path} numeric={false} onClose={() => setDialog(null)} />}
      {dialog === "create" && <CreateDialog session={session} object={entry.id} name={name} model={model ?? null}
        taken={entry.instances} onClose={() => setDialog(null)} />}
    </section>
  );
}

function ReadSettings() {
  return (
    <details class="read-settings">
      <summary class="muted"><ReadIcon /> How to read</summary>
      <div class="row wrap">
        <label>Format{" "}
          <select value={readFormat.value} onChange={(e) => (readFormat.value = e.currentTarget.value)}>
            <option value="">the best both know</option>
            {READ_FORMATS.map((f) => <option key={f} value={f}>{f}</option>)}
          </select>
        </label>
        <label>Wait{" "}
          <select value={readTimeout.value} onChange={(e) => (readTimeout.value = e.currentTarget.value)}>
            <option value="">as the server does</option>
            {["5", "30", "120", "600"].map((s) => <option key={s} value={s}>{s} s</option>)}
          </select>
        </label>
        <label class="row tight">
          <input type="checkbox" checked={readOnOpen.value === "yes"}
            onChange={(e) => (readOnOpen.value = e.currentTarget.checked ? "yes" : "no")} />
          Read when an object is opened (never in queue mode)
        </label>
      </div>
    </details>
  );
}

/** What the device answered to Discover, as it said it. */
function Links({ links, onClose }: { links: Link[]; onClose: () => void }) {
  return (
    <div class="links">
      <header class="row spread">
        <strong>{links.length} links</strong>
        <button type="button" class="ghost icon-only" aria-label="Close the links" onClick={onClose}><CloseIcon /></button>
      </header>
      <ul class="mono">
        {links.map((link) => (
          <li key={link.path}>
            {link.path} <span class="muted">{attributeText(link.attributes)}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}
