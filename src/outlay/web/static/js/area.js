// <usage-area>: the stacked area over time.
import { Chart, tone } from "./chart.js";
import { svg } from "./dom.js";
import * as fmt from "./fmt.js";

/** @typedef {import("./chart.js").Series & {values: number[], total: number}} Band */

const LABELS = { cost: "Cost", requestCount: "Requests", totalTokens: "Tokens" };

/** The bands of a metric: what the server says is shown, the rest as Other, then Unattributed. @param {any} data @param {string} metric @returns {Band[]} */
export function bandsOf(data, metric) {
  const { series, points } = data.usage;
  const shown = new Map((data.display[metric] ?? []).map((/** @type {any} */ item) => [item.key, item.slot]));
  const byKey = new Map(series.map((/** @type {any} */ one) => [one.key, one]));
  const bands = [...shown].map(([key, slot]) => {
    const one = byKey.get(key);
    return { key, label: one.label, kind: "value", slot, values: one[metric], total: one.total[metric] };
  });
  const rest = series.filter((/** @type {any} */ one) => one.kind === "other" || (one.kind === "value" && !shown.has(one.key) && one.total[metric]));
  if (rest.length) {
    const values = points.map((/** @type {unknown} */ _, /** @type {number} */ index) => rest.reduce((/** @type {number} */ sum, /** @type {any} */ one) => sum + one[metric][index], 0));
    const members = rest.reduce((/** @type {number} */ sum, /** @type {any} */ one) => sum + one.memberCount, 0);
    bands.push({ key: "other", label: `Other (${members})`, kind: "other", slot: null, values, total: rest.reduce((/** @type {number} */ sum, /** @type {any} */ one) => sum + one.total[metric], 0) });
  }
  const none = series.find((/** @type {any} */ one) => one.kind === "unattributed");
  if (none?.total[metric]) bands.push({ key: "unattributed", label: none.label, kind: "unattributed", slot: null, values: none[metric], total: none.total[metric] });
  return bands;
}

class UsageArea extends Chart {
  get metric() { return this.dataset.metric ?? "cost"; }

  /** @param {string} metric */
  show(metric) {
    this.dataset.metric = metric;
    this.draw();
  }

  /** @override */
  model() {
    const { points, interval, meta } = this.data.usage;
    return {
      title: `${LABELS[/** @type {keyof LABELS} */ (this.metric)]} by ${this.data.noun} over time`,
      unit: this.metric === "cost" ? "usd" : "count",
      interval, points, until: meta.to, filter: this.data.filter, note: null,
      series: bandsOf(this.data, this.metric),
    };
  }

  /** The period before, step by step, while everything is shown. @returns {number[]} */
  before() {
    return this.hiddenKeys.size || !this.data.compared ? [] : this.data.usage.earlier[this.metric].slice(0, this.shown.points.length);
  }

  /** @override @param {Band[]} visible */
  highest(visible) {
    this.stacks = visible.map(() => /** @type {number[]} */ ([]));
    const sums = this.shown.points.map((_, index) => visible.reduce((sum, band, place) => (this.stacks[place][index] = sum + band.values[index]), 0));
    return Math.max(...sums, ...this.before(), 0);
  }

  /** @override @param {SVGElement} root @param {Band[]} visible */
  paint(root, visible) {
    const { x, y, last } = this.geometry;
    const point = (/** @type {number} */ index, /** @type {number} */ value) => `${x(index).toFixed(1)} ${y(value).toFixed(1)}`;
    visible.forEach((band, place) => {
      const to = this.stacks[place];
      const from = place ? this.stacks[place - 1] : to.map(() => 0);
      const d = last
        ? `M${to.map((value, index) => point(index, value)).join("L")}L${from.map((value, index) => point(index, value)).reverse().join("L")}Z`
        : `M${x(0) - 40} ${y(to[0])}h80V${y(from[0])}h-80Z`;
      root.append(svg("path", { class: `band fill-${tone(band)}`, d, "data-key": band.key, "data-series": "" }));
    });
    const before = this.before();
    if (before.length > 1) {
      const d = `M${before.map((value, index) => point(index, value)).join("L")}`;
      root.append(svg("path", { class: "halo", d }), svg("path", { class: "earlier", d }));
    }
  }

  /** @override @param {Band[]} visible @param {number} place @param {number} index */
  mark(visible, place, index) { return visible.length ? this.stacks[place][index] : null; }

  /** @override @param {Band[]} visible @param {number} index */
  sum(visible, index) {
    // What doubles add beyond 15 digits is their own.
    return Number(visible.reduce((sum, band) => sum + band.values[index], 0).toPrecision(15));
  }

  /** @override @param {number} index @param {number} sum @returns {[string, string]|null} */
  beside(index, sum) {
    const value = this.before()[index];
    if (value === undefined) return null;
    return ["Previous period", this.shown.points[index].incomplete ? this.short(value) : `${this.short(value)} (${fmt.change(sum, value)})`];
  }
}

customElements.define("usage-area", UsageArea);
