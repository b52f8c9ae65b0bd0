// <line-chart>: ratios and percentiles over time, where nothing sums and missing is not zero.
import { Chart, tone } from "./chart.js";
import { svg } from "./dom.js";

/** Units of width from which lines carry their names. */
const LABELLED_FROM = 700;

class LineChart extends Chart {
  /** @override */
  model() {
    const { title, unit, interval, points, series, until, filter, shown } = this.data;
    return { title, unit, interval, points, until, filter, note: shown ? `showing ${shown}` : null,
      series: series.map((/** @type {any} */ one) => ({ total: null, ...one })) };
  }

  /** @override @param {SVGElement} root @param {import("./chart.js").Series[]} visible */
  paint(root, visible) {
    const { x, y } = this.geometry;
    for (const one of visible) {
      const runs = runsOf(one.values);
      const d = runs.filter((run) => run.length > 1).map((run) => `M${run.map((index) => `${x(index).toFixed(1)} ${y(one.values[index] ?? 0).toFixed(1)}`).join("L")}`).join("");
      const common = { "data-key": one.key, "data-series": "" };
      root.append(svg("path", { class: `line stroke-${tone(one)}`, d, ...common }));
      if (this.shown.filter) root.append(svg("path", { class: "line-hit", d, "data-key": one.key }));
      for (const [index] of runs.filter((run) => run.length === 1)) {
        root.append(svg("circle", { class: `dot fill-${tone(one)}`, cx: x(index), cy: y(one.values[index] ?? 0), r: 3, ...common }));
      }
    }
  }

  /** @override @param {SVGElement} root @param {import("./chart.js").Series[]} visible */
  annotate(root, visible) {
    if (this.geometry.width >= LABELLED_FROM && visible.length > 1) this.labelEnds(root, visible);
  }

  /** Names at the ends of lines, where there is room for them above each other. @param {SVGElement} root @param {import("./chart.js").Series[]} visible */
  labelEnds(root, visible) {
    const { x, y, last } = this.geometry;
    const ends = visible.filter((one) => one.values[last] !== null).map((one) => ({ one, at: y(one.values[last] ?? 0) - 6 })).sort((a, b) => a.at - b.at);
    let above = -Infinity;
    for (const { one, at } of ends) {
      if (at - above < 13 || at < 12) continue;
      above = at;
      root.append(svg("text", { class: "end-label", x: x(last) - 4, y: at, "text-anchor": "end" }, one.label.length > 24 ? `${one.label.slice(0, 23)}…` : one.label));
    }
  }
}

/** Indexes of values that follow each other without a gap. @param {(number|null)[]} values @returns {number[][]} */
export function runsOf(values) {
  /** @type {number[][]} */
  const runs = [];
  values.forEach((value, index) => {
    if (value === null) return;
    const run = runs[runs.length - 1];
    if (run && run[run.length - 1] === index - 1) run.push(index);
    else runs.push([index]);
  });
  return runs;
}

customElements.define("line-chart", LineChart);
