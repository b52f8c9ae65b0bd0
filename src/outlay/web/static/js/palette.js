// The command palette: jump to a page or an object by name.
import { announce, el } from "./dom.js";

/** @import { PaletteItem, PaletteItems } from "./payloads.js" */

const WAIT = 80;
let timer = 0;
let request = new AbortController();
/** @type {PaletteItem[]} */
let items = [];
let chosen = 0;
/** The search that the list shows results of. @type {string|null} */
let answered = null;
/** Enter was pressed before the results for the field arrived. */
let isWaiting = false;

/**
 * Opens it.
 * @param {(path: string) => void} leave
 */
export function openPalette(leave) {
  if (document.querySelector(".palette")) return;
  const list = el("ul", { role: "listbox", id: "palette-list", "aria-label": "Places" });
  const field = /** @type {HTMLInputElement} */ (
    el("input", {
      type: "text",
      role: "combobox",
      "aria-expanded": "true",
      "aria-controls": "palette-list",
      "aria-autocomplete": "list",
      "aria-label": "Jump to a page, project, key, person, group, model or app",
      placeholder: "Jump to a page, project, key, person, group, model or app",
      autocomplete: "off",
      spellcheck: "false",
    })
  );
  const dialog = /** @type {HTMLDialogElement} */ (
    el("dialog", { class: "dialog palette", "aria-label": "Jump to" }, field, list)
  );
  const close = () => {
    dialog.close();
    dialog.remove();
  };
  const load = () =>
    ask(field, list).then(() => {
      if (isWaiting) enter(chosen);
    });
  const enter = (/** @type {number} */ index) => {
    const item = items[index];
    if (item) {
      close();
      leave(item.path);
    }
  };

  field.addEventListener("input", () => {
    clearTimeout(timer);
    isWaiting = false;
    timer = setTimeout(load, WAIT);
  });
  field.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && items.length) choose(field, list, (chosen + step + items.length) % items.length);
    else if (event.key === "Enter" && answered === field.value) enter(chosen);
    else if (event.key === "Enter") isWaiting = true;
    else return;
    event.preventDefault();
  });
  list.addEventListener("click", (event) =>
    enter(
      [...list.children].indexOf(
        /** @type {Element} */ (/** @type {Element} */ (event.target).closest("li")),
      ),
    ),
  );
  dialog.addEventListener("cancel", (event) => {
    event.preventDefault();
    close();
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) close();
  });
  document.body.append(dialog);
  dialog.showModal();
  field.focus();
  answered = null;
  isWaiting = false;
  load();
}

/**
 * @param {HTMLInputElement} field
 * @param {HTMLElement} list
 */
async function ask(field, list) {
  request.abort();
  request = new AbortController();
  const { signal } = request;
  const q = field.value;
  let nothing = "No matches.";
  try {
    const answer = await fetch(`/palette.json?${new URLSearchParams({ q })}`, {
      signal,
      headers: { Accept: "application/json" },
    });
    if (!answer.ok) throw new Error(answer.statusText);
    /** @type {PaletteItems} */
    const found = await answer.json();
    items = found.items;
  } catch {
    if (signal.aborted) return;
    items = [];
    nothing = "Outlay could not be reached.";
  }
  answered = q;
  list.replaceChildren(
    ...items.map((item, index) =>
      el(
        "li",
        { role: "option", id: `place-${index}`, "aria-selected": "false" },
        el("span", { class: "palette-name" }, item.title),
        el(
          "span",
          { class: "palette-kind" },
          item.lock ? `${item.kind} · ${item.lock}` : item.kind,
        ),
      ),
    ),
  );
  if (items.length) choose(field, list, 0);
  else {
    list.replaceChildren(
      el("li", { role: "option", "aria-selected": "false", "aria-disabled": "true" }, nothing),
    );
    announce(nothing);
  }
}

/**
 * @param {HTMLInputElement} field
 * @param {HTMLElement} list
 * @param {number} index
 */
function choose(field, list, index) {
  chosen = index;
  for (const [place, item] of [...list.children].entries())
    item.setAttribute("aria-selected", String(place === index));
  field.setAttribute("aria-activedescendant", `place-${index}`);
  list.children[index]?.scrollIntoView({ block: "nearest" });
}
