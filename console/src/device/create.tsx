import { useState } from "preact/hooks";
import type { Problem } from "../api/client.ts";
import type { LwRecord, Model } from "../api/types.ts";
import { draftOf, parseDraft, ValueField, type Draft } from "../components/field.tsx";
import { Dialog, ProblemNote } from "../components/ui.tsx";
import { formatPath } from "../lib/path.ts";
import { kindOf } from "../lib/value.ts";
import type { Session } from "./session.ts";

// Stands for the instance in paths while the device has not chosen its number.
const DEVICE_CHOOSES = 65535;

interface Props {
  session: Session;
  object: number;
  name: string;
  model: Model | null;
  taken: number[];
  onClose: () => void;
}

export function CreateDialog({ session, object, name, model, taken, onClose }: Props) {
  // A new instance may set what can be read only later on, too (Core 1.2 §6.3.5); Execute has no value.
  const resources = (model?.resources ?? []).filter((r) => /[RW]/.test(r.operations));
  const ordered = [...resources.filter((r) => r.mandatory), ...resources.filter((r) => !r.mandatory)];
  const [instance, setInstance] = useState("");
  const [drafts, setDrafts] = useState<Record<number, Draft | undefined>>(() =>
    Object.fromEntries(ordered.filter((r) => r.mandatory).map((r) => [r.id, draftOf(kindOf(r.type) === "boolean" ? "false" : "")])),
  );
  const [complaint, setComplaint] = useState<string | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [busy, setBusy] = useState(false);

  const submit = async (close: () => void): Promise<void> => {
    const id = instance.trim() === "" ? null : Number(instance);
    if (id !== null && (!Number.isInteger(id) || id < 0 || id > 65534)) return setComplaint("The instance is a number from 0 to 65534.");
    if (id !== null && taken.includes(id)) return setComplaint(`Instance ${id} exists already.`);
    const records: LwRecord[] = [];
    for (const r of ordered) {
      const draft = drafts[r.id];
      if (!draft) continue;
      const kind = kindOf(r.type);
      const parsed = parseDraft(kind, draft);
      if (!parsed.ok) return setComplaint(`${r.name}: ${parsed.why}`);
      const path = formatPath(object, id ?? DEVICE_CHOOSES, r.id);
      records.push({ path: r.multiple ? `${path}/0` : path, value: parsed.value });
    }
    setComplaint(null);
    setBusy(true);
    const refused = await session.create(object, id, records);
    setBusy(false);
    setProblem(refused);
    if (!refused) close();
  };

  return (
    <Dialog title={`Create ${name}`} onClose={onClose}>
      {(close) => (
        <form noValidate onSubmit={(e) => { e.preventDefault(); void submit(close); }}>
          <div class="fields">
            <label>
              <span>Instance number</span>
              <input type="number" min="0" max="65534" placeholder="the device chooses" value={instance} onInput={(e) => setInstance(e.currentTarget.value)} />
            </label>
            {ordered.map((r) => {
              const draft = drafts[r.id];
              const kind = kindOf(r.type);
              return (
                <div class="field" key={r.id}>
                  <label class="row tight">
                    <input type="checkbox" checked={draft !== undefined}
                      onChange={(e) => setDrafts({ ...drafts, [r.id]: e.currentTarget.checked ? draftOf(kind === "boolean" ? "false" : "") : undefined })} />
                    <span class="id">{r.id}</span> {r.name} {r.mandatory && <span class="muted">(mandatory)</span>}
                  </label>
                  {draft && <ValueField kind={kind} label={r.name} draft={draft} hint={r.range || r.type}
                    onChange={(d) => setDrafts({ ...drafts, [r.id]: d })} />}
                </div>
              );
            })}
          </div>
          {!model && <p class="muted">Without a definition the instance is created empty.</p>}
          {complaint && <p class="complaint" role="alert">{complaint}</p>}
          {problem && <ProblemNote problem={problem} label="Create" />}
          <footer class="row end">
            <button type="button" onClick={close}>Cancel</button>
            <button type="submit" class="primary" disabled={busy}>Create</button>
          </footer>
        </form>
      )}
    </Dialog>
  );
}
