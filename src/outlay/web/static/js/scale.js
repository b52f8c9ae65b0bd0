// Ticks and dates of an axis.

/** Round ticks from 0 to at least `highest`, three to five steps. @param {number} highest @returns {number[]} */
export function ticks(highest) {
  if (!(highest > 0)) return [0, 1];
  const rough = highest / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((base) => base * power).find((size) => size >= rough) ?? 10 * power;
  const steps = Math.ceil(highest / step - 1e-9);
  return Array.from({ length: steps + 1 }, (_, index) => Number((index * step).toPrecision(12)));
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

/** `Oct 23`, `14:00`, `Nov 2026`, from a step's local date. @param {string} date @param {string} interval */
export function shortDate(date, interval) {
  const [, month, day] = date.split(/[-T]/);
  const name = MONTHS[Number(month) - 1];
  if (interval === "hour") return date.endsWith("T00:00") ? `${name} ${Number(day)}` : date.slice(11);
  return interval === "month" ? `${name} ${date.slice(0, 4)}` : `${name} ${Number(day)}`;
}

/** `Sat, Oct 3, 2026`, with the hour and offset where steps are hours. @param {{date: string, start: string}} point @param {string} interval */
export function longDate(point, interval) {
  const [year, month, day] = point.date.slice(0, 10).split("-").map(Number);
  const name = MONTHS[month - 1];
  if (interval === "month") return `${name} ${year}`;
  const weekday = DAYS[new Date(Date.UTC(year, month - 1, day)).getUTCDay()];
  const text = `${weekday}, ${name} ${day}, ${year}`;
  if (interval === "week") return `Week of ${text}`;
  return interval === "hour" ? `${text}, ${point.date.slice(11)} (${point.start.slice(19) || "Z"})` : text;
}
