// Selected users: remembered across pages, sorting, searches and reloads, summed by the
// server.
import { announce, el } from "./dom.js";
import * as fmt from "./fmt.js";
import { addQuestion } from "./question.js";

/** @import { ApiError } from "./api.js" */

/**
 * Totals of the selected users.
 * @typedef {{ cost: number, requestCount: number, totalTokens: number }} Sums
 */

const FAILED = "Could not load the totals. Reload the page to try again.";
const STORED = "outlay-selected-users";
/** @type {Set<string>} */
const selected = new Set(JSON.parse(sessionStorage.getItem(STORED) ?? "[]"));
let request = new AbortController();

/** Ticks the selected users on a new page, and shows their totals. */
export function prepareSelection() {
  const bar = /** @type {HTMLElement|null} */ (document.querySelector("[data-selection]"));
  if (!bar) {
    if (!location.pathname.startsWith("/monitoring/users")) clear();
    return;
  }
  const boxes = /** @type {HTMLInputElement[]} */ ([...document.querySelectorAll("[data-select]")]);
  for (const box of boxes) {
    box.checked = selected.has(box.dataset.select ?? "");
    box.closest("tr")?.toggleAttribute("data-selected", box.checked);
  }
  const all = /** @type {HTMLInputElement|null} */ (document.querySelector("[data-select-all]"));
  if (all) {
    all.checked = boxes.length > 0 && boxes.every((box) => box.checked);
    all.indeterminate = !all.checked && boxes.some((box) => box.checked);
  }
  sum(bar);
}

/**
 * Handles a change of a checkbox; returns whether it was one of these.
 * @param {Element} target
 */
export function onSelection(target) {
  const box = /** @type {HTMLInputElement} */ (target);
  if (box.matches?.("[data-select]")) choose(box.dataset.select ?? "", box.checked);
  else if (box.matches?.("[data-select-all]")) {
    for (const one of document.querySelectorAll("[data-select]"))
      choose(/** @type {HTMLElement} */ (one).dataset.select ?? "", box.checked);
  } else return false;
  prepareSelection();
  return true;
}

/**
 * @param {string} user
 * @param {boolean} isOn
 */
function choose(user, isOn) {
  if (isOn) selected.add(user);
  else selected.delete(user);
  store();
}

function clear() {
  selected.clear();
  store();
}

function store() {
  sessionStorage.setItem(STORED, JSON.stringify([...selected]));
}

/** @param {HTMLElement} bar */
async function sum(bar) {
  request.abort();
  request = new AbortController();
  const { signal } = request;
  bar.hidden = !selected.size;
  if (!selected.size) {
    bar.replaceChildren();
    return;
  }
  const params = new URLSearchParams();
  addQuestion(params, "userId");
  for (const user of selected) params.append("selected", user);
  const none = el("button", { class: "link", type: "button" }, "Clear");
  none.addEventListener("click", () => {
    clear();
    prepareSelection();
  });
  const words = el("span", { class: "selection-sum" }, "…");
  bar.replaceChildren(el("strong", {}, `${selected.size} selected`), words, exportsOf(bar), none);
  try {
    const answer = await fetch(`/api/v1/analytics/users?${params}&pageSize=1`, {
      headers: { Accept: "application/json" },
      signal,
    });
    /** @type {{ selection: Sums|null } & Partial<ApiError>} */
    const { selection, detail } = await answer.json();
    if (!selection) {
      words.textContent = detail ?? FAILED;
      return;
    }
    const { cost, requestCount, totalTokens } = selection;
    const short = [fmt.money(cost), fmt.count(requestCount), fmt.count(totalTokens)];
    const exact = [fmt.exactMoney(cost), fmt.exactCount(requestCount), fmt.exactCount(totalTokens)];
    const text = `Σ ${short[0]} · ${short[1]} requests · ${short[2]} tokens`;
    const title = `${exact[0]}, ${exact[1]} requests, ${exact[2]} tokens`;
    words.replaceChildren(el("span", { title }, text));
    announce(`${selected.size} selected, ${text}`);
  } catch {
    if (!signal.aborted) words.textContent = FAILED;
  }
}

/** @param {HTMLElement} bar */
function exportsOf(bar) {
  const menu = el(
    "details",
    { class: "menu" },
    el("summary", { class: "button" }, "Export selected"),
  );
  const panel = el("div", { class: "menu-panel" });
  for (const [title, path] of JSON.parse(bar.dataset.exports ?? "[]")) {
    const url = new URL(path, location.href);
    url.searchParams.delete("search");
    for (const user of selected) url.searchParams.append("selected", user);
    panel.append(el("a", { class: "menu-item", href: url.href, download: "" }, title));
  }
  menu.append(panel);
  return menu;
}
