// Restores the focus after the content of the page has been replaced, so that it is never lost.

/** @typedef {{ isSomewhere: boolean, request: string, find: () => Element|null }} Place */

/**
 * Describes where the focus is, to restore it later.
 * @returns {Place}
 */
export function noteFocus() {
  const node = document.activeElement;
  const request = requestBeside();
  if (!(node instanceof Element) || !node.closest("#page"))
    return { isSomewhere: node !== null && node !== document.body, request, find: () => null };
  const keys = [...keysOf(node)];
  const named = likeness(node);
  const find = () => {
    // From the drawer back to the row of its request.
    if (request && node.closest(".drawer") && !document.querySelector(".drawer"))
      return rowOf(request);
    for (const key of keys) {
      const found = document.querySelector(`#page ${key}`);
      if (found) return found;
    }
    return (
      [...document.querySelectorAll(`#page ${node.localName}`)].find(
        (other) => likeness(other) === named,
      ) ?? null
    );
  };
  return { isSomewhere: true, request, find };
}

/**
 * Selectors of a control, the most specific first.
 * @param {Element} node
 */
function* keysOf(node) {
  if (node.closest(".range")) yield ".range summary";
  if (node.id) yield `#${CSS.escape(node.id)}`;
  if (node.matches("[data-search]")) yield "[data-search]";
  const menu = node.closest(".filter-menu");
  if (menu) {
    const place = [...document.querySelectorAll(".filter-menu")].indexOf(menu) + 1;
    yield `.filter-menu:nth-of-type(${place}) summary`;
  }
  for (const name of ["data-key", "data-row", "name", "href"]) {
    const value = node.getAttribute(name);
    if (value) yield `${CSS.escape(node.localName)}[${name}="${CSS.escape(value)}"]`;
  }
}

/**
 * The name of a control, and of its container.
 * @param {Element} node
 */
function likeness(node) {
  const around = node.closest(
    "[data-live],[data-panel],form,nav,.filters,.pager,.table-foot,.drawer,.page-head",
  );
  const name = node.getAttribute("aria-label") ?? node.textContent?.trim() ?? "";
  return name && `${around?.className ?? ""} ${name}`;
}

/** The ID of the request that is open next to the list. */
const requestBeside = () =>
  /** @type {HTMLElement|null} */ (document.querySelector(".drawer"))?.dataset.request ?? "";

/** @param {string} request */
const rowOf = (request) => document.querySelector(`[data-row="${CSS.escape(request)}"]`);

/**
 * Restores the focus: where it was, in a request that was opened, or else on the main heading.
 * With a pointer nothing had the focus, and nothing gets it.
 * @param {Place} before
 */
export function restoreFocus(before) {
  const opened = requestBeside();
  const heading =
    opened && opened !== before.request ? document.getElementById("request-title") : null;
  const found = heading ?? (before.isSomewhere ? before.find() : null);
  // An item in a closed menu cannot have the focus, but the menu can.
  const node = found?.closest("details:not([open])")?.querySelector("summary") ?? found;
  /** @type {HTMLElement|null} */ (node)?.focus();
  if (document.activeElement === document.body && before.isSomewhere) focusHeading();
  if (node instanceof HTMLInputElement && node.type === "search")
    node.setSelectionRange(node.value.length, node.value.length);
}

/** Sets the focus to the top of the page if nothing else is left. */
function focusHeading() {
  const heading = /** @type {HTMLElement|null} */ (document.querySelector("#page h1"));
  heading?.setAttribute("tabindex", "-1");
  heading?.focus({ preventScroll: true });
}

/**
 * Moves between the rows of a log by key; returns whether the key was one of these.
 * @param {KeyboardEvent} event
 */
export function walkRows(event) {
  const step = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 }[event.key];
  if (!step || event.ctrlKey || event.metaKey || event.altKey) return false;
  const rows = /** @type {HTMLElement[]} */ ([...document.querySelectorAll("#page [data-row]")]);
  const opened = requestBeside();
  const at = rows.findIndex(
    (row) => row === document.activeElement || (opened && row.dataset.row === opened),
  );
  // Arrow keys scroll the page unless a row has the focus.
  if (!rows.length || (event.key.startsWith("Arrow") && rows[at] !== document.activeElement))
    return false;
  const next = rows[at < 0 ? 0 : Math.min(Math.max(at + step, 0), rows.length - 1)];
  if (opened) next.click();
  else next.focus();
  return true;
}
