// Printing: charts are drawn for the width of paper, and for the screen again afterwards.

/** Units between the margins of a card on A4; Letter has some more, which scales. */
const PAPER_WIDTH = 640;

/** @param {number|null} width */
function drawChartsFor(width) {
  /** @type {import("./chart.js").Chart} */ for (const chart of document.querySelectorAll(
    "usage-area, line-chart",
  ))
    (chart).drawFor(width);
}

addEventListener("beforeprint", () => drawChartsFor(PAPER_WIDTH));
addEventListener("afterprint", () => drawChartsFor(null));
