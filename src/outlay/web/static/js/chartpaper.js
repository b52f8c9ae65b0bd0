// Printing: charts are drawn for the width of paper before, and for the screen again afterwards.

/** Units between the margins of a card on A4; Letter is wider, which only scales them. */
const PAPER_WIDTH = 640;

/** @param {number|null} width */
function drawChartsFor(width) {
  for (const chart of document.querySelectorAll("usage-area")) chart.drawFor(width);
  for (const chart of document.querySelectorAll("line-chart")) chart.drawFor(width);
}

addEventListener("beforeprint", () => drawChartsFor(PAPER_WIDTH));
addEventListener("afterprint", () => drawChartsFor(null));
