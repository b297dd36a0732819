import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { api, asProblem, type Problem } from "../api/client.ts";
import type { Credential, NewCredential } from "../api/types.ts";
import { Command, Dialog, ProblemNote, Spinner } from "../components/ui.tsx";

type Mode = Credential["mode"];
const KINDS: [mode: Mode, label: string][] = [["psk", "Pre-shared key"], ["rpk", "Raw public key"], ["x509", "Certificate"]];

/** What is typed of a credential. */
interface Draft {
  identity: string;
  /** Empty: the server draws one. */
  key: string;
  publicKey: string;
  certificate: string;
}
const EMPTY: Draft = { identity: "", key: "", publicKey: "", certificate: "" };

function materialOf(mode: Mode, draft: Draft): NewCredential {
  switch (mode) {
    case "psk": {
      const psk: NonNullable<NewCredential["psk"]> = {};
      if (draft.identity !== "") psk.identity = draft.identity;
      if (draft.key.trim() !== "") psk.key = draft.key.trim();
      return { psk };
    }
    case "rpk":
      return { rpk: { publicKey: draft.publicKey } };
    case "x509":
      return { x509: { certificate: draft.certificate } };
  }
}

export function AddDialog({ onClose, onDone }: { onClose: () => void; onDone: () => void }) {
  const [mode, setMode] = useState<Mode>("psk");
  const [endpoint, setEndpoint] = useState("");
  const send = (draft: Draft): Promise<Credential> => {
    const body = materialOf(mode, draft);
    return api.addCredential(endpoint === "" ? body : { endpoint, ...body });
  };
  return (
    <Editor title="Add a credential" action="Add" mode={mode} identityHint="the endpoint name" send={send} onClose={onClose} onDone={onDone}>
      <label class="field">
        <strong>Endpoint name</strong>
        <input aria-label="Endpoint name" required={mode !== "psk"} autocomplete="off" spellcheck={false} value={endpoint}
          onInput={(e) => setEndpoint(e.currentTarget.value)} />
        <span class="muted small">The one name that the device may register by.</span>
      </label>
      <label class="field">
        <strong>Kind</strong>
        <select aria-label="Kind" value={mode} onChange={(e) => setMode(e.currentTarget.value as Mode)}>
          {KINDS.map(([value, label]) => <option key={value} value={value}>{label}</option>)}
        </select>
      </label>
    </Editor>
  );
}

export function RotateDialog({ credential, onClose, onDone }: { credential: Credential; onClose: () => void; onDone: () => void }) {
  const { id, mode } = credential;
  return (
    <Editor title={`Rotate the credential of ${credential.endpoint}`} action="Rotate" mode={mode}
      identityHint={`as it is: ${credential.psk?.identity ?? credential.psk?.identityHex ?? ""}`}
      send={(draft) => api.rotateCredential(id, materialOf(mode, draft))} onClose={onClose} onDone={onDone}>
      <p class="muted">Sessions with what it was end at once; the device must be given the new one.</p>
    </Editor>
  );
}

interface EditorProps {
  title: string;
  action: string;
  mode: Mode;
  identityHint: string;
  send: (draft: Draft) => Promise<Credential>;
  onClose: () => void;
  onDone: () => void;
  children: ComponentChildren;
}

/** Asks for what a credential consists of, and shows a key that the server has drawn: once. */
function Editor({ title, action, mode, identityHint, send, onClose, onDone, children }: EditorProps) {
  const [draft, setDraft] = useState(EMPTY);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [made, setMade] = useState<Credential | null>(null);
  const submit = async (close: () => void): Promise<void> => {
    setBusy(true);
    try {
      const credential = await send(draft);
      onDone();
      setProblem(null);
      if (credential.psk?.key !== undefined || credential.warning !== undefined) setMade(credential);
      else close();
    } catch (error) {
      setProblem(asProblem(error));
    }
    setBusy(false);
  };
  const change = (name: keyof Draft) => (e: { currentTarget: HTMLInputElement | HTMLTextAreaElement }): void =>
    setDraft({ ...draft, [name]: e.currentTarget.value });
  return (
    <Dialog title={title} onClose={onClose}>
      {(close) => made ? <Made credential={made} onClose={close} /> : (
        <form aria-label={title} onSubmit={(e) => { e.preventDefault(); void submit(close); }}>
          {children}
          {mode === "psk" && (
            <div class="fields">
              <label>
                <span><strong>PSK identity</strong></span>
                <input aria-label="PSK identity" autocomplete="off" spellcheck={false} placeholder={identityHint} value={draft.identity} onInput={change("identity")} />
              </label>
              <label>
                <span><strong>Key</strong>, hexadecimal</span>
                <input aria-label="Key" class="mono" autocomplete="off" spellcheck={false} placeholder="drawn by the server" value={draft.key} onInput={change("key")} />
              </label>
            </div>
          )}
          {mode === "rpk" && (
            <TextOrFile label="Public key" hint="PEM (PUBLIC KEY), or the SubjectPublicKeyInfo in hexadecimal or base64" text={draft.publicKey}
              onText={(publicKey) => setDraft({ ...draft, publicKey })} />
          )}
          {mode === "x509" && (
            <TextOrFile label="Certificate" hint="PEM (CERTIFICATE), or DER in hexadecimal or base64" text={draft.certificate}
              onText={(certificate) => setDraft({ ...draft, certificate })} />
          )}
          {problem && <ProblemNote problem={problem} />}
          <footer class="row end">
            {busy && <Spinner label="Working" />}
            <button type="button" onClick={close}>Cancel</button>
            <button type="submit" class="primary" disabled={busy}>{action}</button>
          </footer>
        </form>
      )}
    </Dialog>
  );
}

function Made({ credential, onClose }: { credential: Credential; onClose: () => void }) {
  const key = credential.psk?.key;
  return (
    <>
      {key !== undefined && (
        <>
          <p><strong>Give this key to {credential.endpoint} now: it is not shown again.</strong> Its identity is <code>{credential.psk?.identity ?? credential.psk?.identityHex}</code>.</p>
          <Command text={key} />
        </>
      )}
      {credential.warning !== undefined && <p class="note warn">Taken, but {credential.warning}.</p>}
      <footer class="row end"><button type="button" class="primary" onClick={onClose}>Done</button></footer>
    </>
  );
}

function TextOrFile({ label, hint, text, onText }: { label: string; hint: string; text: string; onText: (text: string) => void }) {
  const load = async (file: File | undefined): Promise<void> => {
    if (!file) return;
    const bytes = new Uint8Array(await file.arrayBuffer());
    // DER is no text; the server takes it in hexadecimal.
    const isDer = bytes[0] === 0x30;
    onText(isDer ? Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("") : new TextDecoder().decode(bytes));
  };
  return (
    <div class="opaque-field">
      <textarea rows={5} required class="mono" spellcheck={false} aria-label={label} placeholder={hint} value={text} onInput={(e) => onText(e.currentTarget.value)} />
      <label class="button">
        From file…
        <input type="file" class="visually-hidden" aria-label={`${label} file`} onChange={(e) => void load(e.currentTarget.files?.[0])} />
      </label>
    </div>
  );
}
