import { useState } from "preact/hooks";
import type { Model } from "../api/types.ts";
import { EyeIcon, ReadIcon, SlidersIcon, TrashIcon } from "../components/icons.tsx";
import { Confirm } from "../components/ui.tsx";
import { formatPath } from "../lib/path.ts";
import { AttributesDialog, AttributeChips } from "./attributes.tsx";
import { OutcomeMark, OutcomeNote } from "./outcome.tsx";
import { ResourceRow } from "./resource.tsx";
import type { Session } from "./session.ts";
import { shapeInstance } from "./shape.ts";

interface Props {
  session: Session;
  object: number;
  instance: number;
  model: Model | null;
}

export function InstancePanel({ session, object, instance, model }: Props) {
  const path = formatPath(object, instance);
  const [dialog, setDialog] = useState<"delete" | "attributes" | null>(null);
  const [showAbsent, setShowAbsent] = useState(false);
  const resources = shapeInstance(object, instance, model, session.cells.value, session.links.value, session.wasRead(path));
  const absent = resources.filter((r) => r.presence === "no").length;
  const shown = showAbsent ? resources : resources.filter((r) => r.presence !== "no");
  const observed = session.observation(path);
  return (
    <section class="card flush instance" aria-labelledby={`i${path}`}>
      <header class="instance-head row wrap spread">
        <h3 id={`i${path}`}>
          Instance {instance} <span class="muted mono">{path}</span> <AttributeChips attributes={session.links.value.get(path)} />
        </h3>
        <div class="row wrap tight">
          <OutcomeMark session={session} path={path} />
          <button type="button" class="small" aria-label={`Read ${path}`} onClick={() => void session.read(path)}><ReadIcon /> Read</button>
          <button type="button" class="small toggle" aria-pressed={observed !== undefined} aria-label={`Observe ${path}`}
            onClick={() => void session.toggleObserve(path)}><EyeIcon /> Observe</button>
          <button type="button" class="small icon-only" aria-label={`Write attributes of ${path}`} title="Write attributes"
            onClick={() => setDialog("attributes")}><SlidersIcon /></button>
          {/* No device lets go of an object it must have. */}
          {(!model?.mandatory || model.multiple) && (
            <button type="button" class="small icon-only quiet-danger" aria-label={`Delete ${path}`} title="Delete this instance"
              onClick={() => setDialog("delete")}><TrashIcon /></button>
          )}
        </div>
      </header>
      <OutcomeNote session={session} path={path} />
      {observed?.state === "failed" && <p class="note warn">The observation failed: {observed.error ?? "no reason given"}</p>}
      <ul class="resources">
        {shown.map((resource) => <ResourceRow key={resource.id} session={session} resource={resource} />)}
      </ul>
      {shown.length === 0 && <p class="muted pad">No resources known yet. Read asks the device.</p>}
      {absent > 0 && (
        <button type="button" class="ghost small absent" aria-expanded={showAbsent} onClick={() => setShowAbsent(!showAbsent)}>
          {showAbsent ? "Hide" : "Show"} {absent} that this device does not have
        </button>
      )}
      {dialog === "attributes" && <AttributesDialog session={session} path={path} numeric={false} onClose={() => setDialog(null)} />}
      {dialog === "delete" && (
        <Confirm title={`Delete ${path}?`} text="The device removes this instance and all its values." action="Delete"
          onYes={() => void session.remove(path)} onClose={() => setDialog(null)} />
      )}
    </section>
  );
}
