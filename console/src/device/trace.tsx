import { useEffect, useState } from "preact/hooks";
import { api, asProblem, type Problem } from "../api/client.ts";
import type { TraceItem } from "../api/types.ts";
import { PauseIcon } from "../components/icons.tsx";
import { ProblemNote, Spinner } from "../components/ui.tsx";
import { deviceUrl } from "../lib/path.ts";
import { absoluteTime, clockTime } from "../lib/time.ts";
import type { Session } from "./session.ts";

const REFRESH_MS = 2000;

/** The last CoAP messages to and from the device, newest first. */
export function TracePanel({ session }: { session: Session }) {
  const [items, setItems] = useState<TraceItem[] | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [paused, setPaused] = useState(false);

  useEffect(() => {
    if (paused) return;
    let ended = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const load = async (): Promise<void> => {
      try {
        const trace = await api.trace(session.endpoint);
        if (ended) return;
        setItems(trace.items.slice().reverse());
        setProblem(null);
      } catch (error) {
        if (!ended) setProblem(asProblem(error));
      }
      if (!ended) timer = setTimeout(() => void load(), REFRESH_MS);
    };
    void load();
    return () => {
      ended = true;
      clearTimeout(timer);
    };
  }, [session, paused]);

  return (
    <section class="card flush" aria-labelledby="trace-title">
      <div class="pad row wrap spread">
        <div>
          <h2 id="trace-title">CoAP trace</h2>
          <p class="muted">The last messages to and from the device, newest first. Open one to see it whole.</p>
        </div>
        <div class="row tight">
          <button type="button" class="small toggle" aria-pressed={paused} onClick={() => setPaused(!paused)}><PauseIcon /> Pause</button>
          <a class="button small" href={`${deviceUrl(session.endpoint)}/trace.pcap`} download={`${session.endpoint}.pcap`}>Download as pcap</a>
        </div>
      </div>
      {problem && <ProblemNote problem={problem} label="Could not load the trace" />}
      {!items && !problem && <p class="loading"><Spinner label="Loading the trace" /></p>}
      {items?.length === 0 && <p class="muted pad">No messages yet.</p>}
      <ol class="trace" aria-label="Messages, newest first">
        {items?.map((item) => (
          // What identifies a message, so that one that is open stays open while others arrive.
          <li key={`${item.time} ${item.direction} ${item.messageId ?? ""}`}><Message item={item} /></li>
        ))}
      </ol>
    </section>
  );
}

function Message({ item }: { item: TraceItem }) {
  const incoming = item.direction === "in";
  return (
    <details>
      <summary>
        <time class="mono muted" title={absoluteTime(item.time)}>{clockTime(item.time)}.{String(Math.floor((item.time % 1) * 1000)).padStart(3, "0")}</time>
        <span class={`way ${item.direction}`} title={incoming ? "from the device" : "to the device"}>{incoming ? "←" : "→"}<span class="visually-hidden">{incoming ? " from" : " to"} the device</span></span>
        <span class="mono log-text">{item.summary}</span>
      </summary>
      <dl class="facts small">
        <div><dt>Type</dt><dd>{item.type ?? "no CoAP message"}</dd></div>
        {item.code !== null && <div><dt>Code</dt><dd>{item.code}</dd></div>}
        {item.messageId !== null && <div><dt>Message ID</dt><dd class="mono">{item.messageId}</dd></div>}
        <div><dt>Token</dt><dd class="mono">{item.token || "none"}</dd></div>
        {item.options.map((option, at) => <div key={at}><dt>{option.name}</dt><dd class="mono">{option.value || "empty"}</dd></div>)}
      </dl>
      {item.decoded && <pre class="mono">{item.decoded}</pre>}
      {item.payload && <p class="mono muted small bytes">{item.payload.replace(/(..)(?=.)/g, "$1 ")}</p>}
    </details>
  );
}
