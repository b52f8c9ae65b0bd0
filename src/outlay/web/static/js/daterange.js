// <date-range>: two months to pick a period from, writing the form's own date fields.
import { el } from "./dom.js";

const MONTHS = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
];
const DAY = 86400000;

/** @param {string} text */
const parse = (text) => Date.parse(`${text}T00:00:00Z`);
/** @param {number} time */
const render = (time) => new Date(time).toISOString().slice(0, 10);

class DateRange extends HTMLElement {
  /** @type {HTMLInputElement} */
  from;
  /** @type {HTMLInputElement} */
  to;
  latest = 0;
  /** The first day of the later displayed month. */
  month = 0;
  picking = false;

  connectedCallback() {
    const form = /** @type {HTMLFormElement} */ (this.closest("form"));
    this.from = /** @type {HTMLInputElement} */ (form.elements.namedItem("from"));
    this.to = /** @type {HTMLInputElement} */ (form.elements.namedItem("to"));
    this.latest = parse(this.dataset.latest ?? render(Date.now()));
    const shown = new Date(parse(this.to.value) || this.latest);
    this.month = Date.UTC(shown.getUTCFullYear(), shown.getUTCMonth(), 1);
    for (const field of [this.from, this.to]) field.addEventListener("input", () => this.draw());
    this.addEventListener("keydown", (event) => this.onKey(event));
    this.draw();
  }

  draw() {
    const [from, to] = [parse(this.from.value), parse(this.to.value)];
    const before = new Date(this.month);
    const previous = Date.UTC(before.getUTCFullYear(), before.getUTCMonth() - 1, 1);
    this.replaceChildren(
      this.drawMonth(previous, from, to, -1),
      this.drawMonth(this.month, from, to, 1),
    );
  }

  /**
   * @param {number} first
   * @param {number} from
   * @param {number} to
   * @param {number} turn
   */
  drawMonth(first, from, to, turn) {
    const date = new Date(first);
    const year = date.getUTCFullYear();
    const month = date.getUTCMonth();
    const button = el(
      "button",
      {
        type: "button",
        class: turn > 0 ? "is-next" : "",
        "aria-label": turn > 0 ? "Later months" : "Earlier months",
      },
      turn > 0 ? "›" : "‹",
    );
    button.addEventListener("click", () => this.turn(turn));
    const back = el(
      "button",
      { type: "button", class: "is-narrow", "aria-label": "Earlier month" },
      "‹",
    );
    back.addEventListener("click", () => this.turn(-1));
    const days = new Date(Date.UTC(year, month + 1, 0)).getUTCDate();
    const box = el(
      "div",
      { class: "month", role: "group", "aria-label": `${MONTHS[month]} ${year}` },
      el(
        "div",
        { class: "month-head" },
        `${MONTHS[month]} ${year}`,
        ...(turn > 0 ? [back, button] : [button]),
      ),
      ...["M", "T", "W", "T", "F", "S", "S"].map((name) =>
        el("span", { "aria-hidden": "true" }, name),
      ),
    );
    for (let blank = (date.getUTCDay() + 6) % 7; blank > 0; blank--) box.append(el("span"));
    for (let day = 1; day <= days; day++) {
      const time = Date.UTC(year, month, day);
      const isEdge = time === from || time === to;
      const cell = el(
        "button",
        {
          type: "button",
          "data-time": time,
          tabindex: time === to ? "0" : "-1",
          disabled: time > this.latest,
          "aria-pressed": String(time >= from && time <= to),
          "aria-label": `${MONTHS[month]} ${day}, ${year}`,
          class: `day${time >= from && time <= to ? " is-in" : ""}${isEdge ? " is-edge" : ""}`,
        },
        String(day),
      );
      cell.addEventListener("click", () => this.pick(time));
      box.append(cell);
    }
    return box;
  }

  /** @param {number} by */
  turn(by) {
    const date = new Date(this.month);
    this.month = Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + by, 1);
    this.draw();
  }

  /**
   * The first pick begins a period, the second ends it.
   * @param {number} time
   */
  pick(time) {
    const text = render(time);
    if (!this.picking || time < parse(this.from.value)) {
      this.from.value = this.to.value = text;
      this.picking = true;
    } else {
      this.to.value = text;
      this.picking = false;
    }
    this.draw();
    this.focusDay(time);
  }

  /** @param {number} time */
  focusDay(time) {
    const cell = /** @type {HTMLElement|null} */ (this.querySelector(`[data-time="${time}"]`));
    cell?.focus();
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const cell = /** @type {HTMLElement} */ (event.target);
    const move = {
      ArrowLeft: -1,
      ArrowRight: 1,
      ArrowUp: -7,
      ArrowDown: 7,
      PageUp: -28,
      PageDown: 28,
    }[event.key];
    if (!cell.dataset.time || !move) return;
    event.preventDefault();
    const time = Math.min(this.latest, Number(cell.dataset.time) + move * DAY);
    const date = new Date(time);
    if (!this.querySelector(`[data-time="${time}"]`)) {
      this.month = Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + (move < 0 ? 1 : 0), 1);
      this.draw();
    }
    this.focusDay(time);
  }
}

customElements.define("date-range", DateRange);
