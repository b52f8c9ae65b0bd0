// Pointer, touch and keyboard on a chart: reading points, selecting a series or a time range.
import { svg } from "./dom.js";
import { BOTTOM, TOP } from "./series.js";
import { readSeries, rowsAt } from "./tip.js";

/** @import { Chart } from "./chart.js" */

/**
 * @param {Chart<unknown>} chart
 * @param {SVGElement} root
 */
export function listen(chart, root) {
  listenToPointer(chart, root);
  listenToKeys(chart, root);
  root.addEventListener("blur", () => chart.point(-1, false));
}

/**
 * A tapped point stays until a tap elsewhere; with a mouse it follows the pointer.
 * @param {Chart<unknown>} chart
 * @param {SVGElement} root
 */
function listenToPointer(chart, root) {
  const at = (/** @type {PointerEvent} */ event) => {
    const { gutter, width, last } = chart.geometry;
    const box = root.getBoundingClientRect();
    const left = ((event.clientX - box.left) / box.width) * width;
    return Math.max(0, Math.min(last, Math.round(((left - gutter) / (width - gutter)) * last)));
  };
  const keyAt = (/** @type {PointerEvent} */ event) =>
    /** @type {HTMLElement} */ (event.target).dataset.key ?? null;
  let start = -1;
  let pressed = /** @type {string|null} */ (null);
  root.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "touch") {
      chart.point(at(event), false);
      return;
    }
    pressed = keyAt(event);
    start = at(event);
    root.setPointerCapture(event.pointerId);
  });
  root.addEventListener("pointermove", (event) => {
    chart.point(at(event), false);
    if (start >= 0) showTime(chart, start, at(event));
    else if (event.pointerType !== "touch") chart.light(keyAt(event));
  });
  root.addEventListener("pointerup", (event) => {
    const [from, end] = [start, at(event)];
    start = -1;
    if (from < 0) return;
    if (end !== from) zoom(chart, from, end);
    else if (pressed) pick(chart, pressed);
  });
  root.addEventListener("pointercancel", () => {
    start = -1;
    chart.point(-1, false);
  });
  root.addEventListener("pointerleave", (event) => {
    if (event.pointerType === "touch") return;
    chart.light(null);
    if (start < 0) chart.point(-1, false);
  });
}

/** @type {Record<string, number>} */
const MOVES = { ArrowLeft: -1, ArrowRight: 1, PageUp: -7, PageDown: 7 };

/**
 * @param {Chart<unknown>} chart
 * @param {SVGElement} root
 */
function listenToKeys(chart, root) {
  let start = -1;
  const moveTo = (/** @type {number} */ index, /** @type {boolean} */ isRange) => {
    const next = Math.max(0, Math.min(chart.geometry.last, index));
    start = isRange ? (start < 0 ? Math.max(0, chart.cursor) : start) : -1;
    chart.light(null);
    chart.point(next, true);
    if (start >= 0) showTime(chart, start, next);
  };
  const leave = () => {
    start = -1;
    chart.light(null);
    chart.point(-1, false);
  };
  const enter = () => {
    if (chart.cursor < 0) return;
    if (start >= 0 && start !== chart.cursor) zoom(chart, start, chart.cursor);
    else
      pick(
        chart,
        chart.lit ?? rowsAt(chart, chart.cursor).find((one) => one.kind === "value")?.key ?? "",
      );
  };
  root.addEventListener("keydown", (event) => {
    const { last } = chart.geometry;
    const move = MOVES[event.key];
    if (event.key === "Escape") leave();
    else if (event.key === "Home") moveTo(0, event.shiftKey);
    else if (event.key === "End") moveTo(last, event.shiftKey);
    else if (move)
      moveTo(chart.cursor < 0 ? (move > 0 ? 0 : last) : chart.cursor + move, event.shiftKey);
    else if (event.key === "ArrowDown") choose(chart, 1);
    else if (event.key === "ArrowUp") choose(chart, -1);
    else if (event.key === "Enter") enter();
    else return;
    event.preventDefault();
  });
  root.addEventListener("blur", () => {
    start = -1;
    chart.light(null);
  });
}

/**
 * Highlights the next series of the current point.
 * @param {Chart<unknown>} chart
 * @param {number} by
 */
function choose(chart, by) {
  if (chart.cursor < 0) return;
  const rows = rowsAt(chart, chart.cursor);
  if (!rows.length) return;
  const place = rows.findIndex((one) => one.key === chart.lit);
  const next =
    rows[place < 0 ? (by > 0 ? 0 : rows.length - 1) : (place + by + rows.length) % rows.length];
  chart.light(next.key);
  readSeries(chart, chart.cursor, next);
}

/**
 * @param {Chart<unknown>} chart
 * @param {number} from
 * @param {number} to
 */
function showTime(chart, from, to) {
  const { x, height } = chart.geometry;
  chart.hover.querySelector(".zoom")?.remove();
  chart.hover.append(
    svg("rect", {
      class: "zoom",
      x: x(Math.min(from, to)),
      y: TOP,
      width: Math.abs(x(to) - x(from)),
      height: height - BOTTOM - TOP,
    }),
  );
}

/**
 * Zooms to a time range.
 * @param {Chart<unknown>} chart
 * @param {number} one
 * @param {number} other
 */
function zoom(chart, one, other) {
  const [from, to] = [Math.min(one, other), Math.max(one, other)];
  const { points, until } = chart.shown;
  const next = points[to + 1];
  const isNewDay = next && next.date.slice(0, 10) > points[to].date.slice(0, 10);
  const last = isNewDay
    ? dayBefore(next.date.slice(0, 10))
    : next
      ? points[to].date.slice(0, 10)
      : until;
  chart.dispatchEvent(
    new CustomEvent("zoom", {
      bubbles: true,
      detail: { from: points[from].date.slice(0, 10), to: last },
    }),
  );
}

/**
 * Filters by one series.
 * @param {Chart<unknown>} chart
 * @param {string} key
 */
function pick(chart, key) {
  const one = chart.shown.series.find((series) => series.key === key);
  if (!chart.shown.filter || one?.kind !== "value") return;
  chart.dispatchEvent(
    new CustomEvent("pick", { bubbles: true, detail: { name: chart.shown.filter, value: key } }),
  );
}

/** @param {string} date */
function dayBefore(date) {
  return new Date(Date.parse(`${date}T00:00:00Z`) - 86400000).toISOString().slice(0, 10);
}
