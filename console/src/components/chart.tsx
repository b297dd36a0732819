import { useEffect, useRef } from "preact/hooks";
import type uPlot from "uplot";
import type { ReadonlySignal } from "@preact/signals";
import type { Series } from "../lib/series.ts";
import { theme } from "../lib/settings.ts";
import { clockTime } from "../lib/time.ts";
import { formatNumber } from "../lib/value.ts";

const HEIGHT = 150;

/** A line over time that grows as points arrive. uPlot is fetched with the first chart. */
export function Chart({ series, label }: { series: ReadonlySignal<Series>; label: string }) {
  const host = useRef<HTMLDivElement>(null);

  useEffect(() => {
    const el = host.current;
    if (!el) return;
    let plot: uPlot | null = null;
    let ended = false;
    const stops: (() => void)[] = [];
    void import("uplot").then(({ default: UPlot }) => {
      if (ended) return;
      plot = new UPlot(options(el, el.clientWidth), data(series.value), el);
      const resize = new ResizeObserver(() => plot?.setSize({ width: el.clientWidth, height: HEIGHT }));
      resize.observe(el);
      stops.push(() => resize.disconnect());
      stops.push(series.subscribe((s) => plot?.setData(data(s))));
      const redraw = (): void => plot?.redraw();
      stops.push(theme.subscribe(() => requestAnimationFrame(redraw)));
      const dark = matchMedia("(prefers-color-scheme: dark)");
      dark.addEventListener("change", redraw);
      stops.push(() => dark.removeEventListener("change", redraw));
    });
    return () => {
      ended = true;
      for (const stop of stops) stop();
      plot?.destroy();
    };
  }, [series]);

  const { values } = series.value;
  const last = values[values.length - 1];
  return (
    <div
      class="chart"
      role="img"
      aria-label={`${label}: ${values.length} points${last === undefined ? "" : `, latest ${formatNumber(last)}`}`}
      data-points={values.length}
      ref={host}
    />
  );
}

function data(series: Series): uPlot.AlignedData {
  return [series.times, series.values];
}

function options(el: HTMLElement, width: number): uPlot.Options {
  // A canvas cannot use CSS variables; the stylesheet puts the colours on these properties of the host.
  const css = getComputedStyle(el);
  const line = (): string => css.caretColor;
  const axis: uPlot.Axis = {
    stroke: () => css.color,
    grid: { stroke: () => css.borderTopColor, width: 1 },
    ticks: { show: false },
    font: "11px system-ui, sans-serif",
  };
  return {
    width,
    height: HEIGHT,
    padding: [8, 28, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { size: 7 } },
    scales: { y: { range: yRange } },
    series: [
      {},
      {
        stroke: line,
        width: 2,
        fill: () => css.outlineColor,
        points: { show: (u) => (u.data[0]?.length ?? 0) < 40, size: 5, stroke: line, fill: line },
      },
    ],
    axes: [
      { ...axis, space: 90, size: 28, values: (_u, splits) => splits.map((s) => clockTime(s)) },
      { ...axis, size: 48, space: 28, values: (_u, splits) => splits.map((s) => formatNumber(s)) },
    ],
    hooks: { setCursor: [showPoint] },
  };
}

/** Room around the line; a flat line in the middle. */
function yRange(_u: uPlot, low: number | null, high: number | null): [number, number] {
  if (low === null || high === null) return [0, 1];
  const pad = high > low ? (high - low) * 0.12 : Math.max(Math.abs(high) * 0.02, 0.5);
  return [low - pad, high + pad];
}

/** The value under the pointer, written into the card's corner. */
function showPoint(u: uPlot): void {
  const out = u.root.closest(".chart-card")?.querySelector(".chart-hover");
  if (!out) return;
  const i = u.cursor.idx;
  const time = i == null ? undefined : u.data[0]?.[i];
  const value = i == null ? undefined : u.data[1]?.[i];
  out.textContent = time === undefined || value == null ? "" : `${clockTime(time)}  ${formatNumber(value)}`;
}
