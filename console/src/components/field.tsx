import { useId, useState } from "preact/hooks";
import { base64ToBytes, bytesToBase64, bytesToHex } from "../lib/base64.ts";
import { toLocalInput } from "../lib/time.ts";
import { serverNow } from "../lib/clock.ts";
import { parseInput, type Encoding, type Kind, type Parsed } from "../lib/value.ts";

/** What an input holds while it is edited. */
export interface Draft {
  text: string;
  encoding: Encoding;
}

export function draftOf(text: string): Draft {
  return { text, encoding: "hex" };
}

export function parseDraft(kind: Kind, draft: Draft): Parsed {
  return parseInput(kind, draft.text, draft.encoding);
}

/** The browser's own `autofocus` only works while a page loads. */
export function focusOnce(el: HTMLElement | null, wanted = true): void {
  if (!el || !wanted || el.dataset.focused) return;
  el.dataset.focused = "1";
  el.focus();
}

interface Props {
  kind: Kind;
  label: string;
  draft: Draft;
  onChange: (draft: Draft) => void;
  hint?: string;
  autoFocus?: boolean;
}

/** One input for a value of a resource, by its type. */
export function ValueField(props: Props) {
  const id = useId();
  const { kind, draft, onChange } = props;
  const setText = (text: string): void => onChange({ ...draft, text });
  const common = {
    id,
    "aria-label": props.label,
    ref: (el: HTMLElement | null) => focusOnce(el, props.autoFocus),
  };
  const type = (event: { currentTarget: HTMLInputElement | HTMLTextAreaElement }): void =>
    setText(event.currentTarget.value);

  switch (kind) {
    case "boolean":
      return (
        <div class="switch-row">
          <input {...common} type="checkbox" role="switch" class="switch" checked={draft.text === "true"}
            onChange={(e) => setText(e.currentTarget.checked ? "true" : "false")} />
          <span>{draft.text === "true" ? "true" : "false"}</span>
        </div>
      );
    case "integer":
    case "unsigned":
      return <input {...common} type="number" step="1" inputMode="numeric" min={kind === "unsigned" ? 0 : undefined}
        placeholder={props.hint} value={draft.text} onInput={type} />;
    case "float":
      return <input {...common} type="text" inputMode="decimal" placeholder={props.hint ?? "21.5"} value={draft.text} onInput={type} />;
    case "time":
      return (
        <div class="row tight">
          <input {...common} type="datetime-local" step="1" value={draft.text} onInput={type} />
          <button type="button" onClick={() => setText(toLocalInput(serverNow()))}>
            Now
          </button>
        </div>
      );
    case "objlnk":
      return <input {...common} type="text" placeholder="3303:0" value={draft.text} onInput={type} />;
    case "opaque":
      return <OpaqueField {...props} />;
    default:
      return <input {...common} type="text" placeholder={props.hint} value={draft.text} onInput={type} />;
  }
}

function OpaqueField({ draft, onChange, label, autoFocus }: Props) {
  const [file, setFile] = useState("");
  const parsed = parseInput("opaque", draft.text, draft.encoding);
  const size = parsed.ok ? base64ToBytes(parsed.value as string)?.length : undefined;

  const recode = (encoding: Encoding): void => {
    // Switching the notation keeps the bytes when they can be read.
    const bytes = parsed.ok ? base64ToBytes(parsed.value as string) : null;
    if (!bytes) return onChange({ ...draft, encoding });
    const text =
      encoding === "hex" ? bytesToHex(bytes) : encoding === "base64" ? bytesToBase64(bytes) : new TextDecoder().decode(bytes);
    onChange({ text, encoding });
  };
  const load = async (input: HTMLInputElement): Promise<void> => {
    const chosen = input.files?.[0];
    if (!chosen) return;
    setFile(chosen.name);
    onChange({ text: bytesToBase64(new Uint8Array(await chosen.arrayBuffer())), encoding: "base64" });
  };
  return (
    <div class="opaque-field">
      <textarea rows={3} aria-label={label} spellcheck={false} class="mono" value={draft.text}
        ref={(el) => focusOnce(el, autoFocus)} onInput={(e) => onChange({ ...draft, text: e.currentTarget.value })} />
      <div class="row wrap tight">
        <select aria-label="Notation" value={draft.encoding} onChange={(e) => recode(e.currentTarget.value as Encoding)}>
          <option value="hex">Hex</option>
          <option value="base64">Base64</option>
          <option value="text">Text</option>
        </select>
        <label class="button">
          {file || "From file…"}
          <input type="file" class="visually-hidden" onChange={(e) => void load(e.currentTarget)} />
        </label>
        {size !== undefined && <span class="muted">{size} bytes</span>}
      </div>
    </div>
  );
}
