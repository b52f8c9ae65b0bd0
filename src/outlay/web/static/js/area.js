// <usage-area>: the stacked area over time, its legend, tooltip, keyboard reading and table.
import { announce, el, svg } from "./dom.js";
import * as fmt from "./fmt.js";
import { longDate, shortDate, ticks } from "./scale.js";

/**
 * @typedef {{key: string, label: string, kind: string, slot: number|null, values: number[], total: number}} Band
 * @typedef {{usage: any, display: Record<string, {key: string, slot: number}[]>, noun: string}} UsageData
 */

const LABELS = { cost: "Cost", requestCount: "Requests", totalTokens: "Tokens" };
const TOP = 8;
const BOTTOM = 26;

/** The bands of a metric: what the server says is shown, the rest as Other, then Unattributed. @param {UsageData} data @param {string} metric @returns {Band[]} */
export function bandsOf(data, metric) {
  const { series, points } = data.usage;
  const shown = new Map((data.display[metric] ?? []).map((item) => [item.key, item.slot]));
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

/** @param {Band} band */
const tone = (band) => (band.kind === "other" ? "other" : band.kind === "unattributed" ? "none" : String(band.slot));

/** @param {Band} band */
function swatch(band) {
  const name = band.kind === "other" ? "is-other" : band.kind === "unattributed" ? "is-none" : `slot-${band.slot}`;
  return el("span", { class: `swatch ${name}`, "aria-hidden": "true" });
}

class UsageArea extends HTMLElement {
  connectedCallback() {
    const source = document.getElementById(this.dataset.source ?? "");
    /** @type {UsageData} */
    this.data = JSON.parse(source?.textContent ?? "{}");
    this.hiddenKeys = new Set();
    this.cursor = -1;
    this.drawCount = 0;
    this.asTable = false;
    this.observer = new ResizeObserver(() => { if (Math.abs(this.clientWidth - (this.drawnWidth ?? 0)) > 1) this.draw(); });
    this.observer.observe(this);
    this.draw();
  }

  disconnectedCallback() { this.observer?.disconnect(); }

  get metric() { return this.dataset.metric ?? "cost"; }

  /** @param {string} metric */
  show(metric) {
    this.dataset.metric = metric;
    this.draw();
  }

  /** @param {number} value */
  short(value) { return this.metric === "cost" ? fmt.money(value) : fmt.count(value); }

  /** @param {number} value */
  exact(value) { return this.metric === "cost" ? fmt.money(value) : fmt.exactCount(value); }

  draw() {
    this.drawnWidth = this.clientWidth;
    this.all = bandsOf(this.data, this.metric);
    this.bands = this.all.filter((band) => !this.hiddenKeys.has(band.key));
    this.replaceChildren(this.legend(), this.asTable ? this.table() : this.plot());
    if (!this.asTable) {
      this.tip = el("div", { class: "tip", hidden: "" });
      this.append(this.tip);
    }
    this.dataset.drawn = String(++this.drawCount);
  }

  legend() {
    return el("ul", { class: "legend", "aria-label": "Series" }, ...this.all.map((band) => {
      const button = el("button", { type: "button", "aria-pressed": String(!this.hiddenKeys.has(band.key)), "data-key": band.key },
        swatch(band), el("span", {}, band.label), el("strong", {}, this.short(band.total)));
      button.addEventListener("click", (event) => this.toggle(band.key, event.detail > 1));
      button.addEventListener("pointerenter", () => this.light(band.key));
      button.addEventListener("pointerleave", () => this.light(null));
      return el("li", {}, button);
    }));
  }

  /** @param {string} key @param {boolean} alone */
  toggle(key, alone) {
    if (alone) {
      const others = this.all.map((band) => band.key).filter((one) => one !== key);
      const isAlone = others.every((one) => this.hiddenKeys.has(one)) && !this.hiddenKeys.has(key);
      this.hiddenKeys = new Set(isAlone ? [] : others);
    } else if (!this.hiddenKeys.delete(key)) {
      this.hiddenKeys.add(key);
    }
    this.draw();
    /** @type {HTMLElement|null} */ (this.querySelector(`.legend [data-key="${CSS.escape(key)}"]`))?.focus();
  }

  plot() {
    const { points, interval, earlier } = this.data.usage;
    const width = Math.max(260, this.clientWidth - parseFloat(getComputedStyle(this).paddingLeft) * 2);
    const height = matchMedia("(max-width:760px)").matches ? 232 : 300;
    this.stacks = points.map(() => 0);
    const layers = this.bands.map((band) => {
      const from = [...this.stacks];
      this.stacks = this.stacks.map((/** @type {number} */ sum, /** @type {number} */ index) => sum + band.values[index]);
      return { band, from, to: [...this.stacks] };
    });
    const before = this.hiddenKeys.size ? [] : earlier[this.metric].slice(0, points.length);
    const marks = ticks(Math.max(...this.stacks, ...before, 0));
    const isMoney = this.metric === "cost";
    const gutter = Math.max(...marks.map((mark) => fmt.axis(mark, isMoney).length)) * 6.4 + 10;
    const highest = marks[marks.length - 1];
    const last = points.length - 1;
    const x = (/** @type {number} */ index) => gutter + (last ? (index / last) * (width - gutter - 1) : (width - gutter) / 2);
    const y = (/** @type {number} */ value) => height - BOTTOM - (value / highest) * (height - BOTTOM - TOP);
    this.geometry = { x, y, gutter, width, height, last };

    const root = svg("svg", { class: "plot", viewBox: `0 0 ${width} ${height}`, role: "application", tabindex: "0",
      "aria-roledescription": "chart", "aria-label": `${LABELS[/** @type {keyof LABELS} */ (this.metric)]} by ${this.data.noun} over time. Arrow keys read the values.` });
    for (const mark of marks) {
      root.append(svg("line", { class: mark ? "grid-line" : "zero-line", x1: gutter, x2: width, y1: y(mark), y2: y(mark) }),
        svg("text", { x: gutter - 8, y: y(mark) + 4, "text-anchor": "end" }, fmt.axis(mark, isMoney)));
    }
    const point = (/** @type {number} */ index, /** @type {number} */ value) => `${x(index).toFixed(1)} ${y(value).toFixed(1)}`;
    for (const { band, from, to } of layers) {
      const d = last
        ? `M${to.map((value, index) => point(index, value)).join("L")}L${from.map((value, index) => point(index, value)).reverse().join("L")}Z`
        : `M${x(0) - 40} ${y(to[0])}h80V${y(from[0])}h-80Z`;
      root.append(svg("path", { class: `band fill-${tone(band)}`, d, "data-key": band.key }));
    }
    if (before.length > 1) {
      const d = `M${before.map((/** @type {number} */ value, /** @type {number} */ index) => point(index, value)).join("L")}`;
      root.append(svg("path", { class: "halo", d }), svg("path", { class: "earlier", d }));
    }
    const open = points.findIndex((/** @type {any} */ one) => one.incomplete);
    if (open > 0) root.append(svg("rect", { class: "veil", x: x(open - 1), y: TOP, width: width - x(open - 1), height: height - BOTTOM - TOP }));
    for (const index of this.labelled(points.length, width)) {
      root.append(svg("text", { x: x(index), y: height - 6, "text-anchor": index === last && last ? "end" : "middle" }, shortDate(points[index].date, interval)));
    }
    this.hover = svg("g", { hidden: "" });
    root.append(this.hover);
    this.listen(root);
    this.root = root;
    return root;
  }

  /** Which points carry a date. @param {number} length @param {number} width */
  labelled(length, width) {
    const room = Math.max(2, Math.min(8, Math.floor(width / 110)));
    const stride = Math.max(1, Math.ceil(length / room));
    const indexes = [];
    for (let index = length - 1; index >= 0; index -= stride) indexes.unshift(index);
    if (indexes[0] < stride / 3 && indexes.length > 1 && length > 2) indexes.shift();
    return indexes;
  }

  /** @param {SVGElement} root */
  listen(root) {
    /** @param {PointerEvent} event */
    const at = (event) => {
      const { gutter, width, last } = this.geometry;
      const box = root.getBoundingClientRect();
      const left = ((event.clientX - box.left) / box.width) * width;
      return Math.max(0, Math.min(last, Math.round(((left - gutter) / (width - gutter)) * last)));
    };
    let start = -1;
    root.addEventListener("pointerdown", (event) => {
      if (event.pointerType === "touch") { this.point(at(event), false); return; }
      start = at(event);
      root.setPointerCapture(event.pointerId);
    });
    root.addEventListener("pointermove", (event) => { this.point(at(event), false); if (start >= 0) this.zoomBox(start, at(event)); });
    root.addEventListener("pointerup", (event) => {
      const end = at(event);
      const from = start;
      start = -1;
      if (from >= 0 && Math.abs(end - from) > 0) this.zoom(Math.min(from, end), Math.max(from, end));
    });
    root.addEventListener("pointerleave", () => { if (start < 0) this.point(-1, false); });
    root.addEventListener("blur", () => this.point(-1, false));
    root.addEventListener("keydown", (event) => {
      const last = this.geometry.last;
      const move = { ArrowLeft: -1, ArrowRight: 1, PageUp: -7, PageDown: 7 }[event.key];
      if (event.key === "Escape") this.point(-1, false);
      else if (event.key === "Home") this.point(0, true);
      else if (event.key === "End") this.point(last, true);
      else if (move) this.point(Math.max(0, Math.min(last, this.cursor < 0 ? (move > 0 ? 0 : last) : this.cursor + move)), true);
      else return;
      event.preventDefault();
    });
  }

  /** Shows a point, reading it out when asked from the keyboard. @param {number} index @param {boolean} aloud */
  point(index, aloud) {
    if (index === this.cursor && !aloud) return;
    this.cursor = index;
    this.hover.replaceChildren();
    this.tip.hidden = index < 0;
    if (index < 0) { this.hover.setAttribute("hidden", ""); return; }
    this.hover.removeAttribute("hidden");
    const { x, y, width, height } = this.geometry;
    const { points, interval, earlier } = this.data.usage;
    this.hover.append(svg("line", { class: "cross", x1: x(index), x2: x(index), y1: TOP, y2: height - BOTTOM }));
    let sum = 0;
    for (const band of this.bands) {
      sum += band.values[index];
      this.hover.append(svg("circle", { class: `dot fill-${tone(band)}`, cx: x(index), cy: y(sum), r: 3.5 }));
    }
    const rows = [...this.bands].filter((band) => band.values[index]).sort((a, b) => b.values[index] - a.values[index]);
    const before = earlier[this.metric][index];
    const title = longDate(points[index], interval) + (points[index].incomplete ? ", so far" : "");
    this.tip.replaceChildren(
      el("header", {}, el("span", {}, title), el("strong", {}, this.exact(sum))),
      ...rows.map((band) => el("div", { class: "tip-row" }, swatch(band), el("span", {}, band.label), el("b", {}, this.short(band.values[index])), el("i", {}, fmt.percent(band.values[index], sum)))),
    );
    if (before !== undefined && !this.hiddenKeys.size) {
      this.tip.append(el("footer", {}, el("span", {}, "Previous period"), el("span", {}, points[index].incomplete ? this.short(before) : `${this.short(before)} (${fmt.change(sum, before)})`)));
    }
    const scale = this.root.getBoundingClientRect().width / width;
    const pad = this.root.getBoundingClientRect().left - this.getBoundingClientRect().left;
    const over = pad + x(index) * scale + 14;
    this.tip.style.left = `${over + this.tip.offsetWidth > this.clientWidth ? Math.max(0, over - this.tip.offsetWidth - 28) : over}px`;
    if (aloud) announce(`${title}: ${this.exact(sum)}. ${rows.slice(0, 4).map((band) => `${band.label} ${this.short(band.values[index])}`).join(", ")}`);
  }

  /** @param {number} from @param {number} to */
  zoomBox(from, to) {
    const { x, height } = this.geometry;
    this.hover.append(svg("rect", { class: "zoom", x: x(Math.min(from, to)), y: TOP, width: Math.abs(x(to) - x(from)), height: height - BOTTOM - TOP }));
  }

  /** @param {number} from @param {number} to */
  zoom(from, to) {
    const { points } = this.data.usage;
    const next = points[to + 1];
    const isNewDay = next && next.date.slice(0, 10) > points[to].date.slice(0, 10);
    const last = isNewDay ? dayBefore(next.date.slice(0, 10)) : next ? points[to].date.slice(0, 10) : this.data.usage.meta.to;
    this.dispatchEvent(new CustomEvent("zoom", { bubbles: true, detail: { from: points[from].date.slice(0, 10), to: last } }));
  }

  /** Pales every band but one; null ends it. @param {string|null} key */
  light(key) {
    for (const band of this.querySelectorAll(".band")) band.classList.toggle("is-dim", key !== null && /** @type {HTMLElement} */ (band).dataset.key !== key);
    for (const row of document.querySelectorAll(".ranking tbody tr")) row.classList.toggle("is-lit", key !== null && /** @type {HTMLElement} */ (row).dataset.key === key);
  }

  table() {
    const { points, interval } = this.data.usage;
    const head = el("tr", {}, el("th", { scope: "col" }, "Date"), ...this.bands.map((band) => el("th", { scope: "col" }, band.label)), el("th", { scope: "col" }, "Total"));
    const cell = (/** @type {number} */ value) => el("td", { title: this.exact(value) }, this.short(value));
    const rows = points.map((/** @type {any} */ point, /** @type {number} */ index) => el("tr", {},
      el("th", { scope: "row" }, interval === "hour" ? point.date.replace("T", " ") : point.date),
      ...this.bands.map((band) => cell(band.values[index])),
      cell(this.bands.reduce((sum, band) => sum + band.values[index], 0))));
    const foot = el("tr", {}, el("th", { scope: "row" }, "Total"), ...this.bands.map((band) => cell(band.total)), cell(this.bands.reduce((sum, band) => sum + band.total, 0)));
    return el("div", { class: "data-table", tabindex: "0", role: "region", "aria-label": "Values over time" },
      el("table", {}, el("thead", {}, head), el("tbody", {}, ...rows), el("tfoot", {}, foot)));
  }
}

/** @param {string} date */
function dayBefore(date) {
  return new Date(Date.parse(`${date}T00:00:00Z`) - 86400000).toISOString().slice(0, 10);
}

customElements.define("usage-area", UsageArea);
