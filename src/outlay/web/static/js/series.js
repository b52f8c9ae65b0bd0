// The series of charts: their colours and heights.
import { el } from "./dom.js";

/** @import { ChartSeries } from "./payloads.js" */

/**
 * Figures are exact decimal text; only `heights`, which are drawn, are doubles.
 * @typedef {ChartSeries & { heights: (number|null)[] }} Series
 */

/** Free space above and below a plot. */
export const TOP = 8;
export const BOTTOM = 26;

/**
 * The class of a series' colour.
 * @param {Series} series
 */
export const tone = (series) =>
  series.kind === "other"
    ? "other"
    : series.kind === "unattributed"
      ? "none"
      : String(series.slot ?? 0);

/** @param {Series} series */
export function swatch(series) {
  const name =
    series.kind === "other"
      ? "is-other"
      : series.kind === "unattributed"
        ? "is-none"
        : `slot-${series.slot ?? 0}`;
  return el("span", { class: `swatch ${name}`, "aria-hidden": "true" });
}

/**
 * The heights of values.
 * @param {(string|null)[]} values
 */
export const heightsOf = (values) => values.map((value) => (value === null ? null : Number(value)));

/**
 * The highest of some heights; 0 if there are none.
 * @param {Iterable<number|null>} heights
 */
export function highestOf(heights) {
  let highest = 0;
  for (const height of heights) if (height !== null && height > highest) highest = height;
  return highest;
}
