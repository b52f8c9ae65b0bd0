// What charts over time have in common: axes, legend, tooltip, keyboard reading, zoom, table.
import { announce, el, svg } from "./dom.js";
import * as fmt from "./fmt.js";
import { longDate, shortDate, ticks } from "./scale.js";

/**
 * @typedef {{key: string, label: string, kind: string, slot: number|null, values: (number|null)[], total: number|null}} Series
 * @typedef {{date: string, start: string, incomplete: boolean}} Point
 * @typedef {{title: string, unit: string, interval: string, points: Point[], series: Series[], until: string, filter: string|null, note: string|null}} Model
 */

export const TOP = 8;
export const BOTTOM = 26;

const SHORT = {
  usd: fmt.money,
  "usd-each": fmt.unitCost,
  count: fmt.count,
  ms: fmt.latency,
  percent: (/** @type {number} */ value) => fmt.percent(value, 1, 2),
};
const EXACT = { ...SHORT, usd: fmt.exactMoney, "usd-each": fmt.exactMoney, count: fmt.exactCount };

/** The class of a series' colour. @param {Series} series */
export const tone = (series) => (series.kind === "other" ? "other" : series.kind === "unattributed" ? "none" : String(series.slot ?? 0));

/** @param {Series} series */
function swatch(series) {
  const name = series.kind === "other" ? "is-other" : series.kind === "unattributed" ? "is-none" : `slot-${series.slot ?? 0}`;
  return el("span", { class: `swatch ${name}`, "aria-hidden": "true" });
}

export class Chart extends HTMLElement {
  connectedCallback() {
    /** @type {any} */
    this.data = JSON.parse(document.getElementById(this.dataset.source ?? "")?.textContent ?? "{}");
    this.hiddenKeys = new Set();
    this.cursor = -1;
    this.drawCount = 0;
    /** @type {string|null} */
    this.lit = null;
    this.asTable = false;
    this.observer = new ResizeObserver(() => { if (Math.abs(this.clientWidth - (this.drawnWidth ?? 0)) > 1) this.draw(); });
    this.observer.observe(this);
    this.draw();
  }

  disconnectedCallback() { this.observer?.disconnect(); }

  /** Draws for a width on paper, or with null for its own on the screen. @param {number|null} width */
  drawFor(width) {
    this.paperWidth = width;
    this.draw();
  }

  /** What is drawn. @returns {Model} */
  model() { throw new Error("a chart says what it draws"); }

  /** The highest value that is drawn. @param {Series[]} visible @returns {number} */
  highest(visible) { return Math.max(0, ...visible.flatMap((one) => one.values.map((value) => value ?? 0))); }

  /** Draws the data into its frame. @param {SVGElement} root @param {Series[]} visible */
  paint(root, visible) { throw new Error(`a chart paints ${visible.length} series into ${root.tagName}`); }

  /** Writes into the data what lies above all else. @param {SVGElement} root @param {Series[]} visible */
  annotate(root, visible) { if (!visible.length) root.classList.add("is-bare"); }

  /** Where the mark of a series stands at a point. @param {Series[]} visible @param {number} place @param {number} index @returns {number|null} */
  mark(visible, place, index) { return visible[place].values[index]; }

  /** What stands at the head of the tooltip and as the last column of the table; null without one. @param {Series[]} visible @param {number} index @returns {number|null} */
  sum(visible, index) { return visible.length && index < 0 ? 0 : null; }

  /** The last line of the tooltip. @param {number} index @param {number|null} sum @returns {[string, string]|null} */
  beside(index, sum) { return index < 0 && sum ? ["", ""] : null; }

  /** @param {number} value */
  short(value) { return SHORT[/** @type {keyof SHORT} */ (this.shown.unit)](value); }

  /** @param {number} value */
  exact(value) { return EXACT[/** @type {keyof SHORT} */ (this.shown.unit)](value); }

  /** Takes newer data of the same shape; what is hidden, read or shown as a table stays so. @param {unknown} data */
  update(data) {
    const cursor = this.cursor;
    const held = this.contains(document.activeElement) ? /** @type {HTMLElement} */ (document.activeElement).dataset.key : undefined;
    this.data = data;
    this.draw();
    if (held) /** @type {HTMLElement|null} */ (this.querySelector(`.legend [data-key="${CSS.escape(held)}"]`))?.focus();
    if (cursor >= 0 && !this.asTable) this.point(Math.min(cursor, this.shown.points.length - 1), false);
  }

  draw() {
    this.drawnWidth = this.clientWidth;
    this.shown = this.model();
    this.visible = this.shown.series.filter((one) => !this.hiddenKeys.has(one.key));
    this.cursor = -1;
    this.light(null);
    const hadFocus = this.root && document.activeElement === this.root;
    this.replaceChildren(this.legend(), this.asTable ? this.table() : this.plot());
    if (!this.asTable) {
      this.tip = el("div", { class: "tip", hidden: "" });
      this.append(this.tip);
      if (hadFocus) this.root.focus();
    }
    this.dataset.drawn = String(++this.drawCount);
  }

