// The legend of a chart: a click hides a series, a double click shows it alone, another one
// restores the others.
import { el } from "./dom.js";
import { swatch } from "./series.js";

/**
 * @import { Chart } from "./chart.js"
 * @import { Series } from "./series.js"
 */

/**
 * How long a click waits for a second one, so that a double click does not hide the series first.
 */
const DOUBLE_MS = 220;

/** @param {Chart<unknown>} chart */
export function legendOf(chart) {
  const { series, note } = chart.shown;
  const items = [...series.map((one) => el("li", {}, entryOf(chart, one))), ...linesOf(chart)];
  if (chart.hiddenCount()) {
    const all = el("button", { type: "button", class: "link", "data-legend-all": "" }, "Show all");
    all.addEventListener("click", () => {
      show(chart, new Set());
      /** @type {HTMLElement|null} */
      (chart.querySelector(".legend button"))?.focus();
    });
    items.push(el("li", {}, all));
  }
  if (note) items.push(el("li", { class: "legend-note" }, note));
  return el("ul", { class: "legend", "aria-label": "Series" }, ...items);
}

/**
 * @param {Chart<unknown>} chart
 * @param {Series} one
 */
function entryOf(chart, one) {
  const { key, label, total } = one;
  const button = el(
    "button",
    { type: "button", "aria-pressed": String(!chart.hiddenKeys.has(key)), "data-key": key },
    swatch(one),
    el("span", { title: label }, label),
    ...(total === null ? [] : [el("strong", { title: chart.exact(total) }, chart.short(total))]),
  );
  let waiting = 0;
  button.addEventListener("click", (event) => {
    clearTimeout(waiting);
    if (event.detail > 1) isolate(chart, key);
    else if (event.detail)
      waiting = setTimeout(() => {
        if (button.isConnected) toggle(chart, key);
      }, DOUBLE_MS);
    else toggle(chart, key); // by keyboard
  });
  button.addEventListener("pointerenter", () => chart.light(key));
  button.addEventListener("pointerleave", () => chart.light(null));
  return button;
}

/**
 * The lines that are not series: the total, and the previous period.
 * @param {Chart<unknown>} chart
 */
function linesOf(chart) {
  const { totals, earlier } = chart.shown;
  const lines = [];
  if (totals?.note)
    lines.push(
      line(
        "total",
        `Total, ${totals.note}`,
        el("strong", { title: chart.exact(totals.all) }, chart.short(totals.all)),
      ),
    );
  if (earlier && !chart.hiddenCount()) {
    const { compared, total, change } = earlier;
    if (change)
      lines.push(
        line(
          "earlier",
          `vs ${compared.label}`,
          el("strong", { title: chart.exact(total) }, chart.short(total)),
          `(${change})`,
        ),
      );
    if (compared.note) lines.push(el("li", { class: "legend-line" }, compared.note));
  }
  return lines;
}

/**
 * @param {string} name
 * @param {string} text
 * @param {(Node|string)[]} figures
 */
const line = (name, text, ...figures) =>
  el(
    "li",
    { class: "legend-line", "data-legend-line": name },
    el("span", { class: `key-${name}`, "aria-hidden": "true" }),
    el("span", {}, text),
    ...figures,
  );

/**
 * @param {Chart<unknown>} chart
 * @param {string} key
 */
function toggle(chart, key) {
  const hidden = new Set(chart.hiddenKeys);
  if (!hidden.delete(key)) hidden.add(key);
  show(chart, hidden);
  chart.focusEntry(key);
}

/**
 * @param {Chart<unknown>} chart
 * @param {string} key
 */
function isolate(chart, key) {
  const isAlone = chart.visible.length === 1 && chart.visible[0].key === key;
  show(
    chart,
    new Set(isAlone ? [] : chart.shown.series.map((one) => one.key).filter((one) => one !== key)),
  );
  chart.focusEntry(key);
}

/**
 * @param {Chart<unknown>} chart
 * @param {Set<string>} hidden
 */
function show(chart, hidden) {
  chart.hiddenKeys = hidden;
  chart.draw();
}
