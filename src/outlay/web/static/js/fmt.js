// Numbers for reading; the same rules as dashboard/formatting.py, checked by the same vectors.

const MINUS = "\u2212";
const STEPS = /** @type {[number, string][]} */ ([[1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "K"]]);

/** @param {number} value @param {number} decimals */
function fixed(value, decimals) {
  return value.toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}

/** @param {number} value */
const sign = (value) => (value < 0 ? MINUS : "");

/** `$8,288.11`, and four decimals below a cent. @param {number} usd */
export function money(usd) {
  const size = Math.abs(usd);
  if (size > 0 && size < 0.01) return size < 0.0001 ? `<${sign(usd)}$0.0001` : `${sign(usd)}$${fixed(size, 4)}`;
  return `${sign(usd)}$${fixed(size, 2)}`;
}

/** Four decimals, for the cost of one request: `$0.0038`. @param {number} usd */
export function unitCost(usd) {
  const size = Math.abs(usd);
  return size > 0 && size < 0.0001 ? `<${sign(usd)}$0.0001` : `${sign(usd)}$${fixed(size, 4)}`;
}

/** Every digit that there is, at least cents. @param {number} usd */
export function exactMoney(usd) {
  const size = Math.abs(usd);
  const text = String(size).includes("e") ? size.toFixed(12).replace(/0+$/, "") : String(size);
  const [whole, fraction = ""] = text.split(".");
  return `${sign(usd)}$${fixed(Number(whole), 0)}.${fraction.padEnd(2, "0")}`;
}

/** Milliseconds as `840 ms`, and `3.10 s` from a second on. @param {number} ms */
export const latency = (ms) => (Math.round(ms) < 1000 ? `${Math.round(ms)} ms` : `${fixed(ms / 1000, 2)} s`);

/** The same on an axis. @param {number} ms */
export const axisLatency = (ms) => (ms < 1000 ? `${Number(ms.toPrecision(3))} ms` : `${Number((ms / 1000).toPrecision(3))} s`);

/** Exact below 10,000, else three digits: `12.3K`, `4.46B`. @param {number} value */
export function count(value) {
  const size = Math.abs(value);
  if (size < 10000) return sign(value) + fixed(size, 0);
  for (const [index, [step, suffix]] of STEPS.entries()) {
    if (size < step) continue;
    for (const decimals of [2, 1, 0]) {
      const scaled = Math.round((size * 10 ** decimals) / step);
      if (scaled < 1000) return `${sign(value)}${(scaled / 10 ** decimals).toFixed(decimals)}${suffix}`;
    }
    return index ? `${sign(value)}1.00${STEPS[index - 1][1]}` : `${sign(value)}${fixed(Math.round(size / step), 0)}${suffix}`;
  }
  return String(value);
}

/** Every digit. @param {number} value */
export const exactCount = (value) => sign(value) + fixed(Math.abs(value), 0);

/** A tick of an axis: `$200`, `$12.5K`, `300M`. @param {number} value @param {boolean} isMoney */
export function axis(value, isMoney) {
  const prefix = isMoney ? "$" : "";
  for (const [step, suffix] of STEPS) {
    if (value >= step) return `${prefix}${Number((value / step).toPrecision(3))}${suffix}`;
  }
  return `${prefix}${isMoney ? Number(value.toPrecision(3)) : value}`;
}

/** Share of a whole in percent, `<0.1%` where it would read as none. @param {number} part @param {number} whole @param {number} decimals */
export function percent(part, whole, decimals = 0) {
  if (!whole) return "–";
  const text = fixed(Math.abs(part / whole) * 100, decimals);
  return part && !Number(text.replaceAll(",", "")) ? `<${sign(part)}${fixed(10 ** -decimals, decimals)}%` : `${sign(part)}${text}%`;
}

/** A change with its sign: `+13%`, `−9.3%`. @param {number} current @param {number} earlier */
export function change(current, earlier) {
  if (!earlier) return current ? "new" : "–";
  const size = (Math.abs(current - earlier) / Math.abs(earlier)) * 100;
  if (size > 999) return ">999%";
  const text = `${fixed(size, size < 9.95 ? 1 : 0)}%`;
  if (current === earlier) return text;
  return (current < earlier ? MINUS : "+") + text;
}
