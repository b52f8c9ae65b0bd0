// Ticks and dates of an axis.

/**
 * Round ticks from 0 to at least `highest`, three to five steps; whole numbers if only whole
 * numbers occur.
 * @param {number} highest
 * @param {boolean} [isWhole]
 * @returns {number[]}
 */
export function ticks(highest, isWhole = false) {
  if (!(highest > 0)) return [0, 1];
  const rough = highest / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const steps = [1, 2, 2.5, 5, 10].map((base) => base * power).filter((size) => size >= rough);
  const step = isWhole
    ? Math.max(1, steps.find((size) => Number.isInteger(size)) ?? 1)
    : (steps[0] ?? 10 * power);
  const count = Math.ceil(highest / step - 1e-9);
  return Array.from({ length: count + 1 }, (_, index) => Number((index * step).toPrecision(12)));
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const HOURS = [1, 2, 3, 4, 6, 12, 24];

/** @typedef {{date: string, start: string}} Instant */

/**
 * The dates below an axis: which points have one, and its text.
 * @param {Instant[]} points
 * @param {string} interval
 * @param {number} width
 * @returns {[number, string][]}
 */
export function axisDates(points, interval, width) {
  const room = Math.max(2, Math.min(8, Math.floor(width / 110)));
  const stride = Math.max(1, Math.ceil(points.length / room));
  const isLong =
    points.length > 1 && points[0].date.slice(0, 4) !== points[points.length - 1].date.slice(0, 4);
  const indexes = interval === "hour" ? fullHours(points, stride) : everyNth(points.length, stride);
  return indexes.map((index) => [index, shortDate(points[index].date, interval, isLong)]);
}

/**
 * @param {number} length
 * @param {number} stride
 */
function everyNth(length, stride) {
  const indexes = [];
  for (let index = length - 1; index >= 0; index -= stride) indexes.unshift(index);
  return indexes;
}

/**
 * Hours that divide the day, and only midnights if the axis is long.
 * @param {Instant[]} points
 * @param {number} stride
 */
function fullHours(points, stride) {
  const every = HOURS.find((hours) => hours >= stride);
  const full = points
    .map((_, index) => index)
    .filter(
      (index) =>
        Number(points[index].date.slice(11, 13)) % (every ?? 24) === 0 &&
        points[index].date !== points[index - 1]?.date,
    );
  const days = every ? 1 : Math.ceil(stride / 24);
  return full.filter((_, place) => place % days === 0);
}

/**
 * `Oct 23`, `14:00`, `Nov 2026`, with the year if an axis has several.
 * @param {string} date
 * @param {string} interval
 * @param {boolean} isLong
 */
function shortDate(date, interval, isLong) {
  const [year, month, day] = date.slice(0, 10).split("-").map(Number);
  const name = MONTHS[month - 1];
  if (interval === "hour" && !date.endsWith("T00:00")) return date.slice(11);
  if (interval === "month") return `${name} ${year}`;
  return `${name} ${day}${isLong ? `, ${year}` : ""}`;
}

/**
 * `Sat, Oct 3, 2026`, with the hour and offset if steps are hours.
 * @param {Instant} point
 * @param {string} interval
 */
export function longDate(point, interval) {
  const [year, month, day] = point.date.slice(0, 10).split("-").map(Number);
  const name = MONTHS[month - 1];
  if (interval === "month") return `${name} ${year}`;
  const weekday = DAYS[new Date(Date.UTC(year, month - 1, day)).getUTCDay()];
  const text = `${weekday}, ${name} ${day}, ${year}`;
  if (interval === "week") return `Week of ${text}`;
  return interval === "hour"
    ? `${text}, ${point.date.slice(11)} (${offsetOf(point) || "Z"})`
    : text;
}

/**
 * The labels of table rows; hours have their offset if it changes, so that none is
 * there twice.
 * @param {Instant[]} points
 * @param {string} interval
 */
export function rowDates(points, interval) {
  if (interval !== "hour") return points.map((point) => point.date);
  const isShifted = new Set(points.map(offsetOf)).size > 1;
  return points.map(
    (point) => point.date.replace("T", " ") + (isShifted ? ` ${offsetOf(point)}` : ""),
  );
}

/** @param {Instant} point */
const offsetOf = (point) => point.start.slice(19);
