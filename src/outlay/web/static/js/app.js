// The controls of the page around the charts.
import { announce, el } from "./dom.js";
import "./area.js";
import "./chartpaper.js";
import { onChartTool } from "./charttools.js";
import "./daterange.js";
import { walkRows } from "./focus.js";
import "./forms.js";
import "./line.js";
import { remember, sayOffline, startLive } from "./live.js";
import "./multiselect.js";
import { carryPeriod, go, stay } from "./navigate.js";
import { onSelection, prepareSelection } from "./selection.js";

/** @import { UsageArea } from "./area.js" */

/** Pixels between an opened panel and the side of the window. */
const MARGIN = 8;

/**
 * Shows a metric in the cards, the charts and the address.
 * @param {string} metric
 * @param {boolean} [isAsked]
 */
function showMetric(metric, isAsked = true) {
  for (const tab of document.querySelectorAll("[data-metric-tabs] [data-metric]")) {
    const isOn = /** @type {HTMLElement} */ (tab).dataset.metric === metric;
    tab.setAttribute("aria-selected", String(isOn));
    /** @type {HTMLElement} */ (tab).tabIndex = isOn ? 0 : -1;
  }
  for (const card of document.querySelectorAll("[data-metric-card]")) {
    card.setAttribute(
      "aria-pressed",
      String(/** @type {HTMLElement} */ (card).dataset.metric === metric),
    );
  }
  for (const table of document.querySelectorAll("[data-ranking]")) {
    /** @type {HTMLElement} */ (table).hidden =
      /** @type {HTMLElement} */ (table).dataset.ranking !== metric;
  }
  const areas = /** @type {NodeListOf<UsageArea>} */ (
    document.querySelectorAll("usage-area:not([data-fixed])")
  );
  if (isAsked) for (const area of areas) area.show(metric);
  for (const title of document.querySelectorAll("h2[data-title]"))
    retitle(/** @type {HTMLElement} */ (title), metric);
  if (!isAsked) return;
  const url = new URL(location.href);
  url.searchParams.set("metric", metric);
  history.replaceState(null, "", url);
}

/** @type {Record<string, string>} */
const NAMES = { cost: "Cost", requestCount: "Requests", totalTokens: "Tokens" };

/**
 * Updates a heading such as "Cost by model" to the displayed metric.
 * @param {HTMLElement} title
 * @param {string} metric
 */
function retitle(title, metric) {
  const rest = (title.textContent ?? "").trim().replace(/^\S+/, "");
  title.textContent = NAMES[metric] + rest;
}

/**
 * Shows one of the views of a page; all of them are loaded already.
 * @param {string} view
 */
function showView(view) {
  const focused = document.activeElement?.closest("[data-view]");
  const place = focused
    ? [...focused.querySelectorAll("[data-view-tab]")].indexOf(
        /** @type {Element} */ (document.activeElement),
      )
    : -1;
  for (const node of document.querySelectorAll("[data-view]")) {
    const panel = /** @type {HTMLElement} */ (node);
    panel.hidden = panel.dataset.view !== view;
    if (panel.hidden) continue;
    const tabs = /** @type {HTMLElement[]} */ ([...panel.querySelectorAll("[data-view-tab]")]);
    const half = place < tabs.length / 2 ? 0 : 1;
    if (place >= 0) tabs.filter((tab) => tab.dataset.viewTab === view)[half]?.focus();
  }
  for (const tab of document.querySelectorAll("[data-view-tab]")) {
    if (!tab.closest("[data-view]"))
      tab.setAttribute(
        "aria-pressed",
        String(/** @type {HTMLElement} */ (tab).dataset.viewTab === view),
      );
  }
  const url = new URL(location.href);
  url.searchParams.set("view", view);
  history.replaceState(null, "", url);
}

/** Prepares a newly loaded page. */
function prepare() {
  prepareSelection();
  document
    .querySelector(".subnav [aria-current]")
    ?.scrollIntoView({ block: "nearest", inline: "center" });
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const local = /** @type {HTMLAnchorElement|null} */ (document.querySelector("[data-local-zone]"));
  const field = /** @type {HTMLInputElement|null} */ (document.querySelector("[name=timezone]"));
  if (local && zone && zone !== "UTC") {
    const url = new URL(local.href);
    url.searchParams.set("timezone", zone);
    local.href = url.href;
    local.textContent = zone;
    local.hidden = false;
    if (field?.value === zone) local.setAttribute("aria-current", "true");
  }
}

/** Offers the browser's time zones when the field gets the focus. */
function offerZones() {
  const list = document.getElementById("zones");
  if (!list || list.childElementCount) return;
  for (const name of ["UTC", ...Intl.supportedValuesOf("timeZone")]) {
    const option = document.createElement("option");
    option.value = name;
    list.append(option);
  }
}

