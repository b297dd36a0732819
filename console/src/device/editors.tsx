import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { draftOf, focusOnce, parseDraft, ValueField, type Draft } from "../components/field.tsx";
import { toInput } from "../lib/value.ts";
import type { Session } from "./session.ts";
import { unitLabel, type ResourceShape } from "./shape.ts";

/** The forms that open below a resource. */

interface Props {
  session: Session;
  resource: ResourceShape;
  onClose: () => void;
}

export function WriteEditor({ session, resource, path, onClose }: Props & { path: string }) {
  const current = resource.parts.find((p) => p.path === path)?.cell ?? resource.cell;
  const [draft, setDraft] = useState<Draft>(draftOf(toInput(resource.kind, current?.record.value)));
  const [complaint, setComplaint] = useState<string | null>(null);
  const submit = async (): Promise<void> => {
    const parsed = parseDraft(resource.kind, draft);
    if (!parsed.ok) return setComplaint(parsed.why);
    setComplaint(null);
    // On a refusal the form stays with what was typed.
    if (await session.write(path, parsed.value, { type: resource.heardType, readBack: resource.readable })) onClose();
  };
  return (
    <Form label={`Write ${path}`} action="Write" complaint={complaint} onSubmit={submit} onClose={onClose}>
      <ValueField kind={resource.kind} label={`New value of ${resource.name}`} draft={draft} onChange={setDraft} autoFocus />
      <Hints resource={resource} />
    </Form>
  );
}

export function AddEditor({ session, resource, onClose }: Props) {
  const free = Math.max(-1, ...resource.parts.map((p) => p.id)) + 1;
  const [id, setId] = useState(String(free));
  const [draft, setDraft] = useState<Draft>(draftOf(toInput(resource.kind, undefined)));
  const [complaint, setComplaint] = useState<string | null>(null);
  const submit = async (): Promise<void> => {
    const parsed = parseDraft(resource.kind, draft);
    if (!/^\d{1,5}$/.test(id) || Number(id) > 65534) return setComplaint("The number of the value is 0 to 65534.");
    if (!parsed.ok) return setComplaint(parsed.why);
    setComplaint(null);
    if (await session.addResourceInstance(resource.path, { path: `${resource.path}/${id}`, value: parsed.value, type: resource.heardType })) onClose();
  };
  return (
    <Form label={`Add a value to ${resource.path}`} action="Add" complaint={complaint} onSubmit={submit} onClose={onClose}>
      <input class="short" type="number" min="0" max="65534" aria-label="Number of the value" value={id} onInput={(e) => setId(e.currentTarget.value)} />
      <ValueField kind={resource.kind} label={`New value of ${resource.name}`} draft={draft} onChange={setDraft} autoFocus />
      <Hints resource={resource} />
    </Form>
  );
}

export function ExecuteEditor({ session, resource, onClose }: Props) {
  const [args, setArgs] = useState("");
  const submit = async (): Promise<void> => {
    if (await session.execute(resource.path, args.trim())) onClose();
  };
  return (
    <Form label={`Execute ${resource.path}`} action="Execute now" complaint={null} onSubmit={submit} onClose={onClose}>
      <input type="text" aria-label={`Arguments for ${resource.name}`} placeholder="Arguments, if any: 0='x',1" value={args}
        ref={(el) => focusOnce(el)}
        onInput={(e) => setArgs(e.currentTarget.value)} spellcheck={false} />
      {resource.description && <p class="muted hint">{resource.description}</p>}
    </Form>
  );
}

function Hints({ resource }: { resource: ResourceShape }) {
  const hints = [resource.kind !== "none" ? resource.kind : "", unitLabel(resource.units), resource.range && `range ${resource.range}`];
  return <p class="muted hint">{hints.filter(Boolean).join(" · ")}{resource.description ? ` — ${resource.description}` : ""}</p>;
}

function Form(props: {
  label: string;
  action: string;
  complaint: string | null;
  onSubmit: () => Promise<void>;
  onClose: () => void;
  children: ComponentChildren;
}) {
  const [busy, setBusy] = useState(false);
  return (
    <form class="editor" aria-label={props.label} noValidate
      onKeyDown={(e) => e.key === "Escape" && props.onClose()}
      onSubmit={(e) => {
        e.preventDefault();
        if (busy) return;
        setBusy(true);
        void props.onSubmit().finally(() => setBusy(false));
      }}>
      {props.children}
      {props.complaint && <p class="complaint" role="alert">{props.complaint}</p>}
      <div class="row tight">
        <button type="submit" class="primary" disabled={busy}>{props.action}</button>
        <button type="button" class="ghost" onClick={props.onClose}>Cancel</button>
      </div>
    </form>
  );
}
