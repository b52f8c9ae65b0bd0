// <usage-area>: usage over time; stacked if the parts add up to the whole, lines if they
// overlap.
import { Chart } from "./chart.js";
import { svg } from "./dom.js";
import { paintLines, pathThrough } from "./line.js";
import { heightsOf, highestOf, tone } from "./series.js";

/** @import { AreaChart } from "./payloads.js" */

/** @extends {Chart<AreaChart>} */
export class UsageArea extends Chart {
  /**
   * The upper edge of each band.
   * @type {number[][]}
   */
  stacks = [];

  get metric() {
    return this.dataset.metric ?? "cost";
  }

  get isStack() {
    return this.data.shape !== "lines";
  }

  /** @param {string} metric */
  show(metric) {
    this.dataset.metric = metric;
    this.draw();
  }

  /** @override */
  model() {
    const { points, interval, until, filter, compared } = this.data;
    const { title, unit, bands, totals, total, earlier, earlierTotal, change, summary } =
      this.data.metrics[this.metric];
    return {
      title,
      unit,
      interval,
      points,
      until,
      filter,
      summary,
      note: null,
      series: bands.map((band) => ({
        ...band,
        heights: heightsOf(band.values),
      })),
      totals: { all: total, steps: totals, note: this.isStack ? "" : "each request counted once" },
      earlier: compared ? { total: earlierTotal, steps: earlier, change, compared } : null,
    };
  }

  /**
   * Points of a line that is not a series.
   * @param {string[]} values
   * @param {(index: number) => boolean} isThere
   * @returns {[number, number][]}
   */
  pointsOf(values, isThere) {
    return values
      .map((value, index) => /** @type {[number, number]} */ ([index, Number(value)]))
      .filter(([index]) => isThere(index));
  }

  /** The total, if the parts do not show it. */
  totalLine() {
    return this.isStack ? [] : this.pointsOf(this.shown.totals?.steps ?? [], () => true);
  }

  /** The compared period, while no series is hidden. */
  earlierLine() {
    const { earlier } = this.shown;
    return earlier && Number(earlier.total) && !this.hiddenCount()
      ? this.pointsOf(earlier.steps, (index) => Boolean(earlier.compared.dates[index]))
      : [];
  }

  /** @override */
  highest() {
    this.stacks = [];
    if (this.isStack) {
      // Upper edges for drawing only; displayed figures never come from here.
      const tops = this.shown.points.map(() => 0);
      this.stacks = this.visible.map((band) =>
        tops.map((_, index) => (tops[index] += band.heights[index] ?? 0)),
      );
    }
    return highestOf(
      [
        ...this.stacks,
        this.isStack ? [] : super.highest(),
        ...[...this.totalLine(), ...this.earlierLine()].map(([, value]) => value),
      ].flat(),
    );
  }

  /**
   * @override
   * @param {SVGElement} root
   */
  paint(root) {
    const { x, y } = this.geometry;
    const line = (/** @type {[number, number][]} */ points) =>
      pathThrough(points.map(([index, value]) => [x(index), y(value)]));
    if (this.isStack) this.paintStack(root);
    else paintLines(root, this);
    const whole = this.totalLine();
    if (whole.length > 1) root.append(svg("path", { class: "whole", d: line(whole) }));
    const before = this.earlierLine();
    if (before.length > 1)
      root.append(
        svg("path", { class: "halo", d: line(before) }),
        svg("path", { class: "earlier", d: line(before) }),
      );
  }

  /** @param {SVGElement} root */
  paintStack(root) {
    const { x, y, last } = this.geometry;
    this.visible.forEach((band, place) => {
      const to = this.stacks[place];
      const from = place ? this.stacks[place - 1] : to.map(() => 0);
      const upper = to.map((value, index) => [x(index), y(value)]);
      const lower = from.map((value, index) => [x(index), y(value)]).reverse();
      const d = last
        ? `${pathThrough([...upper, ...lower])}Z`
        : `M${x(0) - 40} ${y(to[0])}h80V${y(from[0])}h-80Z`;
      root.append(
        svg("path", {
          class: `band fill-${tone(band)}`,
          d,
          "data-key": band.key,
          "data-series": "",
        }),
      );
    });
  }

  /**
   * @override
   * @param {number} place
   * @param {number} index
   */
  mark(place, index) {
    return this.isStack ? this.stacks[place][index] : super.mark(place, index);
  }
}

customElements.define("usage-area", UsageArea);
