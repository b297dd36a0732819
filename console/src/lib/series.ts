/** The points of one chart. Two plain arrays, as uPlot takes them. */
export interface Series {
  times: number[];
  values: number[];
}

export const EMPTY_SERIES: Series = { times: [], values: [] };

// Half an hour at one value a second; older points leave.
export const MAX_POINTS = 1800;

/** A new series with the point in its place; a second value for the same time replaces the first. */
export function addPoint(series: Series, time: number, value: number, max = MAX_POINTS): Series {
  const times = series.times.slice();
  const values = series.values.slice();
  // Devices may send stored history after newer values, so look for the place from the end.
  let at = times.length;
  while (at > 0 && (times[at - 1] as number) > time) at--;
  if (at > 0 && times[at - 1] === time) {
    values[at - 1] = value;
  } else {
    times.splice(at, 0, time);
    values.splice(at, 0, value);
  }
  const extra = times.length - max;
  return extra > 0 ? { times: times.slice(extra), values: values.slice(extra) } : { times, values };
}

export function bounds(series: Series): { low: number; high: number } | null {
  if (series.values.length === 0) return null;
  let low = Infinity;
  let high = -Infinity;
  for (const v of series.values) {
    if (v < low) low = v;
    if (v > high) high = v;
  }
  return { low, high };
}
