import type { Device } from "../api/types.ts";
import { Chart } from "../components/chart.tsx";
import { CloseIcon } from "../components/icons.tsx";
import { comparePaths, formatPath, parsePath } from "../lib/path.ts";
import { bounds } from "../lib/series.ts";
import { formatNumber } from "../lib/value.ts";
import { objectModel, objectName } from "../models/store.ts";
import { unitLabel, unitsOf } from "./shape.ts";
import type { Session } from "./session.ts";

// An observed object with fifty numbers should not become fifty canvases.
const MAX_CHARTS = 12;

/** A small chart for each number that is being observed: one scale each, so none hides another. */
export function Charts({ session, device }: { session: Session; device: Device }) {
  const paths = session.history.paths.value
    .filter((path) => session.isObserved(path) && session.history.line(path).value.times.length > 0)
    .sort(comparePaths);
  if (paths.length === 0) return null;
  return (
    <section class="charts" aria-label="Observed values">
      {paths.slice(0, MAX_CHARTS).map((path) => (
        <ChartCard key={path} session={session} device={device} path={path} />
      ))}
    </section>
  );
}

function ChartCard({ session, device, path }: { session: Session; device: Device; path: string }) {
  const [object = 0, instance = 0, resource = 0] = parsePath(path) ?? [];
  const version = device.objects.find((o) => o.id === object)?.version;
  const model = objectModel(object, version).value?.resources.find((r) => r.id === resource);
  const line = session.history.line(path);
  const last = line.value.values.at(-1);
  const range = bounds(line.value);
  const siblings = (device.objects.find((o) => o.id === object)?.instances.length ?? 1) > 1;
  const title = `${objectName(object) ?? formatPath(object)}${siblings ? ` ${instance}` : ""}`;
  const wish = session.observation(path);
  return (
    <article class="card chart-card" data-path={path}>
      <header class="row spread">
        <div>
          <h2>{title}</h2>
          <p class="muted">{model?.name ?? "Resource"} <span class="mono">{path}</span></p>
        </div>
        <div class="row tight">
          <p class="reading">
            {last === undefined ? "–" : formatNumber(last)} <span class="unit">{unitLabel(unitsOf(path, model?.units, session.cells.value))}</span>
          </p>
          {wish && (
            <button type="button" class="ghost icon-only" title="Stop observing" aria-label={`Stop observing ${path}`}
              onClick={() => void session.toggleObserve(path)}>
              <CloseIcon />
            </button>
          )}
        </div>
      </header>
      <Chart series={line} label={`${title}, ${model?.name ?? path}`} />
      <footer class="row spread muted">
        <span>{range && `low ${formatNumber(range.low)} · high ${formatNumber(range.high)}`}</span>
        <span class="chart-hover mono" aria-hidden="true" />
      </footer>
    </article>
  );
}
