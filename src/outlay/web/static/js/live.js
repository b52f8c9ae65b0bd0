// Live refresh: what changed on the server is replaced in place; the rest of the page stays as it
// is.
// If updates fail, the page says so.
import { Chart } from "./chart.js";
import { el, parseFragment } from "./dom.js";

const EVERY_MS = 15_000;
/** Interval of a page that waits for something, such as the first request. */
const WATCHING_MS = 2_000;
const MINUTE_MS = 60_000;
/** The content of each block, as the server last sent it. @type {Map<string, string>} */
let known = new Map();
let tag = "";
/** When the server last responded. */
let refreshedAt = Date.now();
let askedAt = Date.now();

/**
 * Stores the blocks of a new page as the server sent them.
 * @param {ParentNode} page
 * @param {string} etag
 */
export function remember(page, etag) {
  tag = etag;
  known = new Map(blocksOf(page).map(([name, node]) => [name, still(node)]));
  refreshedAt = askedAt = Date.now();
}

/**
 * A block without the parts that only show its freshness.
 * @param {Element} node
 */
const still = (node) => node.outerHTML.replace(/<!--live-clock-->[\s\S]*?<!--\/live-clock-->/g, "");

/**
 * @param {ParentNode} page
 * @returns {[string, Element][]}
 */
function blocksOf(page) {
  const blocks = [...page.querySelectorAll("[data-live]")].map(
    (node) =>
      /** @type {[string, Element]} */ ([
        `live ${/** @type {HTMLElement} */ (node).dataset.live}`,
        node,
      ]),
  );
  const data = [...page.querySelectorAll("script[type='application/json'][id]")].map(
    (node) => /** @type {[string, Element]} */ ([`data ${node.id}`, node]),
  );
  return [...blocks, ...data];
}

/** Whether the user is in the middle of something. */
function isBusy() {
  const active = document.activeElement;
  return (
    document.hidden ||
    document.querySelector(
      "details[open]:not(.trail details), dialog[open], .drawer, [aria-busy=true]",
    ) !== null ||
    active instanceof HTMLInputElement ||
    active instanceof HTMLSelectElement ||
    active instanceof HTMLTextAreaElement ||
    !(getSelection()?.isCollapsed ?? true)
  );
}

/** Checks for updates now. */
export async function refresh() {
  askedAt = Date.now();
  const url = location.href;
  /** @type {Response} */
  let response;
  try {
    response = await fetch(url, {
      headers: {
        "X-Fragment": "page",
        Accept: "text/html",
        ...(tag ? { "If-None-Match": tag } : {}),
      },
    });
  } catch {
    if (url === location.href) sayOffline();
    return;
  }
  // The user may have opened something or navigated away meanwhile.
  if (url !== location.href) return;
  if (response.redirected) {
    saySignedOut();
    return;
  }
  if (!response.ok && response.status !== 304) {
    say("Could not refresh", retry());
    return;
  }
  refreshedAt = Date.now();
  say("");
  showAge();
  if (isBusy()) return;
  for (const clock of document.querySelectorAll("[data-clock]"))
    clock.textContent = response.headers.get("outlay-as-of") ?? clock.textContent;
  if (response.status === 304) return;
  const fresh = parseFragment(await response.text());
  document.documentElement.dataset.running = fresh.getElementById("page")?.dataset.running;
  const blocks = blocksOf(fresh);
  const next = new Map(blocks.map(([name, node]) => [name, still(node)]));
  if ([...next.keys()].join() !== [...known.keys()].join()) {
    // The page has changed as a whole, for example from an empty one to its first numbers.
    remember(fresh, response.headers.get("etag") ?? "");
    document
      .getElementById("page")
      ?.replaceChildren(...(fresh.getElementById("page")?.childNodes ?? []));
    document.dispatchEvent(new CustomEvent("navigated"));
    return;
  }
  const nodes = new Map(blocks);
  for (const [name, node] of blocksOf(document)) {
    const from = nodes.get(name);
    if (!from || next.get(name) === known.get(name)) continue;
    if (node.contains(document.activeElement)) {
      next.set(name, known.get(name) ?? ""); // not while it has the focus
      continue;
    }
    node.replaceWith(from);
    if (name.startsWith("live ")) continue;
    for (const chart of document.querySelectorAll(`[data-source="${CSS.escape(from.id)}"]`))
      if (chart instanceof Chart) chart.update(JSON.parse(from.textContent ?? "{}"));
  }
  known = next;
  tag = response.headers.get("etag") ?? "";
  document.dispatchEvent(new CustomEvent("refreshed"));
}

/** How long ago the server last responded: `just now`, `3 min ago`. */
function age() {
  const minutes = Math.floor((Date.now() - refreshedAt) / MINUTE_MS);
  return minutes < 1
    ? "just now"
    : minutes < 120
      ? `${minutes} min ago`
      : `${Math.floor(minutes / 60)} h ago`;
}

/** Shows the age of the page at its foot, from one minute on. */
function showAge() {
  const isOld = Date.now() - refreshedAt >= MINUTE_MS;
  for (const node of document.querySelectorAll("[data-age]"))
    node.textContent = isOld ? ` · updated ${age()}` : "";
}

/**
 * Shows above the page why it is not updated, or removes that notice.
 * @param {string} what
 * @param {Element} [way] what one can do
 */
function say(what, way) {
  const shown = document.getElementById("staleness");
  if (!what) {
    shown?.remove();
    return;
  }
  const text = `${what}. Last updated ${age()}. `;
  if (shown?.firstChild?.textContent === text) return;
  shown?.remove();
  document
    .getElementById("page")
    ?.prepend(
      el(
        "p",
        { class: "notice is-warning", role: "status", id: "staleness" },
        el("span", {}, text),
        ...(way ? [way] : []),
      ),
    );
}

/** Shows that there is no network. */
export const sayOffline = () => say("Offline", retry());
const saySignedOut = () =>
  say(
    "Signed out",
    el(
      "a",
      {
        class: "link",
        href: `/login?${new URLSearchParams({ next: location.pathname + location.search })}`,
      },
      "Sign in",
    ),
  );

/** A button that checks for updates. */
function retry() {
  const button = el("button", { class: "link", type: "button" }, "Retry");
  button.addEventListener("click", () => refresh());
  return button;
}

/** The interval between updates of the page; null if it is not updated. */
function interval() {
  if (document.querySelector("#page [data-watch]")) return WATCHING_MS;
  return document.querySelector("#page .fresh") ? EVERY_MS : Infinity;
}

/** Refreshes regularly while the page is visible. */
export function startLive() {
  const look = () => {
    if (interval() < Infinity && !isBusy()) refresh();
  };
  setInterval(() => {
    showAge();
    if (Date.now() - askedAt >= interval()) look();
  }, WATCHING_MS / 2);
  document.addEventListener("visibilitychange", () => {
    if (Date.now() - refreshedAt >= EVERY_MS) look();
  });
  addEventListener("online", () => {
    say("");
    look();
  });
  addEventListener("offline", () => {
    if (interval() < Infinity) sayOffline();
  });
}
