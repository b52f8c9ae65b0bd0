// Small helpers around the document. Text is always set as text; markup enters in one place only.

const SVG = "http://www.w3.org/2000/svg";

/**
 * @param {Element} node
 * @param {Record<string, unknown>} attributes
 */
function setAttributes(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null && value !== false)
      node.setAttribute(name, String(value));
  }
}

/**
 * An HTML element.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, unknown>} [attributes]
 * @param {(Node|string)[]} children
 */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  setAttributes(node, attributes);
  node.append(...children);
  return node;
}

/**
 * An SVG element.
 * @template {keyof SVGElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, unknown>} [attributes]
 * @param {(Node|string)[]} children
 */
export function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  setAttributes(node, attributes);
  node.append(...children);
  return node;
}

const ruler = document.createElement("canvas").getContext("2d");

/**
 * The width of a text in the font of an element, by default at the size of charts.
 * @param {string} text
 * @param {Element} node
 * @param {number} [size]
 * @param {number} [weight]
 */
export function textWidth(text, node, size = 11, weight = 400) {
  if (!ruler) return text.length * size * 0.6;
  ruler.font = `${weight} ${size}px ${getComputedStyle(node).fontFamily}`;
  return ruler.measureText(text).width;
}

const policy = globalThis.trustedTypes?.createPolicy("frag", { createHTML: (text) => text });

/**
 * Parses a page fragment that this server rendered; the only sink for markup.
 * @param {string} text
 */
export function parseFragment(text) {
  const trusted = /** @type {string} */ (policy ? policy.createHTML(text) : text);
  return new DOMParser().parseFromString(trusted, "text/html");
}

/**
 * Announces something to screen readers.
 * @param {string} text
 */
export function announce(text) {
  const region = document.getElementById("announce");
  if (region) region.textContent = text;
}

/**
 * Saves a file that was created in the browser.
 * @param {Blob} blob
 * @param {string} name
 */
export function download(blob, name) {
  const url = URL.createObjectURL(blob);
  const link = el("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
