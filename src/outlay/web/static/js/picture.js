// A chart or ranking as a PNG: its SVG with every style resolved, drawn onto the card's ground.
import { el, svg } from "./dom.js";

const SCALE = 2;
const PAD = 20;
const COLUMN = 220;
const RESOLVED = ["fill", "stroke", "stroke-width", "stroke-dasharray", "paint-order", "opacity", "font-size", "font-weight"];

/** @param {any} chart @param {string} title @returns {Promise<Blob>} */
export async function picture(chart, title) {
  const drawn = chart.visible ? plotOf(chart) : rankingOf(chart);
  const { width, height } = drawn.viewBox.baseVal;
  const ink = getComputedStyle(document.documentElement).color;
  const ground = getComputedStyle(chart.closest(".card") ?? document.documentElement).backgroundColor;
  const columns = Math.max(1, Math.floor((width + PAD) / COLUMN));
  const legend = chart.visible ? legendOf(chart, drawn, ink, columns) : svg("g");
  const head = 34 + (chart.visible ? Math.ceil(chart.visible.length / columns) * 20 : 0);
  const root = svg("svg", { xmlns: "http://www.w3.org/2000/svg", width: width + PAD * 2, height: height + head + PAD * 2, "font-family": "system-ui, sans-serif", "font-size": 12 });
  const copy = /** @type {SVGElement} */ (resolved(drawn));
  copy.setAttribute("x", String(PAD));
  copy.setAttribute("y", String(PAD + head));
  copy.setAttribute("width", width);
  copy.setAttribute("height", height);
  root.append(definitions(), svg("rect", { width: "100%", height: "100%", fill: ground }), svg("text", { x: PAD, y: PAD + 14, fill: ink, "font-size": 15, "font-weight": 600 }, title), legend, copy);
  return rasterised(root, width + PAD * 2, height + head + PAD * 2);
}

/** A copy whose styles stand in its attributes. @param {Element} node @returns {Element} */
function resolved(node) {
  const copy = /** @type {Element} */ (node.cloneNode(false));
  const style = getComputedStyle(node);
  copy.removeAttribute("class");
  if (node.hasAttribute("hidden")) return copy;
  for (const name of RESOLVED) {
    const value = style.getPropertyValue(name);
    if (value && value !== "none" || name === "fill") copy.setAttribute(name, within(value));
  }
  for (const child of node.childNodes) copy.append(child instanceof Element ? resolved(child) : child.cloneNode());
  return copy;
}

/** A style whose patterns are those of the picture. @param {string} value */
const within = (value) => value.replace(/url\(["']?[^#]*(#[^"')]+)["']?\)/, "url($1)");

/** The patterns of the page. */
function definitions() {
  const defs = svg("defs");
  for (const pattern of document.querySelectorAll(".patterns pattern")) {
    const copy = resolved(pattern);
    defs.append(copy);
  }
  return defs;
}

/** What a series is painted with. @param {Element} mark */
function paintOf(mark) {
  const { fill, stroke } = getComputedStyle(mark);
  return within(fill === "none" ? stroke : fill);
}

/** @param {any} chart @param {Element} drawn @param {string} ink @param {number} columns */
function legendOf(chart, drawn, ink, columns) {
  const group = svg("g");
  chart.visible.forEach((/** @type {any} */ one, /** @type {number} */ index) => {
    const [x, y] = [PAD + (index % columns) * COLUMN, PAD + 36 + Math.floor(index / columns) * 20];
    const mark = drawn.querySelector(`[data-series][data-key="${CSS.escape(one.key)}"]`);
    group.append(svg("rect", { x, y: y - 9, width: 10, height: 10, rx: 2, fill: mark ? paintOf(mark) : ink }));
    const label = one.label.length > 28 ? `${one.label.slice(0, 27)}…` : one.label;
    group.append(svg("text", { x: x + 16, y, fill: ink }, one.total === null ? label : `${label}  ${chart.short(one.total)}`));
  });
  return group;
}

/** What is drawn, or would be where the values are shown as a table. @param {any} chart @returns {SVGSVGElement} */
function plotOf(chart) {
  chart.light(null);
  return chart.asTable ? unseen(chart, chart.plot()) : chart.root;
}

/** The ranking that is shown as an SVG of the same size. @param {Element} chart */
function rankingOf(chart) {
  const table = /** @type {HTMLTableElement} */ (chart.querySelector("table:not([hidden])"));
  const rows = [...table.tBodies[0].rows];
  const root = svg("svg", { class: "plot", viewBox: `0 0 900 ${rows.length * 32 + 8}` });
  rows.forEach((row, index) => {
    const y = index * 32;
    const name = row.querySelector(".name, th")?.textContent?.trim() ?? "";
    const [, bar] = row.querySelectorAll(".bar rect");
    const width = Number(bar?.getAttribute("width") ?? 0);
    root.append(svg("text", { x: 0, y: y + 20 }, name.length > 34 ? `${name.slice(0, 33)}…` : name),
      svg("rect", { x: 250, y: y + 9, width: width * 0.44, height: 12, rx: 3, class: bar?.getAttribute("class") ?? "" }),
      svg("text", { x: 790, y: y + 20, "text-anchor": "end" }, row.querySelector(".value")?.textContent ?? ""),
      svg("text", { x: 880, y: y + 20, "text-anchor": "end" }, row.cells[3]?.textContent ?? ""));
  });
  return unseen(chart, root);
}

/** In the page for a moment, so that its styles resolve. @template {Element} T @param {Element} chart @param {T} root */
function unseen(chart, root) {
  const holder = el("div", { class: "sr" }, root);
  chart.append(holder);
  setTimeout(() => holder.remove(), 0);
  return root;
}

/** @param {Element} root @param {number} width @param {number} height @returns {Promise<Blob>} */
async function rasterised(root, width, height) {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(new XMLSerializer().serializeToString(root))}`;
  await image.decode();
  const canvas = /** @type {HTMLCanvasElement} */ (el("canvas", { width: width * SCALE, height: height * SCALE }));
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.scale(SCALE, SCALE);
  context.drawImage(image, 0, 0);
  return new Promise((resolve, reject) => canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("the picture could not be made"))), "image/png"));
}
