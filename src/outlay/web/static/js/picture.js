// A chart or ranking as a PNG: shapes from its SVG with every style resolved, texts in the page's
// own font.
import { Chart } from "./chart.js";
import { totalName } from "./charttable.js";
import { el, svg, textWidth } from "./dom.js";

const SCALE = 2;
const PAD = 24;
const GAP = 18;
const RESOLVED = ["fill", "stroke", "stroke-width", "stroke-dasharray", "opacity"];

/**
 * A text of the picture.
 * @typedef {object} Label
 * @property {string} text
 * @property {number} x
 * @property {number} y
 * @property {string} anchor
 * @property {number} size
 * @property {number} weight
 * @property {string} fill
 * @property {string} halo
 */

/**
 * @typedef {object} Composition
 * @property {number} width
 * @property {number} height
 * @property {SVGElement} root
 * @property {Label[]} labels
 * @property {string} family
 */

/** @typedef {(text: string, x: number, y: number, style?: Partial<Label>) => void} Write */

/**
 * @param {HTMLElement} source A chart, or the element around a ranking.
 * @param {string} title
 * @param {string} about The period, its zone and the filters.
 * @returns {Promise<Blob>}
 */
export const picture = (source, title, about) => rasterised(compose(source, title, about));

/**
 * Everything in the picture, with its position.
 * @param {HTMLElement} source A chart, or the element around a ranking.
 * @param {string} title
 * @param {string} about
 * @returns {Composition}
 */
export function compose(source, title, about) {
  const chart = source instanceof Chart ? source : null;
  const drawn = chart ? plotOf(chart) : rankingOf(source);
  const page = getComputedStyle(document.documentElement);
  const ink = page.color;
  const ground = getComputedStyle(
    source.closest(".card") ?? document.documentElement,
  ).backgroundColor;
  const organization = document.querySelector(".org-name")?.textContent?.trim() ?? "";
  const size = drawn.viewBox.baseVal;
  const width = Math.max(
    size.width + PAD * 2,
    ...[
      [title, 15],
      [about, 12],
    ].map(([text, points]) => textWidth(String(text), source, Number(points), 600) + PAD * 2),
  );
  /** @type {Label[]} */
  const labels = [];
  /** @type {Write} */
  const say = (text, x, y, style = {}) =>
    labels.push({
      text,
      x,
      y,
      anchor: "start",
      size: 12,
      weight: 400,
      fill: ink,
      halo: "",
      ...style,
    });
  say(title, PAD, PAD + 14, { size: 15, weight: 600 });
  say([organization, about].filter(Boolean).join(" \u00b7 "), PAD, PAD + 34);
  const total = totalOf(source);
  if (total) say(total, PAD, PAD + 54, { weight: 600 });
  const top = PAD + (total ? 68 : 48);
  const marks = svg("g");
  const foot = chart ? placeLegend(chart, drawn, ink, width, top, marks, say) : top;
  const copy = resolved(drawn);
  for (const [name, value] of Object.entries({
    x: PAD,
    y: foot,
    width: size.width,
    height: size.height,
    overflow: "visible",
  }))
    copy.setAttribute(name, String(value));
  for (const text of drawn.querySelectorAll("text")) labels.push(labelOf(text, PAD, foot));
  const height = foot + size.height + PAD;
  const root = svg(
    "svg",
    { xmlns: "http://www.w3.org/2000/svg", width, height },
    definitions(),
    svg("rect", { width: "100%", height: "100%", fill: ground }),
    marks,
    copy,
  );
  return { width, height, root, labels, family: page.fontFamily };
}

/**
 * The total in words; empty if there is none.
 * @param {HTMLElement} source
 */
function totalOf(source) {
  if (source instanceof Chart) {
    const { totals } = source.shown;
    return totals ? `${totalName(source)} ${source.short(totals.all)}` : "";
  }
  const value = source.querySelector("table:not([hidden]) tfoot .value")?.textContent?.trim();
  return value ? `Total ${value}` : "";
}

/**
 * A copy without texts, with its styles as attributes.
 * @param {Element} node
 * @returns {Element}
 */
function resolved(node) {
  const copy = /** @type {Element} */ (node.cloneNode(false));
  const style = getComputedStyle(node);
  copy.removeAttribute("class");
  if (node.hasAttribute("hidden")) return copy;
  for (const name of RESOLVED) {
    const value = style.getPropertyValue(name);
    if ((value && value !== "none") || name === "fill") copy.setAttribute(name, within(value));
  }
  for (const child of node.children) if (child.tagName !== "text") copy.append(resolved(child));
  return copy;
}

/**
 * A style that refers to the patterns of the picture.
 * @param {string} value
 */
const within = (value) => value.replace(/url\(["']?[^#]*(#[^"')]+)["']?\)/, "url($1)");

/** The patterns of the page. */
function definitions() {
  return svg("defs", {}, ...[...document.querySelectorAll(".patterns pattern")].map(resolved));
}

/**
 * A text of the chart.
 * @param {SVGTextElement} text
 * @param {number} left
 * @param {number} top
 * @returns {Label}
 */
function labelOf(text, left, top) {
  const style = getComputedStyle(text);
  return {
    text: text.textContent ?? "",
    x: left + Number(text.getAttribute("x")),
    y: top + Number(text.getAttribute("y")),
    anchor: text.getAttribute("text-anchor") ?? "start",
    size: parseFloat(style.fontSize),
    weight: Number(style.fontWeight),
    fill: style.fill,
    halo: style.stroke === "none" ? "" : style.stroke,
  };
}

