import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Problem } from "../api/client.ts";
import { now } from "../lib/clock.ts";
import { absoluteTime, ago, span } from "../lib/time.ts";
import { CloseIcon, CopyIcon, WarnIcon } from "./icons.tsx";

/** "5 s ago", ticking; the exact time on hover. */
export function Ago({ time }: { time: number }) {
  return (
    <time dateTime={new Date(time * 1000).toISOString()} title={absoluteTime(time)}>
      {ago(time, now.value)}
    </time>
  );
}

/** "in 4 min", or how long overdue. */
export function Until({ time }: { time: number | null }) {
  if (time === null) return <span>never</span>;
  const left = time - now.value;
  return (
    <time dateTime={new Date(time * 1000).toISOString()} title={absoluteTime(time)}>
      {left >= 0 ? `in ${span(left)}` : `${span(-left)} overdue`}
    </time>
  );
}

/** What was refused and why, where it happened. */
export function ProblemNote({ problem, label, onClose }: { problem: Problem; label?: string; onClose?: () => void }) {
  return (
    <div class="note problem" role="alert">
      <WarnIcon />
      <div class="grow">
        <strong>
          {label ? `${label}: ` : ""}
          {problem.title}
        </strong>{" "}
        {problem.coapCode && (
          <span class="chip bad" title="The device's CoAP response code">
            {problem.coapCode}
          </span>
        )}
        {problem.detail && <p>{problem.detail}</p>}
      </div>
      {onClose && (
        <button type="button" class="ghost icon-only" aria-label="Dismiss" onClick={onClose}>
          <CloseIcon />
        </button>
      )}
    </div>
  );
}

interface DialogProps {
  title: string;
  onClose: () => void;
  children: (close: () => void) => ComponentChildren;
}

/** A modal dialog: the browser's own, which traps focus, closes on Escape and gives focus back. */
export function Dialog(props: DialogProps) {
  const ref = useRef<HTMLDialogElement>(null);
  // Before the next paint: an Escape typed at once must find it open.
  useLayoutEffect(() => {
    ref.current?.showModal();
  }, []);
  // Always through close(): only then does the browser give focus back to the button that opened it.
  const close = (): void => ref.current?.close();
  return (
    <dialog ref={ref} aria-label={props.title} onClose={props.onClose} onClick={(e) => e.target === ref.current && close()}>
      <div class="dialog-body">
        <header class="row spread">
          <h2>{props.title}</h2>
          <button type="button" class="ghost icon-only" aria-label="Close" onClick={close}>
            <CloseIcon />
          </button>
        </header>
        {props.children(close)}
      </div>
    </dialog>
  );
}

export function Confirm(props: { title: string; text: string; action: string; onYes: () => void; onClose: () => void }) {
  return (
    <Dialog title={props.title} onClose={props.onClose}>
      {(close) => (
        <>
          <p>{props.text}</p>
          <footer class="row end">
            <button type="button" onClick={close}>
              Cancel
            </button>
            <button
              type="button"
              class="danger"
              onClick={() => {
                close();
                props.onYes();
              }}
            >
              {props.action}
            </button>
          </footer>
        </>
      )}
    </Dialog>
  );
}

/** A command to paste into a terminal. */
export function Command({ text }: { text: string }) {
  const [copied, setCopied] = useState(false);
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text);
      setCopied(true);
      setTimeout(() => setCopied(false), 1500);
    } catch {
      // Without a secure context there is no clipboard; the text can still be selected.
    }
  };
  return (
    <div class="command">
      <code>{text}</code>
      <button type="button" class="ghost icon-only" aria-label={`Copy: ${text}`} onClick={() => void copy()}>
        {copied ? "✓" : <CopyIcon />}
      </button>
    </div>
  );
}

export function Spinner({ label }: { label: string }) {
  return (
    <span class="spinner" role="status">
      <span class="visually-hidden">{label}</span>
    </span>
  );
}
