import { useState } from "preact/hooks";
import { api, asProblem, type Problem } from "../api/client.ts";
import type { ImportReport } from "../api/types.ts";
import { Dialog, ProblemNote, Spinner } from "../components/ui.tsx";

/** Lines of a report that are shown; the rest is for a terminal. */
const SHOWN = 500;

/** Many credentials from a file: dropped or chosen, then a report. */
export function ImportDialog({ onClose, onDone }: { onClose: () => void; onDone: () => void }) {
  const [over, setOver] = useState(false);
  const [busy, setBusy] = useState("");
  const [problem, setProblem] = useState<Problem | null>(null);
  const [report, setReport] = useState<ImportReport | null>(null);
  const take = async (file: File | null | undefined): Promise<void> => {
    if (!file) return;
    setBusy(file.name);
    setProblem(null);
    try {
      setReport(await api.importCredentials(file));
    } catch (error) {
      setProblem(asProblem(error));
    }
    onDone();
    setBusy("");
  };
  return (
    <Dialog title="Import credentials" onClose={onClose}>
      {(close) => (
        <>
          {report ? <Report report={report} /> : (
            <>
              <div class={`drop ${over ? "over" : ""}`}
                onDragOver={(e) => { e.preventDefault(); setOver(true); }}
                onDragLeave={() => setOver(false)}
                onDrop={(e) => { e.preventDefault(); setOver(false); void take(e.dataTransfer?.files[0]); }}>
                {busy !== "" ? <><Spinner label="Importing" /> <span>{busy}</span></> : (
                  <>
                    <p>Drop a file here, or</p>
                    <label class="button">
                      Choose a file…
                      <input type="file" class="visually-hidden" aria-label="File to import" onChange={(e) => void take(e.currentTarget.files?.[0])} />
                    </label>
                  </>
                )}
              </div>
              <p class="muted small">
                CSV with the columns <code>endpoint,identity,key</code>, or with a header of some of <code>endpoint</code>, <code>identity</code>,{" "}
                <code>identityHex</code>, <code>key</code>, <code>publicKey</code>, <code>certificate</code>; or one JSON object a line. Lines that are
                right are taken, also when others are wrong.
              </p>
            </>
          )}
          {problem && <ProblemNote problem={problem} />}
          <footer class="row end"><button type="button" class={report ? "primary" : ""} onClick={close}>{report ? "Done" : "Cancel"}</button></footer>
        </>
      )}
    </Dialog>
  );
}

function Report({ report }: { report: ImportReport }) {
  const keys = report.lines.some((line) => line.key !== undefined);
  // What needs a person comes first.
  const lines = [...report.lines].sort((a, b) => Number(a.ok) - Number(b.ok) || a.line - b.line);
  return (
    <>
      <p role="status">
        <strong>{report.imported.toLocaleString("en")} added</strong>
        {report.failed > 0 && <>, <strong class="complaint">{report.failed.toLocaleString("en")} not taken</strong></>}
      </p>
      {keys && <p class="note warn">Keys that the server has drawn are not shown again: copy them now.</p>}
      <div class="report">
        <table>
          <caption class="visually-hidden">What became of each line</caption>
          <thead><tr><th scope="col">Line</th><th scope="col">Outcome</th></tr></thead>
          <tbody>
            {lines.slice(0, SHOWN).map((line) => (
              <tr key={line.line} class={line.ok ? "" : "bad"}>
                <td>{line.line}</td>
                <td>
                  {line.ok ? <>{line.endpoint} added</> : line.error}
                  {line.key !== undefined && <> <code>{line.key}</code></>}
                  {line.warning !== undefined && <span class="muted"> {line.warning}</span>}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {lines.length > SHOWN && <p class="muted small">{(lines.length - SHOWN).toLocaleString("en")} more lines are not shown here.</p>}
    </>
  );
}
