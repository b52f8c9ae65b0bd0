// Live refresh: what changed on the server is exchanged in place; the rest of the page stays as it is.
import { parseFragment } from "./dom.js";

const EVERY_MS = 15_000;
/** What the server last sent of each block. @type {Map<string, string>} */
let known = new Map();
let tag = "";

/** Remembers a fresh page as the server sent it. @param {ParentNode} page @param {string} etag */
export function remember(page, etag) {
  tag = etag;
  known = new Map(blocksOf(page).map(([name, node]) => [name, still(node)]));
}

/** A block without what only tells how fresh it is. @param {Element} node */
const still = (node) => node.outerHTML.replace(/<!--live-clock-->[^]*?<!--\/live-clock-->/g, "");

/** @param {ParentNode} page @returns {[string, Element][]} */
function blocksOf(page) {
  const blocks = [...page.querySelectorAll("[data-live]")].map((node) => /** @type {[string, Element]} */ ([`live ${/** @type {HTMLElement} */ (node).dataset.live}`, node]));
  const data = [...page.querySelectorAll("script[type='application/json'][id]")].map((node) => /** @type {[string, Element]} */ ([`data ${node.id}`, node]));
  return [...blocks, ...data];
}

/** Whether somebody is in the middle of something. */
function isBusy() {
  const active = document.activeElement;
  return document.hidden || document.querySelector("details[open]:not(.trail details), dialog[open], .drawer, [aria-busy=true]") !== null
    || active instanceof HTMLInputElement || active instanceof HTMLSelectElement || active instanceof HTMLTextAreaElement
    || !(getSelection()?.isCollapsed ?? true);
}

/** Looks for news now. */
export async function refresh() {
  const url = location.href;
  const response = await fetch(url, { headers: { "X-Fragment": "page", Accept: "text/html", ...(tag ? { "If-None-Match": tag } : {}) } });
  // Somebody may have opened something or gone elsewhere meanwhile.
  if (response.redirected || url !== location.href || isBusy()) return;
  for (const clock of document.querySelectorAll("[data-clock]")) clock.textContent = response.headers.get("outlay-as-of") ?? clock.textContent;
  if (response.status === 304 || !response.ok) return;
  const fresh = parseFragment(await response.text());
  document.documentElement.dataset.running = fresh.getElementById("page")?.dataset.running;
  const blocks = blocksOf(fresh);
  const next = new Map(blocks.map(([name, node]) => [name, still(node)]));
  if ([...next.keys()].join() !== [...known.keys()].join()) {
    // Another page by now, such as the first numbers of one that was empty.
    remember(fresh, response.headers.get("etag") ?? "");
    document.getElementById("page")?.replaceChildren(...fresh.getElementById("page")?.childNodes ?? []);
    document.dispatchEvent(new CustomEvent("navigated"));
    return;
  }
  const nodes = new Map(blocks);
  for (const [name, node] of blocksOf(document)) {
    const from = nodes.get(name);
    if (!from || next.get(name) === known.get(name)) continue;
    if (node.contains(document.activeElement)) {
      next.set(name, known.get(name) ?? ""); // not under somebody's hands
      continue;
    }
    node.replaceWith(from);
    if (name.startsWith("live ")) continue;
    for (const chart of document.querySelectorAll(`[data-source="${CSS.escape(from.id)}"]`)) /** @type {any} */ (chart).update?.(JSON.parse(from.textContent ?? "{}"));
  }
  known = next;
  tag = response.headers.get("etag") ?? "";
  document.dispatchEvent(new CustomEvent("refreshed"));
}

/** Looks for news every now and then while somebody looks. */
export function startLive() {
  setInterval(() => {
    if (document.querySelector("#page .fresh") && !isBusy()) refresh().catch(() => {});
  }, EVERY_MS);
}
