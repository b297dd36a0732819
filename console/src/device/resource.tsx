import { useState } from "preact/hooks";
import { EyeIcon, PlusIcon, ReadIcon, RunIcon, SlidersIcon, WriteIcon } from "../components/icons.tsx";
import { isNumeric } from "../lib/value.ts";
import { AttributesDialog, AttributeChips } from "./attributes.tsx";
import { AddEditor, ExecuteEditor, WriteEditor } from "./editors.tsx";
import { OutcomeMark, OutcomeNote } from "./outcome.tsx";
import type { Session } from "./session.ts";
import { unitLabel, type ResourceShape } from "./shape.ts";
import { Value } from "./value.tsx";

type Open = { what: "write"; path: string } | { what: "add" } | { what: "execute" } | null;

export function ResourceRow({ session, resource }: { session: Session; resource: ResourceShape }) {
  const { path, name, parts, cell } = resource;
  const [open, setOpen] = useState<Open>(null);
  const [attributes, setAttributes] = useState(false);
  const wish = session.observation(path);
  const observed = wish !== undefined;
  const close = (): void => setOpen(null);
  const toggle = (to: Exclude<Open, null>): void => setOpen(open?.what === to.what ? null : to);
  return (
    <li class={`resource${session.isObserved(path) ? " observed" : ""}${resource.presence === "no" ? " absent-row" : ""}`} data-path={path}>
      <span class="id">{resource.id}</span>
      <div class="name">
        <span title={resource.description || undefined}>{name}</span>
        <AttributeChips attributes={resource.attributes} />
        {wish && wish.state !== "active" && (
          <span class={`chip ${wish.state === "failed" ? "bad" : "warn"}`} title={wish.error ?? undefined}>observation {wish.state}</span>
        )}
      </div>
      <div class="value">
        {cell && <Value kind={resource.kind} cell={cell} unit={unitLabel(resource.units)} />}
        {parts.map((part) => (
          <div class="part" key={part.id}>
            <span class="id">{part.id}</span>
            <Value kind={resource.kind} cell={part.cell} unit={unitLabel(resource.units)} />
            {resource.writable && (
              <button type="button" class="ghost icon-only tiny" aria-label={`Write ${part.path}`} title="Write"
                onClick={() => setOpen({ what: "write", path: part.path })}><WriteIcon /></button>
            )}
            <OutcomeMark session={session} path={part.path} />
          </div>
        ))}
        {!cell && parts.length === 0 && resource.readable && <span class="muted">–</span>}
      </div>
      <div class="actions">
        <OutcomeMark session={session} path={path} />
        {resource.executable && (
          <button type="button" class="small" aria-label={`Execute ${name}`} aria-expanded={open?.what === "execute"}
            onClick={() => toggle({ what: "execute" })}><RunIcon /> Execute</button>
        )}
        {resource.writable && !resource.multiple && (
          <button type="button" class="small icon-only" aria-label={`Write ${name}`} title="Write" aria-expanded={open?.what === "write"}
            onClick={() => toggle({ what: "write", path })}><WriteIcon /></button>
        )}
        {resource.writable && resource.multiple && (
          <button type="button" class="small icon-only" aria-label={`Add a value to ${name}`} title="Add a value" aria-expanded={open?.what === "add"}
            onClick={() => toggle({ what: "add" })}><PlusIcon /></button>
        )}
        {resource.readable && (
          <>
            <button type="button" class="small icon-only" aria-label={`Read ${name}`} title="Read"
              onClick={() => void session.read(path)}><ReadIcon /></button>
            <button type="button" class="small icon-only toggle" aria-label={`Observe ${name}`} aria-pressed={observed}
              title={observed ? "Stop observing" : "Observe"} onClick={() => void session.toggleObserve(path)}><EyeIcon /></button>
            <button type="button" class="small icon-only" aria-label={`Write attributes of ${name}`} title="Write attributes"
              onClick={() => setAttributes(true)}><SlidersIcon /></button>
          </>
        )}
      </div>
      <div class="below">
        {open?.what === "write" && <WriteEditor key={open.path} session={session} resource={resource} path={open.path} onClose={close} />}
        {open?.what === "add" && <AddEditor session={session} resource={resource} onClose={close} />}
        {open?.what === "execute" && <ExecuteEditor session={session} resource={resource} onClose={close} />}
        <OutcomeNote session={session} path={path} />
        {parts.map((part) => <OutcomeNote key={part.id} session={session} path={part.path} />)}
      </div>
      {attributes && (
        <AttributesDialog session={session} path={path} numeric={isNumeric(resource.kind)} onClose={() => setAttributes(false)} />
      )}
    </li>
  );
}
