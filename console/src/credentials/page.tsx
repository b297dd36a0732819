import { useEffect, useMemo, useState } from "preact/hooks";
import { api, asProblem, type Problem } from "../api/client.ts";
import type { Credential, OwnKey } from "../api/types.ts";
import { PlusIcon, SearchIcon, TrashIcon } from "../components/icons.tsx";
import { Ago, Command, Confirm, ProblemNote, Spinner } from "../components/ui.tsx";
import { replaceRoute } from "../lib/router.ts";
import { formatRoute } from "../lib/route.ts";
import { pageSize } from "../lib/settings.ts";
import { AddDialog, RotateDialog } from "./edit.tsx";
import { ImportDialog } from "./import.tsx";
import { CredentialList } from "./list.ts";
import { Trust } from "./trust.tsx";

const MODES: Record<Credential["mode"], [name: string, why: string]> = {
  psk: ["PSK", "The device proves that it has a pre-shared key"],
  rpk: ["Public key", "The device proves that it has the private key to a raw public key"],
  x509: ["Certificate", "The device proves that it has the private key to one certificate"],
};

/** Which dialog is open. */
type Open = "add" | "import" | { rotate: Credential } | { remove: Credential } | null;

export function CredentialsPage({ q }: { q: string }) {
  const list = useMemo(() => new CredentialList(q), []);
  const [open, setOpen] = useState<Open>(null);
  const [refused, setRefused] = useState<Problem | null>(null);
  useEffect(() => () => list.end(), [list]);
  useEffect(() => {
    const timer = setTimeout(() => list.search(q), 180);
    return () => clearTimeout(timer);
  }, [q, list]);

  const remove = async (credential: Credential): Promise<void> => {
    try {
      await api.removeCredential(credential.id);
      setRefused(null);
    } catch (error) {
      setRefused(asProblem(error));
    }
    await list.load();
  };
  const close = (): void => setOpen(null);
  const changed = (): void => void list.load();
  const items = list.items.value;
  const problem = list.problem.value;
  return (
    <>
      <div class="page-head row wrap spread">
        <h1>Credentials {items && <span class="count" aria-label={`${list.total.value} in total`}>{list.total.value.toLocaleString("en")}</span>}</h1>
        <label class="search">
          <SearchIcon />
          <input type="search" placeholder="Find by endpoint or identity" aria-label="Find credentials by endpoint name or identity"
            value={q} onInput={(e) => replaceRoute({ view: "credentials", q: e.currentTarget.value })} />
        </label>
        <div class="row tight">
          <button type="button" onClick={() => setOpen("import")}>Import…</button>
          <button type="button" class="primary" onClick={() => setOpen("add")}><PlusIcon /> Add</button>
        </div>
      </div>
      {problem && <ProblemNote problem={problem} label="Could not load the list" />}
      {refused && <ProblemNote problem={refused} label="Not removed" onClose={() => setRefused(null)} />}
      {!items && !problem && <p class="loading"><Spinner label="Loading credentials" /></p>}
      {items && items.length > 0 && (
        <div class="card flush">
          <table class="devices credentials" aria-busy={list.loading.value}>
            <caption class="visually-hidden">Credentials</caption>
            <thead>
              <tr>
                <th scope="col">Endpoint</th>
                <th scope="col">Mode</th>
                <th scope="col">Identity</th>
                <th scope="col">Since</th>
                <th scope="col"><span class="visually-hidden">What can be done</span></th>
              </tr>
            </thead>
            <tbody>
              {items.map((one) => (
                <Row key={one.id} credential={one} onRotate={() => setOpen({ rotate: one })} onRemove={() => setOpen({ remove: one })} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      {items?.length === 0 && (q.trim() ? <NoMatch q={q} /> : <None onAdd={() => setOpen("add")} />)}
      {items && <Pager list={list} />}
      <Trust />
      <Own />
      {open === "add" && <AddDialog onClose={close} onDone={changed} />}
      {open === "import" && <ImportDialog onClose={close} onDone={changed} />}
      {open !== null && typeof open === "object" && "rotate" in open && (
        <RotateDialog credential={open.rotate} onClose={close} onDone={changed} />
      )}
      {open !== null && typeof open === "object" && "remove" in open && (
        <Confirm title={`Remove the credential of ${open.remove.endpoint}?`} action="Remove"
          text="Its sessions end, and the device cannot come back without another credential. If this is its last one, anybody may register this name without security, where the server allows that."
          onYes={() => void remove(open.remove)} onClose={close} />
      )}
    </>
  );
}

function Row({ credential, onRotate, onRemove }: { credential: Credential; onRotate: () => void; onRemove: () => void }) {
  const [name, why] = MODES[credential.mode];
  const short = credential.psk !== undefined && credential.psk.keyBytes < 16;
  return (
    <tr data-id={credential.id}>
      <th scope="row"><a href={formatRoute({ view: "device", endpoint: credential.endpoint, object: null })}>{credential.endpoint}</a></th>
      <td data-label="Mode">
        <span class="state">
          <span class="chip calm" title={why}>{name}</span>
          {short && <span class="chip warn" title={`The key has ${credential.psk?.keyBytes} bytes; 16 or more are safe`}>short key</span>}
        </span>
      </td>
      <td data-label="Identity" class="mono identity">{identityOf(credential)}</td>
      <td data-label="Since">
        <Ago key={credential.rotatedAt ?? credential.createdAt} time={credential.rotatedAt ?? credential.createdAt} />{" "}
        {credential.rotatedAt !== null && <span class="muted">rotated</span>}
      </td>
      <td class="deeds">
        <div class="row tight end">
          <button type="button" class="small" aria-label={`Rotate the credential of ${credential.endpoint}`} onClick={onRotate}>Rotate</button>
          <button type="button" class="ghost quiet-danger icon-only small" aria-label={`Remove the credential of ${credential.endpoint}`} onClick={onRemove}>
            <TrashIcon />
          </button>
        </div>
      </td>
    </tr>
  );
}

/** What tells it from others: the identity of a PSK, else a hash. */
export function identityOf(credential: Credential): string {
  if (credential.psk) return credential.psk.identity ?? `hex ${credential.psk.identityHex}`;
  const hash = credential.rpk?.sha256 ?? credential.x509?.sha256 ?? "";
  return `SHA-256 ${hash.slice(0, 16)}…`;
}

function Pager({ list }: { list: CredentialList }) {
  const page = list.cursors.value.length;
  const shown = list.items.value?.length ?? 0;
  if (page === 0 && !list.next.value) return null;
  const from = page * Number(pageSize.value) + 1;
  return (
    <nav class="pager row wrap end" aria-label="Pages of credentials">
      <span class="muted" role="status">
        {from.toLocaleString("en")}–{(from + shown - 1).toLocaleString("en")} of {list.total.value.toLocaleString("en")}
      </span>
      <button type="button" disabled={page === 0} onClick={() => list.back()}>Previous</button>
      <button type="button" disabled={!list.next.value} onClick={() => list.forward()}>Next</button>
    </nav>
  );
}

function NoMatch({ q }: { q: string }) {
  return (
    <div class="empty">
      <h2>No credential matches “{q}”</h2>
      <p class="muted">The search looks for a part of the endpoint name or of the PSK identity; case does not matter.</p>
      <button type="button" onClick={() => replaceRoute({ view: "credentials", q: "" })}>Show all credentials</button>
    </div>
  );
}

function None({ onAdd }: { onAdd: () => void }) {
  return (
    <div class="empty card">
      <h2>No device has a credential yet</h2>
      <p>With one a device connects over DTLS, and nobody else can register by its name. A pre-shared key is the simplest.</p>
      <button type="button" class="primary" onClick={onAdd}>Add the first</button>
      <p class="muted">Or from a terminal:</p>
      <Command text="dunlin credentials add my-first" />
    </div>
  );
}

/** The public key that devices are to know the server by. */
function Own() {
  const [own, setOwn] = useState<OwnKey | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  useEffect(() => {
    api.ownKey().then(setOwn, (error: unknown) => setProblem(asProblem(error)));
  }, []);
  if (problem) return <ProblemNote problem={problem} label="The server's own key" />;
  if (!own) return null;
  return (
    <section class="card own-key" aria-labelledby="own-title">
      <div>
        <h2 id="own-title">The server's own public key</h2>
        <p class="muted">A device with a raw public key is to hold it in <code>/0/x/4</code>; with a pre-shared key it is not needed.</p>
      </div>
      <dl class="facts">
        <div><dt>SHA-256</dt><dd class="mono">{own.sha256}</dd></div>
        <div><dt>Made</dt><dd><Ago time={own.createdAt} /></dd></div>
        {own.certificates !== null && <div><dt>Certificates</dt><dd>{own.certificates.split("-----BEGIN").length - 1}</dd></div>}
      </dl>
      <details>
        <summary>SubjectPublicKeyInfo, to copy</summary>
        <Command text={own.publicKey} />
      </details>
    </section>
  );
}
