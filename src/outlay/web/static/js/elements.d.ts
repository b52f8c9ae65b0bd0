// The dashboard's own elements and events, for the type checker.
import type { UsageArea } from "./area.js";
import type { LineChart } from "./line.js";

declare global {
  interface HTMLElementTagNameMap {
    "usage-area": UsageArea;
    "line-chart": LineChart;
  }

  interface DocumentEventMap {
    /** A series was chosen: show it alone. */
    pick: CustomEvent<{ name: string; value: string }>;
    /** Values of a filter were applied. */
    filter: CustomEvent<{ name: string; values: string[] }>;
    /** A range of days was chosen in a chart. */
    zoom: CustomEvent<{ from: string; to: string }>;
    /** Reload the page in place; the detail is announced. */
    refresh: CustomEvent<string>;
  }

  /** Trusted Types, where the browser has them. */
  var trustedTypes:
    | {
        createPolicy(
          name: string,
          rules: { createHTML: (text: string) => string },
        ): { createHTML(text: string): string };
      }
    | undefined;
}
