// Navigation without reloading: the content of the page is replaced, and the URL follows.
import { announce, el, parseFragment } from "./dom.js";
import { noteFocus, restoreFocus } from "./focus.js";
import { remember } from "./live.js";

let loading = /** @type {AbortController|null} */ (null);

/**
 * Shows another page, or another state of this one.
 * @param {string} url
 * @param {boolean} [push]
 * @param {boolean} [keepScroll]
 */
export async function go(url, push = true, keepScroll = false) {
  if (isOtherProject(url)) {
    location.assign(url); // the sidebar is a different one
    return;
  }
  loading?.abort();
  const request = new AbortController();
  loading = request;
  const page = /** @type {HTMLElement} */ (document.getElementById("page"));
  let focused = noteFocus();
  page.setAttribute("aria-busy", "true");
  try {
    const response = await fetch(url, {
      headers: { "X-Fragment": "page", Accept: "text/html" },
      signal: request.signal,
    });
    if (
      response.redirected ||
      !(response.headers.get("content-type") ?? "").startsWith("text/html")
    ) {
      location.assign(url);
      return;
    }
    const next = parseFragment(await response.text());
    const fresh = next.getElementById("page");
    if (!fresh) {
      location.assign(url);
      return;
    }
    const isElsewhere = new URL(url, location.href).pathname !== location.pathname;
    document.title = next.title;
    remember(fresh, response.headers.get("etag") ?? "");
    // The focus may have moved meanwhile; a menu that closes loses it.
    if (document.activeElement !== document.body) focused = noteFocus();
    page.replaceChildren(...fresh.childNodes);
    document.documentElement.dataset.running = fresh.dataset.running;
    if (push) history.pushState(null, "", url);
    if (isElsewhere && push && !keepScroll) scrollTo(0, 0);
    markCurrent();
    document.dispatchEvent(new CustomEvent("navigated"));
    const refused = /** @type {HTMLElement|null} */ (page.querySelector("[aria-invalid=true]"));
    if (refused) refused.focus();
    else restoreFocus(focused);
    announce(document.title);
  } catch {
    if (request.signal.aborted) return;
    sayUnreachable(page, url);
  } finally {
    if (loading === request) page.removeAttribute("aria-busy");
  }
}

/**
 * Whether a URL is about another project than the sidebar.
 * @param {string} url
 */
function isOtherProject(url) {
  const [, first, project] = new URL(url, location.href).pathname.split("/");
  return (
    first === "project" &&
    !document.querySelector(`.sidebar .nav-item[href^="/project/${CSS.escape(project)}"]`)
  );
}

/**
 * Shows above the current page that another one could not be loaded.
 * @param {HTMLElement} page
 * @param {string} url
 */
function sayUnreachable(page, url) {
  page.querySelector("#unreachable")?.remove();
  const again = el("button", { class: "link", type: "button" }, "Retry");
  again.addEventListener("click", () => go(url));
  page.prepend(
    el(
      "p",
      { class: "notice is-error", role: "alert", id: "unreachable" },
      el("span", {}, "Outlay could not be reached. This page may be out of date. "),
      again,
    ),
  );
}

/** Marks the sidebar entry that the URL belongs to. */
function markCurrent() {
  const path = location.pathname;
  const below = (/** @type {HTMLAnchorElement} */ link) =>
    path === link.pathname || path.startsWith(`${link.pathname}/`);
  const links = /** @type {HTMLAnchorElement[]} */ ([
    ...document.querySelectorAll(".sidebar .nav-item"),
  ]).filter(below);
  const deepest = links.sort((a, b) => b.pathname.length - a.pathname.length)[0];
  for (const link of document.querySelectorAll(".sidebar .nav-item[aria-current]"))
    link.removeAttribute("aria-current");
  deepest?.setAttribute("aria-current", "page");
}

/**
 * Keeps the metric and the view of the current page.
 * @param {string} href
 */
export function stay(href) {
  const url = new URL(href, location.href);
  const here = new URL(location.href);
  if (url.pathname !== here.pathname) return url.href;
  for (const name of ["metric", "view"]) {
    const value = here.searchParams.get(name);
    if (value && !url.searchParams.has(name)) url.searchParams.set(name, value);
  }
  return url.href;
}

/** Parameters that are carried along from page to page; `web/http/usage_params.py` has the same list. */
const CARRIED = ["preset", "from", "to", "timezone", "compare", "compareFrom"];

/**
 * Adds the period and comparison to a link to another page.
 * @param {HTMLAnchorElement} link
 */
export function carryPeriod(link) {
  const url = new URL(link.href);
  const here = new URL(location.href).searchParams;
  if (url.pathname.startsWith("/settings")) return;
  for (const name of CARRIED) {
    const value = here.get(name);
    if (value) url.searchParams.set(name, value);
  }
  link.href = url.href;
}
