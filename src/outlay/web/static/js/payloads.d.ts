// Written by `python -m tools.payload_types` from the Python types of the same names: do not edit.

/** The data of `<usage-area>`. */
export interface AreaChart {
  shape: "stack" | "lines";
  interval: "hour" | "day" | "week" | "month" | "total";
  until: string;
  points: ChartPoint[];
  metrics: Record<string, MetricChart>;
  filter: string;
  compared: ComparedPeriod | null;
}

/** One step of the time axis. */
export interface ChartPoint {
  date: string;
  start: string;
  incomplete: boolean;
  pending: boolean;
  partial: boolean;
}

/** One series: an entity, Other or Unattributed. */
export interface ChartSeries {
  key: string;
  label: string;
  kind: "value" | "other" | "unattributed";
  slot: number | null;
  values: (string | null)[];
  total: string | null;
}

/** A value of a filter. */
export interface Choice {
  value: string;
  label: string;
  hint: string;
}

/** The values that match a search. */
export interface ChoiceList {
  choices: Choice[];
  more: boolean;
}

/** The period that a chart is compared with. */
export interface ComparedPeriod {
  label: string;
  note: string;
  dates: (string | null)[];
}

/** The data of `<line-chart>`. */
export interface LineChart {
  title: string;
  unit: "usd" | "count" | "ms";
  interval: "hour" | "day" | "week" | "month" | "total";
  until: string;
  points: ChartPoint[];
  series: ChartSeries[];
  shown: string | null;
  filter: string;
  summary: string;
}

/** A chart over time by one metric. */
export interface MetricChart {
  title: string;
  unit: "usd" | "count" | "ms";
  bands: ChartSeries[];
  totals: string[];
  total: string;
  earlier: string[];
  earlierTotal: string;
  change: string | null;
  summary: string;
}

/** A search result in the command palette. */
export interface PaletteItem {
  title: string;
  kind: string;
  path: string;
  lock: string;
}

/** The search results. */
export interface PaletteItems {
  items: PaletteItem[];
}

/** Last month at the current prices, and as if the change had applied all month. */
export interface PreviewAnswer {
  fromDate: string;
  toDate: string;
  timezone: string;
  summary: string;
  notes: string[];
  total: SumAnswer;
  costOnRecord: string;
  unpricedBefore: number;
  unpricedAfter: number;
  models: PricePreviewTable;
  users: PricePreviewTable;
}

/** The effect on one model or user. */
export interface PricePreviewRow {
  requestCount: number;
  costBefore: string;
  costAfter: string;
  difference: string;
  value: string;
  name: string;
}

/** Rows with the largest difference first. */
export interface PricePreviewTable {
  rows: PricePreviewRow[];
  otherCount: number;
  others: SumAnswer;
}

/** The affected requests, and their cost in USD. */
export interface SumAnswer {
  requestCount: number;
  costBefore: string;
  costAfter: string;
  difference: string;
}
