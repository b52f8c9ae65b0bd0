// The shared parts of charts over time: frame, axes, table. Legend, tooltip and controls have
// modules of their own.
import { tableOf } from "./charttable.js";
import { el, svg, textWidth } from "./dom.js";
import * as fmt from "./fmt.js";
import { legendOf } from "./legend.js";
import { listen } from "./pointing.js";
import { axisDates, ticks } from "./scale.js";
import { BOTTOM, highestOf, TOP, tone } from "./series.js";
import { fillTip, readOut } from "./tip.js";

/**
 * @import { ChartPoint, ComparedPeriod, LineChart } from "./payloads.js"
 * @import { Series } from "./series.js"
 */

/**
 * The whole: the total, its steps, and how it relates to the series.
 * @typedef {{ all: string, steps: string[], note: string }} Totals
 */

/**
 * The compared period.
 * @typedef {object} Earlier
 * @property {string} total
 * @property {string[]} steps
 * @property {string|null} change
 * @property {ComparedPeriod} compared
 */

/**
 * What a chart draws.
 * @typedef {object} Model
 * @property {string} title
 * @property {LineChart["unit"]} unit
 * @property {string} interval
 * @property {ChartPoint[]} points
 * @property {Series[]} series
 * @property {string} until
 * @property {string} filter
 * @property {string|null} note
 * @property {string} summary
 * @property {Totals|null} totals
 * @property {Earlier|null} earlier
 */

/**
 * Where values are drawn.
 * @typedef {object} Geometry
 * @property {(index: number) => number} x
 * @property {(value: number) => number} y
 * @property {number} gutter
 * @property {number} width
 * @property {number} height
 * @property {number} last
 */

const SHORT = { usd: fmt.money, count: fmt.count, ms: fmt.latency };
const EXACT = { usd: fmt.exactMoney, count: fmt.exactCount, ms: fmt.latency };

/**
 * The title of a chart, with its keyboard controls.
 * @param {string} title
 * @param {boolean} canFilter
 */
const helpOf = (title, canFilter) =>
  `${title}. Left and right arrows move between dates, up and down between series` +
  `${canFilter ? ", Enter filters by the series" : ""}. ` +
  "Hold Shift to select a range, then press Enter to zoom in.";

/** @template Data */
export class Chart extends HTMLElement {
  /** @type {Data} */
  data;
  /** @type {Model} */
  shown;
  /** @type {Series[]} */
  visible = [];
  /** @type {Geometry} */
  geometry;
  /** @type {Set<string>} */
  hiddenKeys = new Set();
  /** @type {SVGSVGElement|null} */
  root = null;
  /** @type {SVGElement} */
  hover;
  /** @type {HTMLElement} */
  tip;
  /** @type {string|null} */
  lit = null;
  /** @type {number|null} */
  paperWidth = null;
  cursor = -1;
  drawCount = 0;
  drawnWidth = 0;
  asTable = false;

  connectedCallback() {
    this.data = JSON.parse(document.getElementById(this.dataset.source ?? "")?.textContent ?? "{}");
    this.observer = new ResizeObserver(() => {
      if (Math.abs(this.clientWidth - this.drawnWidth) > 1) this.redraw();
    });
    this.observer.observe(this);
    this.outside = (/** @type {Event} */ event) => {
      if (!this.contains(/** @type {Node} */ (event.target))) this.point(-1, false);
    };
    document.addEventListener("pointerdown", this.outside);
    this.draw();
  }

  disconnectedCallback() {
    this.observer?.disconnect();
    if (this.outside) document.removeEventListener("pointerdown", this.outside);
  }

  /**
   * Draws for a width on paper, or with null for its own width on screen.
   * @param {number|null} width
   */
  drawFor(width) {
    this.paperWidth = width;
    this.draw();
  }

  /**
   * The data to draw.
   * @returns {Model}
   */
  model() {
    throw new Error("a chart says what it draws");
  }

  /**
   * The highest value that is drawn.
   * @returns {number}
   */
  highest() {
    return highestOf(this.visible.flatMap((one) => one.heights));
  }

