// The tooltip of a point, and its text for screen readers. The figures are the server's.
import { announce, el } from "./dom.js";
import * as fmt from "./fmt.js";
import { longDate } from "./scale.js";
import { swatch } from "./series.js";

/**
 * @import { Chart } from "./chart.js"
 * @import { Series } from "./series.js"
 */

/**
 * The series with a value at a point, the largest first.
 * @param {Chart<unknown>} chart
 * @param {number} index
 */
export function rowsAt(chart, index) {
  const has = (/** @type {number|null} */ height) =>
    height !== null && (height !== 0 || !chart.shown.totals);
  return chart.visible
    .filter((one) => has(one.heights[index]))
    .sort((a, b) => (b.heights[index] ?? 0) - (a.heights[index] ?? 0));
}

/**
 * @param {Chart<unknown>} chart
 * @param {number} index
 */
function reading(chart, index) {
  const { points, interval, totals, earlier } = chart.shown;
  const total = totals?.steps[index] ?? null;
  const rows = rowsAt(chart, index).map((series) => ({
    series,
    value: series.values[index] ?? "0",
  }));
  const before = earlier?.compared.dates[index] ? (earlier.steps[index] ?? null) : null;
  const write = chart.together([
    ...rows.map((row) => row.value),
    ...(total === null ? [] : [total]),
  ]);
  const { partial, pending, incomplete } = points[index];
  const state = pending ? ", no data yet" : incomplete ? ", so far" : "";
  const title = longDate(points[index], interval) + (partial ? ", partial" : "") + state;
  return {
    total,
    rows,
    before,
    write,
    title,
    hidden: hiddenNote(chart),
    compared: before === null || total === null ? null : comparedWith(chart, index, total, before),
  };
}

/** @param {Chart<unknown>} chart */
function hiddenNote(chart) {
  const count = chart.shown.totals ? chart.hiddenCount() : 0;
  return count ? `The total includes ${count} hidden series.` : "";
}

/**
 * `vs Oct 3: $12.34 (+5%)`.
 * @param {Chart<unknown>} chart
 * @param {number} index
 * @param {string} total
 * @param {string} before
 */
function comparedWith(chart, index, total, before) {
  const { points, earlier } = chart.shown;
  const isFair = Number(before) !== 0 && !points[index].incomplete;
  const change = isFair ? ` (${fmt.change(total, before)})` : "";
  const written = chart.together([before, total])(before);
  return `vs ${earlier?.compared.dates[index]}: ${written}${change}`;
}

/**
 * @param {Chart<unknown>} chart
 * @param {number} index
 */
export function fillTip(chart, index) {
  const { total, rows, write, title, hidden, compared } = reading(chart, index);
  const { totals } = chart.shown;
  chart.tip.dataset.index = String(index);
  chart.tip.replaceChildren(
    el(
      "header",
      {},
      el("span", {}, title),
      ...(total === null
        ? []
        : [el("strong", { "data-tip": "total", "data-value": total }, write(total))]),
    ),
    ...rows.map(({ series, value }) =>
      el(
        "div",
        {
          class: `tip-row${series.key === chart.lit ? " is-lit" : ""}`,
          "data-tip-key": series.key,
          "data-value": value,
        },
        swatch(series),
        el("span", {}, series.label),
        el("b", {}, write(value)),
        ...(total === null ? [] : [el("i", {}, fmt.percent(value, total))]),
      ),
    ),
    ...(rows.length
      ? []
      : [
          el(
            "div",
            { class: "tip-none" },
            total === null || Number(total) === 0 ? "No usage" : "No usage in the visible series",
          ),
        ]),
    ...(hidden ? [el("div", { class: "tip-none", "data-tip": "hidden" }, hidden)] : []),
    ...(totals?.note && rows.length
      ? [el("div", { class: "tip-none" }, `Total: ${totals.note}`)]
      : []),
    ...(compared ? [el("footer", { "data-tip": "earlier" }, compared)] : []),
  );
}

/**
 * Announces a point: the total, the four largest series, the previous period.
 * @param {Chart<unknown>} chart
 * @param {number} index
 */
export function readOut(chart, index) {
  const { total, rows, write, title, hidden, compared } = reading(chart, index);
  const largest = rows
    .slice(0, 4)
    .map(({ series, value }) => `${series.label} ${write(value)}`)
    .join(", ");
  announce(
    [`${title}: ${total === null ? "" : write(total)}`, largest, hidden, compared ?? ""]
      .filter(Boolean)
      .join(". "),
  );
}

/**
 * Announces one series of a point.
 * @param {Chart<unknown>} chart
 * @param {number} index
 * @param {Series} series
 */
export function readSeries(chart, index, series) {
  const { total, write } = reading(chart, index);
  const value = series.values[index] ?? "0";
  announce(
    `${series.label}: ${write(value)}${total === null ? "" : `, ${fmt.percent(value, total)}`}`,
  );
}