/** @param {HTMLElement} button */
async function copy(button) {
  const source = document.getElementById(button.dataset.copy ?? "");
  if (!source) return;
  let said = "Copied";
  try {
    await navigator.clipboard.writeText((source.textContent ?? "").trim());
  } catch {
    // Not allowed, or not available, as over plain HTTP from another machine.
    getSelection()?.selectAllChildren(source);
    said = "Selected: press Ctrl+C";
  }
  const label = /** @type {HTMLElement} */ (button.querySelector("span"));
  label.textContent = said;
  announce(said);
}

/**
 * Shows a part of the page in full screen, or ends that.
 * @param {HTMLElement} button
 */
async function fullscreen(button) {
  if (document.fullscreenElement) await document.exitFullscreen();
  else await document.getElementById(button.dataset.fullscreen ?? "")?.requestFullscreen();
}

document.addEventListener("fullscreenchange", () => {
  document
    .querySelector("[data-fullscreen]")
    ?.setAttribute("aria-pressed", String(document.fullscreenElement !== null));
});

let searching = 0;
document.addEventListener("input", (event) => {
  const field = /** @type {HTMLInputElement} */ (event.target);
  if (!field.matches("[data-search]")) return;
  clearTimeout(searching);
  searching = setTimeout(() => field.form?.requestSubmit(), 250);
});

/** @param {boolean} open */
function setDrawer(open) {
  document.getElementById("sidebar")?.classList.toggle("is-open", open);
  document.querySelector("[data-drawer]")?.setAttribute("aria-expanded", String(open));
}

document.addEventListener("click", (event) => {
  const target = /** @type {Element} */ (event.target);
  const plain = !event.metaKey && !event.ctrlKey && !event.shiftKey && event.button === 0;
  const metric = /** @type {HTMLElement|null} */ (
    target.closest("[data-metric-card],[data-metric-tabs] [data-metric]")
  );
  const link = /** @type {HTMLAnchorElement|null} */ (target.closest("a[data-go]"));
  const view = /** @type {HTMLElement|null} */ (target.closest("[data-view-tab]"));
  const entry = /** @type {HTMLAnchorElement|null} */ (target.closest(".nav-item,.switcher a"));
  const copied = /** @type {HTMLElement|null} */ (target.closest("[data-copy]"));
  if (entry) carryPeriod(entry);
  if (entry && plain && !navigator.onLine) {
    event.preventDefault(); // the browser's error page would replace this one
    sayOffline();
  }
  if (metric && plain) {
    event.preventDefault();
    showMetric(metric.dataset.metric ?? "cost");
  } else if (link && plain) {
    event.preventDefault();
    go(stay(link.getAttribute("href") ?? ""), true, "keepScroll" in link.dataset); // of SVG, too
  } else if (view && plain) {
    event.preventDefault();
    showView(view.dataset.viewTab ?? "");
  } else if (onChartTool(target)) {
    event.preventDefault();
  } else if (copied) copy(copied);
  else if (target.closest("[data-print]")) print();
  else if (target.closest("[data-palette]")) palette();
  else if (target.closest("[data-fullscreen]"))
    fullscreen(/** @type {HTMLElement} */ (target.closest("[data-fullscreen]")));
  if (target.closest("[data-drawer]")) setDrawer(!document.querySelector(".sidebar.is-open"));
  else if (!target.closest(".sidebar")) setDrawer(false);
  for (const menu of document.querySelectorAll(".range[open],.menu[open]")) {
    if (
      target.isConnected &&
      (!menu.contains(target) || target.closest(".menu-item,.menu-panel .link"))
    )
      menu.removeAttribute("open");
  }
});

// A panel opens at an edge of its button; near a side of a narrow window it moves until all of
// it is visible.
document.addEventListener(
  "toggle",
  ({ target }) => {
    if (!(target instanceof HTMLDetailsElement) || !target.matches(".range[open],.menu[open]"))
      return;
    const panel = /** @type {HTMLElement} */ (target.lastElementChild);
    panel.style.translate = "";
    const { left, right } = panel.getBoundingClientRect();
    const end = document.documentElement.clientWidth - MARGIN;
    const move = Math.max(MARGIN - left, Math.min(end - right, 0));
    if (move) panel.style.translate = `${move}px`;
  },
  true, // it does not bubble
);

document.addEventListener("submit", (event) => {
  const form = /** @type {HTMLFormElement} */ (event.target);
  if (form.matches("[data-keep-here]")) {
    /** @type {HTMLInputElement} */ (form.elements.namedItem("next")).value =
      location.pathname + location.search;
  }
  if (!form.matches("[data-go-form]")) return;
  event.preventDefault();
  const params = new URLSearchParams();
  for (const [name, value] of new FormData(form)) {
    if (typeof value === "string" && value !== "") params.append(name, value);
  }
  go(stay(new URL(`${form.getAttribute("action")}?${params}`, location.href).href));
});