  legend() {
    const list = el("ul", { class: "legend", "aria-label": "Series" }, ...this.shown.series.map((one) => {
      const total = one.total === null ? [] : [el("strong", { title: this.exact(one.total) }, this.short(one.total))];
      const button = el("button", { type: "button", "aria-pressed": String(!this.hiddenKeys.has(one.key)), "data-key": one.key }, swatch(one), el("span", { title: one.label }, one.label), ...total);
      button.addEventListener("click", (event) => this.toggle(one.key, event.detail > 1));
      button.addEventListener("pointerenter", () => this.light(one.key));
      button.addEventListener("pointerleave", () => this.light(null));
      return el("li", {}, button);
    }));
    if (this.shown.note) list.append(el("li", { class: "legend-note" }, this.shown.note));
    return list;
  }

  /** @param {string} key @param {boolean} alone */
  toggle(key, alone) {
    if (alone) {
      const others = this.shown.series.map((one) => one.key).filter((one) => one !== key);
      const isAlone = others.every((one) => this.hiddenKeys.has(one)) && !this.hiddenKeys.has(key);
      this.hiddenKeys = new Set(isAlone ? [] : others);
    } else if (!this.hiddenKeys.delete(key)) {
      this.hiddenKeys.add(key);
    }
    this.draw();
    /** @type {HTMLElement|null} */ (this.querySelector(`.legend [data-key="${CSS.escape(key)}"]`))?.focus();
  }

  plot() {
    const { points, interval, title, unit, filter } = this.shown;
    const width = this.paperWidth ?? Math.max(260, this.clientWidth - parseFloat(getComputedStyle(this).paddingLeft) * 2);
    const height = this.paperWidth ? 180 : matchMedia("(max-width:760px)").matches ? 232 : 300;
    const marks = ticks(this.highest(this.visible));
    const label = (/** @type {number} */ mark) => (unit === "ms" ? fmt.axisLatency(mark) : unit === "percent" ? `${Number((mark * 100).toPrecision(3))}%` : fmt.axis(mark, unit.startsWith("usd")));
    const gutter = Math.max(...marks.map((mark) => label(mark).length)) * 6.4 + 10;
    const highest = marks[marks.length - 1];
    const last = points.length - 1;
    const x = (/** @type {number} */ index) => gutter + (last ? (index / last) * (width - gutter - 1) : (width - gutter) / 2);
    const y = (/** @type {number} */ value) => height - BOTTOM - (value / highest) * (height - BOTTOM - TOP);
    this.geometry = { x, y, gutter, width, height, last };

    const root = svg("svg", { class: `plot${filter ? " can-pick" : ""}`, viewBox: `0 0 ${width} ${height}`, role: "application", tabindex: "0",
      "aria-roledescription": "chart", "aria-label": `${title}. Arrow keys read the values.` });
    for (const mark of marks) {
      root.append(svg("line", { class: mark ? "grid-line" : "zero-line", x1: gutter, x2: width, y1: y(mark), y2: y(mark) }),
        svg("text", { x: gutter - 8, y: y(mark) + 4, "text-anchor": "end" }, label(mark)));
    }
    this.paint(root, this.visible);
    const open = points.findIndex((one) => one.incomplete);
    if (open > 0) {
      const box = { x: x(open - 1), y: TOP, width: width - x(open - 1), height: height - BOTTOM - TOP };
      root.append(svg("rect", { class: "veil", ...box }), svg("rect", { class: "veil-hatch", fill: "url(#veil)", ...box }));
    }
    this.annotate(root, this.visible);
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
    let pressed = /** @type {string|null} */ (null);
    root.addEventListener("pointerdown", (event) => {
      pressed = /** @type {HTMLElement} */ (event.target).dataset.key ?? null;
      if (event.pointerType === "touch") { this.point(at(event), false); return; }
      start = at(event);
      root.setPointerCapture(event.pointerId);
    });
    root.addEventListener("pointermove", (event) => {
      this.point(at(event), false);
      if (start >= 0) this.zoomBox(start, at(event));
      else this.light(/** @type {HTMLElement} */ (event.target).dataset.key ?? null);
    });
    root.addEventListener("pointerup", (event) => {
      const end = at(event);
      const from = start;
      start = -1;
      if (from < 0) return;
      if (end !== from) this.zoom(Math.min(from, end), Math.max(from, end));
      else if (pressed) this.pick(pressed);
    });
    root.addEventListener("pointerleave", () => { this.light(null); if (start < 0) this.point(-1, false); });
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
    const { x, y, height } = this.geometry;
    const { points, interval } = this.shown;
    this.hover.append(svg("line", { class: "cross", x1: x(index), x2: x(index), y1: TOP, y2: height - BOTTOM }));
    this.visible.forEach((one, place) => {
      const value = this.mark(this.visible, place, index);
      if (value !== null) this.hover.append(svg("circle", { class: `dot fill-${tone(one)}`, cx: x(index), cy: y(value), r: 3.5 }));
    });
    const sum = this.sum(this.visible, index);
    const told = this.visible.filter((one) => one.values[index] !== null && (one.values[index] || sum === null));
    const rows = told.sort((a, b) => (b.values[index] ?? 0) - (a.values[index] ?? 0));
    const title = longDate(points[index], interval) + (points[index].incomplete ? ", so far" : "");
    this.tip.replaceChildren(
      el("header", {}, el("span", {}, title), ...(sum === null ? [] : [el("strong", {}, this.exact(sum))])),
      ...rows.map((one) => {
        const value = one.values[index] ?? 0;
        return el("div", { class: "tip-row" }, swatch(one), el("span", {}, one.label), el("b", {}, this.exact(value)), el("i", {}, sum === null ? "" : fmt.percent(value, sum)));
      }),
    );
    if (!rows.length) this.tip.append(el("div", { class: "tip-none" }, "No usage"));
    const beside = this.beside(index, sum);
    if (beside) this.tip.append(el("footer", {}, el("span", {}, beside[0]), el("span", {}, beside[1])));
    this.placeTip(x(index));
    if (aloud) announce(`${title}: ${sum === null ? "" : `${this.exact(sum)}. `}${rows.slice(0, 4).map((one) => `${one.label} ${this.exact(one.values[index] ?? 0)}`).join(", ")}`);
  }

