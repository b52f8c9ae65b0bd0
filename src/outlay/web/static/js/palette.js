// The command palette: jump to a page, project, key, member or group by name.
import { announce, el } from "./dom.js";

const WAIT = 80;
let timer = 0;
let request = new AbortController();
/** @type {{title: string, kind: string, path: string}[]} */
let items = [];
let chosen = 0;

/** Opens it. @param {(path: string) => void} leave */
export function openPalette(leave) {
  if (document.querySelector(".palette")) return;
  const list = el("ul", { role: "listbox", id: "palette-list", "aria-label": "Places" });
  const field = /** @type {HTMLInputElement} */ (el("input", { type: "text", role: "combobox", "aria-expanded": "true", "aria-controls": "palette-list", "aria-autocomplete": "list", "aria-label": "Jump to a page, project, key, member or group", placeholder: "Jump to a page, project, key, member or group", autocomplete: "off", spellcheck: "false" }));
  const dialog = /** @type {HTMLDialogElement} */ (el("dialog", { class: "dialog palette", "aria-label": "Jump to" }, field, list));
  const close = () => { dialog.close(); dialog.remove(); };
  const enter = (/** @type {number} */ index) => { const item = items[index]; if (item) { close(); leave(item.path); } };

  field.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(() => load(field, list), WAIT); });
  field.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && items.length) choose(field, list, (chosen + step + items.length) % items.length);
    else if (event.key === "Enter") enter(chosen);
    else return;
    event.preventDefault();
  });
  list.addEventListener("click", (event) => enter([...list.children].indexOf(/** @type {Element} */ (/** @type {Element} */ (event.target).closest("li")))));
  dialog.addEventListener("cancel", (event) => { event.preventDefault(); close(); });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) close(); });
  document.body.append(dialog);
  dialog.showModal();
  field.focus();
  load(field, list);
}

/** @param {HTMLInputElement} field @param {HTMLElement} list */
async function load(field, list) {
  request.abort();
  request = new AbortController();
  const { signal } = request;
  try {
    const answer = await fetch(`/palette.json?${new URLSearchParams({ q: field.value })}`, { signal, headers: { Accept: "application/json" } });
    items = (await answer.json()).items ?? [];
  } catch {
    if (signal.aborted) return;
    items = [];
  }
  list.replaceChildren(...items.map((item, index) => el("li", { role: "option", id: `place-${index}`, "aria-selected": "false" },
    el("span", { class: "palette-name" }, item.title), el("span", { class: "palette-kind" }, item.kind))));
  if (items.length) choose(field, list, 0);
  else { list.replaceChildren(el("li", { role: "option", "aria-selected": "false", "aria-disabled": "true" }, "Nothing of that name.")); announce("Nothing of that name"); }
}

/** @param {HTMLInputElement} field @param {HTMLElement} list @param {number} index */
function choose(field, list, index) {
  chosen = index;
  [...list.children].forEach((item, place) => item.setAttribute("aria-selected", String(place === index)));
  field.setAttribute("aria-activedescendant", `place-${index}`);
  list.children[index]?.scrollIntoView({ block: "nearest" });
}
