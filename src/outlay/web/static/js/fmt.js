// Number formatting; the same rules as dashboard/formatting.py, checked by the same vectors.
// Amounts come as decimal text and are rounded as integers: doubles have too few digits and
// inexact halves.

const MINUS = "\u2212";
const STEPS = /** @type {[bigint, string][]} */ ([
  [10n ** 12n, "T"],
  [10n ** 9n, "B"],
  [10n ** 6n, "M"],
  [10n ** 3n, "K"],
]);
const DIGITS = 12;
const ONE = 10n ** 12n;

/**
 * A number in units of 10^-12.
 * @param {string|number} value
 */
function exact(value) {
  const text = String(value).includes("e") ? Number(value).toFixed(DIGITS) : String(value);
  const [whole, fraction = ""] = text.replace("-", "").split(".");
  const size = BigInt(whole + fraction.slice(0, DIGITS).padEnd(DIGITS, "0"));
  return text.startsWith("-") ? -size : size;
}

/** @param {bigint} value */
const sizeOf = (value) => (value < 0n ? -value : value);

/** @param {bigint} value */
const signOf = (value) => (value < 0n ? MINUS : "");

/**
 * The quotient of sizes, rounded half up.
 * @param {bigint} numerator
 * @param {bigint} denominator
 */
const rounded = (numerator, denominator) => (2n * numerator + denominator) / (2n * denominator);

/**
 * An integer as a decimal number.
 * @param {bigint} scaled
 * @param {number} decimals
 */
function decimal(scaled, decimals) {
  const unit = 10n ** BigInt(decimals);
  const whole = (scaled / unit).toLocaleString("en-US");
  return decimals ? `${whole}.${String(scaled % unit).padStart(decimals, "0")}` : whole;
}

/**
 * The number of decimals of an amount.
 * @param {bigint} size
 */
function decimalsOf(size) {
  if (!size || rounded(size, ONE / 10_000n) >= 10_000n) return 2;
  let count = 4;
  while (count < DIGITS && size * 10n ** BigInt(count) < 10n * ONE) count += 1;
  return count;
}

/**
 * `$8,288.11`; below a dollar with four decimals, `$0.0150`, or as many as two digits need.
 * @param {string|number} usd
 */
export const money = (usd) => moneyWith(usd, decimalsOf(sizeOf(exact(usd))));

/**
 * An amount with this many decimals; `<$0.01` if it would round to 0.
 * @param {string|number} usd
 * @param {number} decimals
 */
function moneyWith(usd, decimals) {
  const value = exact(usd);
  const scaled = rounded(sizeOf(value) * 10n ** BigInt(decimals), ONE);
  return value && !scaled
    ? `<${signOf(value)}$${decimal(1n, decimals)}`
    : `${signOf(value)}$${decimal(scaled, decimals)}`;
}

/**
 * Formats amounts that are shown together, with as many decimals as the largest needs.
 * @param {(string|number)[]} amounts
 */
export function moneyTogether(amounts) {
  let largest = 0n;
  for (const usd of amounts) {
    const size = sizeOf(exact(usd));
    if (size > largest) largest = size; // Math.max does not accept BigInt
  }
  const decimals = decimalsOf(largest);
  return (/** @type {string|number} */ usd) => moneyWith(usd, decimals);
}

/**
 * All digits, at least cents.
 * @param {string|number} usd
 */
export function exactMoney(usd) {
  const value = exact(usd);
  const fraction = String(sizeOf(value) % ONE)
    .padStart(DIGITS, "0")
    .replace(/0+$/, "")
    .padEnd(2, "0");
  return `${signOf(value)}$${decimal(sizeOf(value) / ONE, 0)}.${fraction}`;
}

/**
 * Milliseconds as `840 ms`, or `3.10 s` from one second on.
 * @param {string|number} value
 */
export function latency(value) {
  const ms = Number(value);
  return Math.round(ms) < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(2)} s`;
}

/**
 * Exact below 10,000, otherwise three digits: `12.3K`, `4.46B`.
 * @param {string|number} value
 */
export function count(value) {
  const whole = exact(value) / ONE;
  const size = sizeOf(whole);
  if (size < 10_000n) return signOf(whole) + decimal(size, 0);
  for (const [index, [step, suffix]] of STEPS.entries()) {
    if (size < step) continue;
    for (const decimals of [2, 1, 0]) {
      const scaled = rounded(size * 10n ** BigInt(decimals), step);
      if (scaled < 1000n) return `${signOf(whole)}${decimal(scaled, decimals)}${suffix}`;
    }
    return index
      ? `${signOf(whole)}1.00${STEPS[index - 1][1]}`
      : `${signOf(whole)}${decimal(rounded(size, step), 0)}${suffix}`;
  }
  return String(value);
}

/**
 * Every digit.
 * @param {string|number} value
 */
export function exactCount(value) {
  const whole = exact(value) / ONE;
  return signOf(whole) + decimal(sizeOf(whole), 0);
}

/**
 * Share of a whole in percent; `<0.1%` if it would round to 0.
 * @param {string|number} part
 * @param {string|number} whole
 * @param {number} decimals
 */
export function percent(part, whole, decimals = 0) {
  const [of, all] = [exact(part), exact(whole)];
  if (!all) return "–";
  const scaled = rounded(sizeOf(of) * 100n * 10n ** BigInt(decimals), sizeOf(all));
  return of && !scaled
    ? `<${signOf(of)}${decimal(1n, decimals)}%`
    : `${signOf(of)}${decimal(scaled, decimals)}%`;
}

/**
 * A change with its sign: `+13%`, `−9.3%`.
 * @param {string|number} current
 * @param {string|number} earlier
 */
export function change(current, earlier) {
  const [now, before] = [exact(current), exact(earlier)];
  if (!before) return now ? "new" : "–";
  const size = sizeOf(now - before);
  if (size * 100n > 999n * sizeOf(before)) return ">999%";
  const tenths = rounded(size * 1000n, sizeOf(before));
  const text =
    tenths < 100n
      ? `${decimal(tenths, 1)}%`
      : `${decimal(rounded(size * 100n, sizeOf(before)), 0)}%`;
  if (now === before) return text;
  return (now < before ? MINUS : "+") + text;
}

/**
 * The ticks of an axis, all in one unit with equal decimals: `$0.50`, `$12.5K`, `300M`, `1.5 s`.
 * @param {number[]} marks
 * @param {string} unit
 */
export function axis(marks, unit) {
  const highest = marks[marks.length - 1];
  const [scale, suffix] =
    unit === "ms" ? (highest < 1000 ? [1, " ms"] : [1000, " s"]) : scaleOf(highest);
  const needed = (marks[1] / scale).toFixed(14).replace(/0+$/, "").split(".")[1].length;
  const decimals = unit === "usd" && needed && !suffix ? Math.max(2, needed) : needed;
  const form = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
  const sign = unit === "usd" ? "$" : "";
  return marks.map((mark) =>
    mark ? `${sign}${(mark / scale).toLocaleString("en-US", form)}${suffix}` : `${sign}0`,
  );
}

/**
 * @param {number} highest
 * @returns {[number, string]}
 */
function scaleOf(highest) {
  const found = highest < 10_000 ? undefined : STEPS.find(([step]) => highest >= Number(step));
  return found ? [Number(found[0]), found[1]] : [1, ""];
}