  /** @param {number} left In the chart's own units. */
  placeTip(left) {
    const box = this.root.getBoundingClientRect();
    const over = box.left - this.getBoundingClientRect().left + left * (box.width / this.geometry.width) + 14;
    const isBeyond = over + this.tip.offsetWidth > this.clientWidth;
    this.tip.style.left = `${isBeyond ? Math.max(0, over - this.tip.offsetWidth - 28) : over}px`;
  }

  /** @param {number} from @param {number} to */
  zoomBox(from, to) {
    const { x, height } = this.geometry;
    this.hover.append(svg("rect", { class: "zoom", x: x(Math.min(from, to)), y: TOP, width: Math.abs(x(to) - x(from)), height: height - BOTTOM - TOP }));
  }

  /** @param {number} from @param {number} to */
  zoom(from, to) {
    const { points, until } = this.shown;
    const next = points[to + 1];
    const isNewDay = next && next.date.slice(0, 10) > points[to].date.slice(0, 10);
    const last = isNewDay ? dayBefore(next.date.slice(0, 10)) : next ? points[to].date.slice(0, 10) : until;
    this.dispatchEvent(new CustomEvent("zoom", { bubbles: true, detail: { from: points[from].date.slice(0, 10), to: last } }));
  }

  /** Asks for one series alone. @param {string} key */
  pick(key) {
    const one = this.shown.series.find((series) => series.key === key);
    if (!this.shown.filter || one?.kind !== "value") return;
    this.dispatchEvent(new CustomEvent("pick", { bubbles: true, detail: { name: this.shown.filter, value: key } }));
  }

  /** Pales every series but one, here and in the ranking beside; null ends it. @param {string|null} key */
  light(key) {
    if (key === this.lit) return;
    this.lit = key;
    for (const band of this.querySelectorAll("[data-series]")) band.classList.toggle("is-dim", key !== null && /** @type {HTMLElement} */ (band).dataset.key !== key);
    for (const row of (this.closest("[data-panel]") ?? this).querySelectorAll(".ranking tbody tr")) row.classList.toggle("is-lit", key !== null && /** @type {HTMLElement} */ (row).dataset.key === key);
  }

  /** Name and value of every cell: the first row is the head. @returns {(string|number|null)[][]} */
  cells() {
    const { points, interval } = this.shown;
    const hasSum = this.sum(this.visible, 0) !== null;
    return [
      ["Date", ...this.visible.map((one) => one.label), ...(hasSum ? ["Total"] : [])],
      ...points.map((point, index) => [
        interval === "hour" ? point.date.replace("T", " ") : point.date,
        ...this.visible.map((one) => one.values[index]),
        ...(hasSum ? [this.sum(this.visible, index)] : []),
      ]),
    ];
  }

  table() {
    const [head, ...rows] = this.cells();
    const cell = (/** @type {string|number|null} */ value) => (typeof value === "number" ? el("td", { title: this.exact(value) }, this.short(value)) : el("td", {}, "–"));
    const totals = this.visible.map((one) => one.total);
    const foot = this.sum(this.visible, 0) === null ? [] : [el("tfoot", {}, el("tr", {}, el("th", { scope: "row" }, "Total"), ...totals.map(cell), cell(totals.reduce((/** @type {number} */ sum, total) => sum + (total ?? 0), 0))))];
    return el("div", { class: "data-table", tabindex: "0", role: "region", "aria-label": "Values over time" },
      el("table", {}, el("thead", {}, el("tr", {}, ...head.map((text) => el("th", { scope: "col" }, String(text))))),
        el("tbody", {}, ...rows.map(([date, ...values]) => el("tr", {}, el("th", { scope: "row" }, String(date)), ...values.map(cell)))), ...foot));
  }
}

/** @param {string} date */
function dayBefore(date) {
  return new Date(Date.parse(`${date}T00:00:00Z`) - 86400000).toISOString().slice(0, 10);
}
