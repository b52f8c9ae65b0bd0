// Additional functions of price forms: rows for meters, and the effect of a change on last
// month.
import { call } from "./api.js";
import { announce, el } from "./dom.js";
import { money } from "./fmt.js";
import { clearErrors, isComplete, readBody, showError } from "./forms.js";

/**
 * @import { Outcome } from "./api.js"
 * @import { PreviewAnswer, SumAnswer, PricePreviewTable } from "./payloads.js"
 */

/** @param {HTMLElement} button a control of a form of prices */
export function onPriceControl(button) {
  if (button.dataset.preview) preview(button);
  else if ("addRow" in button.dataset)
    addRow(/** @type {HTMLElement} */ (button.closest("[data-rows]")), button);
  else dropRow(button);
}

/**
 * @param {HTMLElement} rows
 * @param {HTMLElement} button
 */
function addRow(rows, button) {
  const template = /** @type {HTMLTemplateElement} */ (rows.querySelector("template"));
  button.before(template.content.cloneNode(true));
  const row = /** @type {HTMLElement} */ (button.previousElementSibling);
  const key = /** @type {HTMLSelectElement} */ (row.querySelector("[data-key]"));
  const value = /** @type {HTMLInputElement} */ (row.querySelector("[data-value]"));
  const taken = new Set(
    [...rows.querySelectorAll("[data-value]")].map(
      (node) => /** @type {HTMLInputElement} */ (node).name,
    ),
  );
  const nameOf = (/** @type {string} */ part) => `${rows.dataset.rows}.${part}`;
  const free = [...key.options].find((option) => !taken.has(nameOf(option.value)));
  if (free) key.value = free.value;
  const name = () => {
    value.name = nameOf(key.value);
  };
  key.addEventListener("change", name);
  name();
  key.focus();
  rows.closest("form")?.addEventListener("reset", () => row.remove(), { once: true });
}

/** @param {HTMLElement} button */
function dropRow(button) {
  const rows = button.closest("[data-rows]");
  button.closest(".is-row")?.remove();
  /** @type {HTMLElement|null} */ (rows?.querySelector("[data-add-row]"))?.focus();
}

/**
 * Shows the effect that saving a form would have on last month.
 * @param {HTMLElement} button
 */
async function preview(button) {
  const form = /** @type {HTMLFormElement} */ (button.closest("form"));
  const result = /** @type {HTMLElement} */ (form.querySelector("[data-preview-result]"));
  const { preview: path = "", previewMethod: method = "POST" } = button.dataset;
  clearErrors(form);
  result.hidden = true;
  form.addEventListener(
    "reset",
    () => {
      result.hidden = true;
    },
    { once: true },
  );
  if (!isComplete(form)) return;
  const label = button.textContent;
  button.setAttribute("aria-busy", "true");
  /** @type {HTMLButtonElement} */ (button).disabled = true;
  button.textContent = "Calculating…";
  const body = method === "GET" ? undefined : await readBody(form);
  /** @type {Outcome<PreviewAnswer>} */
  const { answer, error } = await call(
    method,
    path.replace("{path}", form.dataset.path ?? ""),
    body,
  );
  button.textContent = label;
  /** @type {HTMLButtonElement} */ (button).disabled = false;
  button.removeAttribute("aria-busy");
  if (error) {
    showError(form, error.detail, error.field);
    return;
  }
  result.replaceChildren(...drawn(answer));
  result.hidden = false;
  announce(answer.summary);
  button.focus();
  result.scrollIntoView({ block: "nearest" });
}

/** @param {PreviewAnswer} answer */
function drawn(answer) {
  const notes = [answer.summary, ...answer.notes].map((text) => el("p", {}, text));
  if (!answer.total.requestCount) return notes;
  return [...notes, table(answer)];
}

/** @param {PreviewAnswer} answer */
function table(answer) {
  const head = ["", "Requests", "Before", "After", "Difference"].map((text, place) =>
    el(
      "th",
      { scope: "col", class: place ? "number" : "" },
      text || el("span", { class: "sr" }, "What"),
    ),
  );
  const part = (
    /** @type {string} */ title,
    /** @type {string} */ noun,
    /** @type {PricePreviewTable} */ found,
  ) =>
    el(
      "tbody",
      {},
      el("tr", {}, el("th", { scope: "rowgroup", colspan: 5, class: "preview-title" }, title)),
      ...found.rows.map((row) => line(row.name || "Unattributed", row)),
      ...(found.otherCount ? [line(`${found.otherCount} other ${noun}`, found.others)] : []),
    );
  return el(
    "div",
    { class: "table-wrap" },
    el(
      "table",
      { class: "list is-dense" },
      el("caption", { class: "sr" }, "Cost of last month before and after the change"),
      el("thead", {}, el("tr", {}, ...head)),
      el("tbody", {}, line("All", answer.total)),
      part("By model", "models", answer.models),
      part("By user", "users", answer.users),
    ),
  );
}

/**
 * @param {string} name
 * @param {SumAnswer} sum
 */
function line(name, sum) {
  const amount = (/** @type {string} */ usd) =>
    el("td", { class: "number", title: `$${usd}` }, money(usd));
  const sign = sum.difference.startsWith("-") || !Number(sum.difference) ? "" : "+";
  return el(
    "tr",
    {},
    el("th", { scope: "row" }, el("span", { class: "clip is-short", title: name }, name)),
    el("td", { class: "number" }, sum.requestCount.toLocaleString("en-US")),
    amount(sum.costBefore),
    amount(sum.costAfter),
    el("td", { class: "number", title: `$${sum.difference}` }, `${sign}${money(sum.difference)}`),
  );
}
