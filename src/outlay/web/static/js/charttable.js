// The values of a chart as a table, and as cells for files.
import { el } from "./dom.js";
import { rowDates } from "./scale.js";

/** @import { Chart } from "./chart.js" */

/**
 * The title of the total column; null without one.
 * @param {Chart<unknown>} chart
 */
export function totalName(chart) {
  const { totals } = chart.shown;
  if (!totals) return null;
  if (chart.hiddenCount()) return "Total, including hidden series";
  return totals.note ? `Total, ${totals.note}` : "Total";
}

/**
 * Every cell as exact text; the first row is the head.
 * @param {Chart<unknown>} chart
 * @returns {(string|null)[][]}
 */
export function cellsOf(chart) {
  const { points, interval, totals } = chart.shown;
  const dates = rowDates(points, interval);
  const name = totalName(chart);
  return [
    ["Date", ...chart.visible.map((one) => one.label), ...(name ? [name] : [])],
    ...points.map((_, index) => [
      dates[index],
      ...chart.visible.map((one) => one.values[index]),
      ...(totals ? [totals.steps[index]] : []),
    ]),
  ];
}

/** @param {Chart<unknown>} chart */
export function tableOf(chart) {
  const [head, ...rows] = cellsOf(chart);
  const { totals } = chart.shown;
  const cell = (/** @type {string|null} */ value) =>
    value === null
      ? el("td", {}, "\u2013")
      : el("td", { title: chart.exact(value) }, chart.short(value));
  const row = (/** @type {string|null} */ name, /** @type {(string|null)[]} */ values) =>
    el("tr", {}, el("th", { scope: "row" }, name ?? ""), ...values.map(cell));
  const columns = head.map((text) => el("th", { scope: "col" }, text ?? ""));
  const table = el("table", {}, el("thead", {}, el("tr", {}, ...columns)));
  table.append(el("tbody", {}, ...rows.map(([date, ...values]) => row(date, values))));
  if (totals) {
    const sums = [...chart.visible.map((one) => one.total), totals.all];
    table.append(el("tfoot", {}, row("Total", sums)));
  }
  return el(
    "div",
    { class: "data-table", tabindex: "0", role: "region", "aria-label": "Values over time" },
    table,
  );
}
