import { useState } from "preact/hooks";
import type { Problem } from "../api/client.ts";
import type { Attributes } from "../api/types.ts";
import { Dialog, ProblemNote } from "../components/ui.tsx";
import { attributeFields, diffAttributes } from "./attribute-fields.ts";
import type { Session } from "./session.ts";

/** The notification attributes a Discover told, as `pmin=10`. */
export function AttributeChips({ attributes }: { attributes: Attributes | undefined }) {
  if (!attributes) return null;
  return (
    <>
      {Object.entries(attributes)
        .filter(([key]) => key !== "dim")
        .map(([key, value]) => <span key={key} class="chip plain attr">{value === null || value === "" ? key : `${key}=${value}`}</span>)}
    </>
  );
}

export function attributeText(attributes: Attributes): string {
  return Object.entries(attributes).map(([key, value]) => (value === null || value === "" ? key : `${key}=${value}`)).join(" ");
}

interface Props {
  session: Session;
  path: string;
  /** Thresholds only make sense for numbers. */
  numeric: boolean;
  onClose: () => void;
}

export function AttributesDialog({ session, path, numeric, onClose }: Props) {
  const before = session.links.value.get(path) ?? {};
  const fields = attributeFields(numeric);
  const [texts, setTexts] = useState<Record<string, string>>(() =>
    Object.fromEntries(fields.map((f) => [f.name, before[f.name] == null ? "" : String(before[f.name])])),
  );
  const [complaint, setComplaint] = useState<string | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [busy, setBusy] = useState(false);

  const submit = async (close: () => void): Promise<void> => {
    const changed = diffAttributes(fields, before, texts);
    if (typeof changed === "string") return setComplaint(changed);
    setComplaint(null);
    if (Object.keys(changed).length === 0) return close();
    setBusy(true);
    const refused = await session.writeAttributes(path, changed);
    setBusy(false);
    setProblem(refused);
    if (!refused) close();
  };

  return (
    <Dialog title={`Attributes of ${path}`} onClose={onClose}>
      {(close) => (
        <form noValidate onSubmit={(e) => { e.preventDefault(); void submit(close); }}>
          <p class="muted">When the device notifies what is observed. An empty field leaves or takes the attribute away.</p>
          <div class="fields">
            {fields.map((field) => (
              <label key={field.name}>
                <span><strong class="mono">{field.name}</strong> {field.label}</span>
                <input type="text" inputMode="decimal" name={field.name} value={texts[field.name] ?? ""} placeholder={field.unit}
                  onInput={(e) => setTexts({ ...texts, [field.name]: e.currentTarget.value })} />
              </label>
            ))}
          </div>
          {complaint && <p class="complaint" role="alert">{complaint}</p>}
          {problem && <ProblemNote problem={problem} label="Write attributes" />}
          <footer class="row end">
            <button type="button" onClick={close}>Cancel</button>
            <button type="submit" class="primary" disabled={busy}>Write attributes</button>
          </footer>
        </form>
      )}
    </Dialog>
  );
}
