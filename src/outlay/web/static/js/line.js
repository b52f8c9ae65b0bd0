// <line-chart>: ratios and percentiles over time, which cannot be summed and where missing is not
// zero.
import { Chart } from "./chart.js";
import { svg } from "./dom.js";
import { heightsOf, tone } from "./series.js";

/** @import { LineChart as LineData } from "./payloads.js" */

/** The minimum width at which lines are labelled. */
const LABELLED_FROM = 700;

/** @extends {Chart<LineData>} */
export class LineChart extends Chart {
  /** @override */
  model() {
    const { title, unit, interval, points, series, until, filter, shown, summary } = this.data;
    return {
      title,
      unit,
      interval,
      points,
      until,
      filter,
      summary,
      note: shown ? `showing ${shown}` : null,
      totals: null,
      earlier: null,
      series: series.map((one) => ({
        ...one,
        heights: heightsOf(one.values),
        total: null,
      })),
    };
  }

  /**
   * @override
   * @param {SVGElement} root
   */
  paint(root) {
    paintLines(root, this);
  }

  /**
   * @override
   * @param {SVGElement} root
   */
  annotate(root) {
    if (this.geometry.width >= LABELLED_FROM && this.visible.length > 1) this.labelEnds(root);
  }

  /**
   * Labels at the ends of lines, if there is room for them one above another.
   * @param {SVGElement} root
   */
  labelEnds(root) {
    const { x, y, last } = this.geometry;
    const ends = this.visible
      .filter((one) => one.heights[last] !== null)
      .map((one) => ({ one, at: y(one.heights[last] ?? 0) - 6 }))
      .sort((a, b) => a.at - b.at);
    let above = -Infinity;
    for (const { one, at } of ends) {
      if (at - above < 13 || at < 12) continue;
      above = at;
      root.append(
        svg(
          "text",
          { class: "end-label", x: x(last) - 4, y: at, "text-anchor": "end" },
          one.label.length > 24 ? `${one.label.slice(0, 23)}…` : one.label,
        ),
      );
    }
  }
}

/**
 * The path of a line through points.
 * @param {number[][]} points
 */
export function pathThrough(points) {
  return `M${points.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L")}`;
}

/**
 * Draws the series of a chart as lines, a dot for a value without neighbours.
 * @param {SVGElement} root
 * @param {Chart<unknown>} chart
 */
export function paintLines(root, chart) {
  const { x, y } = chart.geometry;
  for (const one of chart.visible) {
    const runs = runsOf(one.heights);
    const d = runs
      .filter((run) => run.length > 1)
      .map((run) => pathThrough(run.map((index) => [x(index), y(one.heights[index] ?? 0)])))
      .join("");
    const common = { "data-key": one.key, "data-series": "" };
    root.append(svg("path", { class: `line stroke-${tone(one)}`, d, ...common }));
    if (chart.shown.filter) root.append(svg("path", { class: "line-hit", d, "data-key": one.key }));
    for (const [index] of runs.filter((run) => run.length === 1)) {
      root.append(
        svg("circle", {
          class: `dot fill-${tone(one)}`,
          cx: x(index),
          cy: y(one.heights[index] ?? 0),
          r: 3,
          ...common,
        }),
      );
    }
  }
}

/**
 * Indexes of consecutive values without a gap.
 * @param {(number|null)[]} values
 * @returns {number[][]}
 */
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