/**
 * The fill of a series.
 * @param {Element} mark
 */
function paintOf(mark) {
  const { fill, stroke } = getComputedStyle(mark);
  return within(fill === "none" ? stroke : fill);
}

/**
 * Writes the legend line by line; returns where it ends.
 * @param {Chart<unknown>} chart
 * @param {Element} drawn
 * @param {string} ink
 * @param {number} width
 * @param {number} top
 * @param {SVGElement} marks
 * @param {Write} say
 */
function placeLegend(chart, drawn, ink, width, top, marks, say) {
  let [x, y] = [PAD, top + 12];
  const place = (
    /** @type {string} */ text,
    /** @type {(x: number, y: number) => SVGElement} */ mark,
    /** @type {number} */ room,
  ) => {
    const length = room + textWidth(text, chart, 12);
    if (x > PAD && x + length > width - PAD) [x, y] = [PAD, y + 20];
    marks.append(mark(x, y));
    say(text, x + room, y);
    x += length + GAP;
  };
  for (const one of chart.visible) {
    const painted = drawn.querySelector(`[data-series][data-key="${CSS.escape(one.key)}"]`);
    const label = one.label.length > 40 ? `${one.label.slice(0, 39)}\u2026` : one.label;
    place(
      one.total === null ? label : `${label}  ${chart.short(one.total)}`,
      (left, base) =>
        svg("rect", {
          x: left,
          y: base - 9,
          width: 10,
          height: 10,
          rx: 2,
          fill: painted ? paintOf(painted) : ink,
        }),
      16,
    );
  }
  const entries = /** @type {NodeListOf<HTMLElement>} */ (
    chart.querySelectorAll("[data-legend-line]")
  );
  for (const entry of entries) {
    const path = drawn.querySelector(
      entry.dataset.legendLine === "earlier" ? ".earlier" : ".whole",
    );
    const style = path ? getComputedStyle(path) : null;
    if (style)
      place(
        [...entry.childNodes]
          .map((node) => node.textContent)
          .filter(Boolean)
          .join(" "),
        (left, base) =>
          svg("line", {
            x1: left,
            x2: left + 22,
            y1: base - 4,
            y2: base - 4,
            stroke: style.stroke,
            "stroke-width": style.strokeWidth,
            "stroke-dasharray": style.strokeDasharray,
          }),
        28,
      );
  }
  return y + 16;
}

/**
 * The drawing, also if the values are shown as a table.
 * @param {Chart<unknown>} chart
 * @returns {SVGSVGElement}
 */
function plotOf(chart) {
  chart.light(null);
  return chart.root ?? unseen(chart, chart.plot());
}

/**
 * The displayed ranking as SVG.
 * @param {Element} chart
 * @returns {SVGSVGElement}
 */
function rankingOf(chart) {
  const table = /** @type {HTMLTableElement} */ (chart.querySelector("table:not([hidden])"));
  const rows = [...table.tBodies[0].rows];
  const root = svg("svg", { class: "plot", viewBox: `0 0 900 ${rows.length * 32 + 8}` });
  rows.forEach((row, index) => {
    const y = index * 32;
    const name = row.querySelector(".name, th")?.textContent?.trim() ?? "";
    const [, bar] = row.querySelectorAll(".bar rect");
    const width = Number(bar?.getAttribute("width") ?? 0);
    root.append(
      svg("text", { x: 0, y: y + 20 }, name.length > 34 ? `${name.slice(0, 33)}\u2026` : name),
      svg("rect", {
        x: 250,
        y: y + 9,
        width: width * 0.44,
        height: 12,
        rx: 3,
        class: bar?.getAttribute("class") ?? "",
      }),
      svg(
        "text",
        { x: 790, y: y + 20, "text-anchor": "end" },
        row.querySelector(".value")?.textContent?.trim() ?? "",
      ),
      svg(
        "text",
        { x: 880, y: y + 20, "text-anchor": "end" },
        row.cells[3]?.textContent?.trim() ?? "",
      ),
    );
  });
  return unseen(chart, root);
}

/**
 * Added to the page briefly, so that its styles are resolved.
 * @template {Element} Root
 * @param {Element} chart
 * @param {Root} root
 */
function unseen(chart, root) {
  const holder = el("div", { class: "sr" }, root);
  chart.append(holder);
  setTimeout(() => holder.remove(), 0);
  return root;
}

/**
 * @param {Composition} composition
 * @returns {Promise<Blob>}
 */
async function rasterised({ width, height, root, labels, family }) {
  const image = new Image();
  const source = new XMLSerializer().serializeToString(root);
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(source)}`;
  await image.decode();
  const canvas = /** @type {HTMLCanvasElement} */ (
    el("canvas", { width: Math.ceil(width) * SCALE, height: Math.ceil(height) * SCALE })
  );
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.scale(SCALE, SCALE);
  context.drawImage(image, 0, 0);
  for (const { text, x, y, anchor, size, weight, fill, halo } of labels) {
    context.font = `${weight} ${size}px ${family}`;
    context.textAlign = /** @type {CanvasTextAlign} */ (
      { middle: "center", end: "right" }[anchor] ?? "left"
    );
    if (halo) {
      [context.strokeStyle, context.lineWidth, context.lineJoin] = [halo, 3, "round"];
      context.strokeText(text, x, y);
    }
    context.fillStyle = fill;
    context.fillText(text, x, y);
  }
  return new Promise((resolve, reject) =>
    canvas.toBlob(
      (blob) => (blob ? resolve(blob) : reject(new Error("the picture could not be made"))),
      "image/png",
    ),
  );
}