  /**
   * Draws the data into its frame.
   * @param {SVGElement} root
   */
  paint(root) {
    throw new Error(`a chart paints into ${root.tagName}`);
  }

  /**
   * Adds annotations above everything else.
   * @param {SVGElement} root
   */
  annotate(root) {
    if (!this.visible.length) root.classList.add("is-bare");
  }

  /**
   * The position of a series' mark at a point.
   * @param {number} place
   * @param {number} index
   * @returns {number|null}
   */
  mark(place, index) {
    return this.visible[place].heights[index];
  }

  /** @param {string} value */
  short(value) {
    return SHORT[this.shown.unit](value);
  }

  /** @param {string} value */
  exact(value) {
    return EXACT[this.shown.unit](value);
  }

  /**
   * Formats figures that are shown together.
   * @param {string[]} values
   * @returns {(value: string) => string}
   */
  together(values) {
    return this.shown.unit === "usd" ? fmt.moneyTogether(values) : (value) => this.exact(value);
  }

  /** How many of the series are hidden. */
  hiddenCount() {
    return this.shown.series.length - this.visible.length;
  }

  /**
   * Takes newer data of the same shape; hidden series, the current point and the table
   * view are kept.
   * @param {Data} data
   */
  update(data) {
    const held = this.contains(document.activeElement)
      ? /** @type {HTMLElement} */ (document.activeElement).dataset.key
      : undefined;
    this.data = data;
    this.redraw();
    if (held) this.focusEntry(held);
  }

  /** Draws again, keeping the current point. */
  redraw() {
    const cursor = this.cursor;
    this.draw();
    if (cursor >= 0) this.point(Math.min(cursor, this.shown.points.length - 1), false);
  }

  /** @param {string} key */
  focusEntry(key) {
    /** @type {HTMLElement|null} */ (
      this.querySelector(`.legend [data-key="${CSS.escape(key)}"]`)
    )?.focus();
  }

  draw() {
    this.drawnWidth = this.clientWidth;
    this.shown = this.model();
    this.visible = this.shown.series.filter((one) => !this.hiddenKeys.has(one.key));
    this.cursor = -1;
    this.light(null);
    const hadFocus = this.root && document.activeElement === this.root;
    const isDrawn = !this.asTable && this.highest() > 0;
    this.root = isDrawn ? this.plot() : null;
    this.replaceChildren(
      legendOf(this),
      this.root ?? (this.asTable ? tableOf(this) : this.nothing()),
    );
    if (this.root) {
      this.tip = el("div", { class: "tip", hidden: "" });
      this.append(this.tip, el("p", { class: "sr", id: this.summaryId() }, this.shown.summary));
      if (hadFocus) this.root.focus();
    }
    this.dataset.drawn = String(++this.drawCount);
  }

  summaryId() {
    return `${this.id}-summary`;
  }

  /** What is shown instead of an empty frame. */
  nothing() {
    return el(
      "p",
      { class: "chart-none" },
      this.shown.series.length && !this.visible.length
        ? "All series are hidden."
        : this.shown.summary,
    );
  }

