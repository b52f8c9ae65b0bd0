// The buttons of a chart or ranking: show as a table, or download as a file.
import { Chart } from "./chart.js";
import { cellsOf } from "./charttable.js";
import { download } from "./dom.js";

/**
 * Handles a click on such a button; returns whether it was one.
 * @param {Element} target
 */
export function onChartTool(target) {
  const button = /** @type {HTMLElement|null} */ (target.closest("[data-chart-do]"));
  if (!button) return false;
  const chart = document.getElementById(button.getAttribute("aria-controls") ?? "");
  if (!chart) return true;
  if (button.dataset.chartDo === "table" && chart instanceof Chart) {
    chart.asTable = !chart.asTable;
    button.setAttribute("aria-pressed", String(chart.asTable));
    chart.draw();
  } else if (button.dataset.chartDo === "csv") {
    const cells = chart instanceof Chart ? cellsOf(chart) : cellsOfRanking(chart);
    const lines = cells.map((row) => `${row.map(quoted).join(",")}\r\n`);
    download(new Blob(lines, { type: "text/csv" }), `${slug(titleOf(chart))}.csv`);
  } else {
    // Seldom used, so it is loaded on demand.
    import("./picture.js")
      .then(({ picture }) =>
        picture(
          chart,
          titleOf(chart),
          /** @type {HTMLElement|null} */ (button.closest("[data-about]"))?.dataset.about ?? "",
        ),
      )
      .then((blob) => download(blob, `${slug(titleOf(chart))}.png`));
  }
  return true;
}

/**
 * The cells of the displayed ranking, as exact text.
 * @param {HTMLElement} ranking
 */
function cellsOfRanking(ranking) {
  const table = /** @type {HTMLTableElement} */ (ranking.querySelector("table:not([hidden])"));
  return [...table.rows].map((row) =>
    [...row.cells]
      .filter((cell) => !cell.classList.contains("bar-cell"))
      .map((cell) => {
        const exact = cell.title.replace(/[$,]/g, "").replace("\u2212", "-");
        return /^-?\d/.test(exact) && cell.tagName === "TD"
          ? exact
          : (cell.textContent ?? "").trim();
      }),
  );
}

/**
 * A cell of CSV; text that a spreadsheet could take for a formula gets an apostrophe, as in
 * exports.
 * @param {string|null} value
 */
function quoted(value) {
  let text = value ?? "";
  if (/^[=+\-@\t\r]/.test(text) && !/^-?\d+(\.\d+)?$/.test(text)) text = `'${text}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** @param {Element} chart */
function titleOf(chart) {
  return chart.closest("section")?.querySelector("h2")?.textContent?.trim() ?? "chart";
}

/** @param {string} title */
const slug = (title) =>
  title
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "");
