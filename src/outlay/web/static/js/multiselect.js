// <filter-menu>: choosing values of one filter, searched by name and applied together.
import { el } from "./dom.js";
import { addQuestion } from "./question.js";

const WAIT = 120;

/**
 * @import { ApiError } from "./api.js"
 * @import { Choice, ChoiceList } from "./payloads.js"
 */

class FilterMenu extends HTMLElement {
  /**
   * Labels of the chosen values.
   * @type {Map<string, string>}
   */
  chosen = new Map();
  /** The values that were chosen when the menu was opened. */
  opened = "";
  /** @type {HTMLInputElement} */
  search;
  /** @type {HTMLElement} */
  list;
  request = new AbortController();

  connectedCallback() {
    const menu = /** @type {HTMLDetailsElement} */ (this.closest("details"));
    menu.addEventListener("toggle", () => {
      if (menu.open) this.open();
    });
  }

  get name() {
    return this.dataset.param ?? "";
  }

  open() {
    this.chosen = new Map(JSON.parse(this.dataset.chosen ?? "[]"));
    this.opened = [...this.chosen.keys()].join("\n");
    const { noun = "" } = this.dataset;
    const find = `Find ${/^[aeio]/i.test(noun) ? "an" : "a"} ${noun}`;
    this.search = /** @type {HTMLInputElement} */ (
      el("input", {
        class: "input",
        type: "search",
        placeholder: find,
        "aria-label": find,
        autocomplete: "off",
      })
    );
    this.list = el("div", {
      class: "choices",
      role: "group",
      "aria-label": `Values of ${this.dataset.noun}`,
    });
    const clear = el("button", { class: "link", type: "button" }, "Clear");
    const apply = el("button", { class: "button is-primary", type: "button" }, "Apply");
    clear.addEventListener("click", () => {
      this.chosen.clear();
      this.apply();
    });
    apply.addEventListener("click", () => this.apply());
    let timer = 0;
    this.search.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(() => this.load(), WAIT);
    });
    this.search.addEventListener("keydown", (event) => {
      if (event.key === "Enter") {
        event.preventDefault();
        this.apply();
      }
      if (event.key === "ArrowDown") {
        event.preventDefault();
        this.focusAt(0);
      }
    });
    this.list.addEventListener("keydown", (event) => {
      const boxes = [...this.list.querySelectorAll("input")];
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (event.key === "Enter") {
        event.preventDefault();
        this.apply();
      }
      if (!step) return;
      event.preventDefault();
      const next = boxes.indexOf(/** @type {HTMLInputElement} */ (event.target)) + step;
      if (next < 0) this.search.focus();
      else this.focusAt(next);
    });
    this.replaceChildren(
      this.search,
      this.list,
      el("div", { class: "choices-foot" }, clear, apply),
    );
    this.search.focus();
    this.load();
  }

  /** @param {number} index */
  focusAt(index) {
    this.list.querySelectorAll("input")[index]?.focus();
  }

  async load() {
    this.request.abort();
    const request = new AbortController();
    this.request = request;
    const params = new URLSearchParams(this.dataset.scope ?? "");
    addQuestion(params);
    params.set("param", this.name);
    params.set("q", this.search.value);
    try {
      const answer = await fetch(`/choices.json?${params}`, {
        signal: request.signal,
        headers: { Accept: "application/json" },
      });
      /** @type {ChoiceList & ApiError} */
      const body = await answer.json();
      if (answer.ok) this.show(body.choices, body.more);
      else this.list.replaceChildren(el("p", { class: "choices-note" }, body.detail));
    } catch {
      if (!request.signal.aborted)
        this.list.replaceChildren(
          el("p", { class: "choices-note" }, "The values could not be loaded."),
        );
    }
  }

  /**
   * @param {Choice[]} found
   * @param {boolean} more
   */
  show(found, more) {
    const first = [...this.chosen].map(([value, label]) => ({
      value,
      label,
      hint: found.find((one) => one.value === value)?.hint ?? "",
    }));
    const rest = found.filter((one) => !this.chosen.has(one.value));
    /** @type {HTMLElement[]} */
    const lines = [...first, ...rest].map((one) => {
      const box = /** @type {HTMLInputElement} */ (
        el("input", { type: "checkbox", value: one.value, checked: this.chosen.has(one.value) })
      );
      box.addEventListener("change", () => {
        if (box.checked) this.chosen.set(one.value, one.label);
        else this.chosen.delete(one.value);
      });
      return el(
        "label",
        { title: one.label },
        box,
        el("span", { class: "choice-name" }, one.label),
        el("span", { class: "choice-hint" }, one.hint),
      );
    });
    if (!lines.length) lines.push(el("p", { class: "choices-note" }, "No matches."));
    if (more)
      lines.push(el("p", { class: "choices-note" }, "More values match. Type to narrow the list."));
    this.list.replaceChildren(...lines);
  }

  apply() {
    const menu = /** @type {HTMLDetailsElement} */ (this.closest("details"));
    menu.open = false;
    menu.querySelector("summary")?.focus();
    if ([...this.chosen.keys()].join("\n") === this.opened) return;
    this.dispatchEvent(
      new CustomEvent("filter", {
        bubbles: true,
        detail: { name: this.name, values: [...this.chosen.keys()] },
      }),
    );
  }
}

customElements.define("filter-menu", FilterMenu);