  plot() {
    const { points, interval, title, unit, filter } = this.shown;
    const width =
      this.paperWidth ??
      Math.max(260, this.clientWidth - parseFloat(getComputedStyle(this).paddingLeft) * 2);
    const height = this.paperWidth ? 180 : matchMedia("(max-width:760px)").matches ? 232 : 300;
    const marks = ticks(this.highest(), unit === "count");
    const labels = fmt.axis(marks, unit);
    const gutter = Math.ceil(Math.max(...labels.map((label) => textWidth(label, this)))) + 12;
    const highest = marks[marks.length - 1];
    const last = points.length - 1;
    const x = (/** @type {number} */ index) =>
      gutter + (last ? (index / last) * (width - gutter - 1) : (width - gutter) / 2);
    const y = (/** @type {number} */ value) =>
      height - BOTTOM - (value / highest) * (height - BOTTOM - TOP);
    this.geometry = { x, y, gutter, width, height, last };

    const root = svg("svg", {
      class: `plot${filter ? " can-pick" : ""}`,
      viewBox: `0 0 ${width} ${height}`,
      role: "application",
      tabindex: "0",
      "aria-roledescription": "chart",
      "aria-describedby": this.summaryId(),
      "aria-label": helpOf(title, Boolean(filter)),
    });
    marks.forEach((mark, place) => {
      root.append(
        svg("line", {
          class: mark ? "grid-line" : "zero-line",
          x1: gutter,
          x2: width,
          y1: y(mark),
          y2: y(mark),
        }),
        svg("text", { x: gutter - 8, y: y(mark) + 4, "text-anchor": "end" }, labels[place]),
      );
    });
    this.paint(root);
    const open = points.findIndex((one) => one.incomplete);
    if (open > 0) {
      const box = {
        x: x(open - 1),
        y: TOP,
        width: width - x(open - 1),
        height: height - BOTTOM - TOP,
      };
      root.append(
        svg("rect", { class: "veil", ...box }),
        svg("rect", { class: "veil-hatch", fill: "url(#veil)", ...box }),
      );
    }
    this.annotate(root);
    for (const [index, text] of axisDates(points, interval, width)) {
      root.append(
        svg(
          "text",
          { x: x(index), y: height - 6, "text-anchor": index === last && last ? "end" : "middle" },
          text,
        ),
      );
    }
    this.hover = svg("g", { hidden: "" });
    root.append(this.hover);
    listen(this, root);
    return root;
  }

  /**
   * Shows a point, announcing it if it was selected by keyboard; -1 ends it.
   * @param {number} index
   * @param {boolean} aloud
   */
  point(index, aloud) {
    if (!this.root || (index === this.cursor && !aloud)) return;
    this.cursor = index;
    this.hover.replaceChildren();
    this.tip.hidden = index < 0;
    if (index < 0) {
      this.hover.setAttribute("hidden", "");
      return;
    }
    this.hover.removeAttribute("hidden");
    const { x, y, height } = this.geometry;
    this.hover.append(
      svg("line", { class: "cross", x1: x(index), x2: x(index), y1: TOP, y2: height - BOTTOM }),
    );
    this.visible.forEach((one, place) => {
      const value = this.mark(place, index);
      if (value !== null)
        this.hover.append(
          svg("circle", { class: `dot fill-${tone(one)}`, cx: x(index), cy: y(value), r: 3.5 }),
        );
    });
    fillTip(this, index);
    this.placeTip(x(index));
    if (aloud) readOut(this, index);
  }

  /** @param {number} left In the chart's own units. */
  placeTip(left) {
    const box = /** @type {SVGSVGElement} */ (this.root).getBoundingClientRect();
    const over =
      box.left - this.getBoundingClientRect().left + left * (box.width / this.geometry.width) + 14;
    const isBeyond = over + this.tip.offsetWidth > this.clientWidth;
    this.tip.style.left = `${isBeyond ? Math.max(0, over - this.tip.offsetWidth - 28) : over}px`;
  }

  /**
   * Dims every series but one, here and in the ranking; null ends it.
   * @param {string|null} key
   */
  light(key) {
    const lit = this.visible.some((one) => one.key === key) ? key : null;
    if (lit === this.lit) return;
    this.lit = lit;
    for (const band of this.querySelectorAll("[data-series]"))
      band.classList.toggle(
        "is-dim",
        lit !== null && /** @type {HTMLElement} */ (band).dataset.key !== lit,
      );
    for (const row of this.querySelectorAll(".tip-row"))
      row.classList.toggle(
        "is-lit",
        lit !== null && /** @type {HTMLElement} */ (row).dataset.tipKey === lit,
      );
    for (const row of (this.closest("[data-panel]") ?? this).querySelectorAll(".ranking tbody tr"))
      row.classList.toggle(
        "is-lit",
        lit !== null && /** @type {HTMLElement} */ (row).dataset.key === lit,
      );
  }
}