document.addEventListener("change", (event) => {
  const field = /** @type {HTMLElement} */ (event.target);
  if (onSelection(field)) return;
  if (field.matches("[data-submit]"))
    /** @type {HTMLSelectElement} */ (field).form?.requestSubmit();
});

document.addEventListener("pick", (event) => {
  const { name, value } = event.detail;
  const url = new URL(location.href);
  if (!url.searchParams.getAll(name).includes(value)) url.searchParams.append(name, value);
  go(url.href);
});

document.addEventListener("filter", (event) => {
  const { name, values } = event.detail;
  const url = new URL(location.href);
  url.searchParams.delete(name);
  for (const gone of ["page", "cursor", "id"]) url.searchParams.delete(gone);
  for (const value of values) url.searchParams.append(name, value);
  go(url.href);
});

document.addEventListener("zoom", (event) => {
  const { from, to } = event.detail;
  const url = new URL(location.href);
  url.searchParams.delete("preset");
  url.searchParams.set("from", from);
  url.searchParams.set("to", to);
  go(url.href);
});

document.addEventListener("keydown", (event) => {
  const target = /** @type {HTMLElement} */ (event.target);
  const range = document.querySelector(".range[open]");
  const isTyping = target.matches("input,select,textarea,[contenteditable]");
  if (
    ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") ||
    (event.key === "/" && !isTyping && !event.ctrlKey)
  ) {
    event.preventDefault();
    palette();
  }
  if (!isTyping && !document.querySelector("dialog[open],details[open]") && walkRows(event))
    event.preventDefault();
  if (event.key === "Escape") {
    setDrawer(false);
    const open = document.querySelector(".range[open],.menu[open]");
    const close = /** @type {HTMLElement|null} */ (document.querySelector("[data-drawer-close]"));
    open?.removeAttribute("open");
    if (open) open.querySelector("summary")?.focus();
    else close?.click();
  }
  if (range && /^[1-9]$/.test(event.key) && !(target instanceof HTMLInputElement)) {
    /** @type {HTMLElement|null} */ (range.querySelector(`[data-preset="${event.key}"]`))?.click();
  }
  if (
    target.getAttribute("role") === "tab" &&
    ["ArrowLeft", "ArrowRight", "Home", "End"].includes(event.key)
  ) {
    const tabs = /** @type {HTMLElement[]} */ ([
      ...(target.parentElement?.querySelectorAll("[role=tab]") ?? []),
    ]);
    const index = tabs.indexOf(target) + (event.key === "ArrowRight" ? 1 : -1);
    const next =
      event.key === "Home"
        ? tabs[0]
        : event.key === "End"
          ? tabs[tabs.length - 1]
          : tabs[(index + tabs.length) % tabs.length];
    event.preventDefault();
    showMetric(next.dataset.metric ?? "cost");
    next.focus();
  }
  if ((event.key === " " || event.key === "Enter") && target.matches("[data-metric-card]")) {
    event.preventDefault();
    showMetric(target.dataset.metric ?? "cost");
  }
});

document.addEventListener("focusin", (event) => {
  if (/** @type {HTMLElement} */ (event.target).matches("[name=timezone]")) offerZones();
});

for (const [type, isLit] of /** @type {[string, boolean][]} */ ([
  ["pointerover", true],
  ["pointerout", false],
])) {
  document.addEventListener(type, (event) => {
    const row = /** @type {HTMLElement|null} */ (
      /** @type {Element} */ (event.target).closest?.(".ranking tbody tr")
    );
    const area = (row?.closest("[data-panel]") ?? document).querySelector("usage-area");
    if (row) area?.light(isLit ? (row.dataset.key ?? null) : null);
  });
}

document.addEventListener("refresh", async (event) => {
  await go(location.href, false);
  announce(event.detail);
});

/** Opens the command palette. */
function palette() {
  // Seldom used first, so it is loaded on demand.
  import("./palette.js").then(({ openPalette }) =>
    openPalette((path) => {
      const link = /** @type {HTMLAnchorElement} */ (el("a", { href: path }));
      carryPeriod(link);
      location.assign(link.href);
    }),
  );
}

document.addEventListener("refreshed", () => {
  showMetric(new URL(location.href).searchParams.get("metric") ?? "cost", false);
  prepare();
});

document.addEventListener("navigated", prepare);

addEventListener("popstate", () => go(location.href, false));
remember(document, "");
prepare();
startLive();
