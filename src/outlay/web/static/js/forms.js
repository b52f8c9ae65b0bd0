// Forms and buttons that call the JSON API: sending, errors and confirmations.
import { call } from "./api.js";
import { announce } from "./dom.js";

/** @import { Answer } from "./api.js" */

/**
 * The values of a form, in the format of the API.
 * @param {HTMLFormElement} form
 */
export async function readBody(form) {
  /** @type {Record<string, unknown>} */
  const body = {};
  for (const node of form.elements) {
    const input = /** @type {HTMLInputElement} */ (node);
    if (!input.name || input.disabled || input.closest("fieldset:disabled")) continue;
    const kind = input.dataset.kind;
    if (kind === "file") {
      const file = input.files?.[0];
      if (file) Object.assign(body, { [input.name]: await file.text(), fileName: file.name });
    } else if (kind === "flag") body[input.name] = input.checked;
    else if (kind === "list") {
      body[input.name] ??= [];
      if (input.checked) /** @type {string[]} */ (body[input.name]).push(input.value);
    } else if (kind === "words") body[input.name] = input.value.split(/[\s,]+/).filter(Boolean);
    else if (kind === "map") body[input.name] = readMap(input.value);
    else if (kind === "json") body[input.name] = JSON.parse(input.value);
    else if (kind === "text") body[input.name] = input.value;
    else if (input.value === "" && !input.required) continue;
    else if (kind === "instant") body[input.name] = `${input.value}T00:00:00Z`;
    else if (input.name.includes(".")) {
      const [name, part] = input.name.split(".");
      body[name] ??= {};
      Object.assign(/** @type {object} */ (body[name]), { [part]: input.value });
    } else body[input.name] = input.value;
    if (node instanceof HTMLSelectElement && node.closest("[data-scope]")) {
      const scope = node.selectedOptions[0]?.closest("optgroup");
      if (scope) body.scope = scope.dataset.scope;
    }
  }
  return body;
}

/**
 * Lines of `name = value`.
 * @param {string} text
 */
function readMap(text) {
  const pairs = text
    .split("\n")
    .map((line) => line.split("="))
    .filter((parts) => parts.length > 1);
  return Object.fromEntries(pairs.map(([name, ...rest]) => [name.trim(), rest.join("=").trim()]));
}

/**
 * Removes the error messages of a form.
 * @param {ParentNode} form
 */
export function clearErrors(form) {
  for (const node of form.querySelectorAll(".field-error")) node.remove();
  for (const node of form.querySelectorAll("[aria-invalid]")) {
    node.removeAttribute("aria-invalid");
    node.removeAttribute("aria-describedby");
  }
  const summary = /** @type {HTMLElement|null} */ (form.querySelector(".form-error"));
  if (summary) summary.hidden = true;
}

/**
 * A message without the name of the field that it is shown at.
 * @param {string} message
 * @param {string} field
 */
function withoutName(message, field) {
  const start = [`\`${field}\`: `, `\`${field}\` `].find((each) => message.startsWith(each));
  return field && start ? message.slice(start.length) : message;
}

/**
 * Shows an error at its field, or above the form.
 * @param {ParentNode} form
 * @param {string} message
 * @param {string} [field]
 */
export function showError(form, message, field) {
  const plain = withoutName(message, field ?? "");
  const text = plain.charAt(0).toUpperCase() + plain.slice(1);
  const path = (field ?? "").replace(/^body\./, "");
  const named = (/** @type {string} */ name) =>
    name
      ? /** @type {HTMLElement|null} */ (form.querySelector(`[name="${CSS.escape(name)}"]`))
      : null;
  const name = named(path) ? path : path.split(".")[0];
  const input = named(name);
  if (input) {
    const note = document.createElement("span");
    note.className = "field-error";
    note.id = `${input.closest("dialog")?.id ?? "form"}-${name}-error`;
    note.textContent = text;
    (input.closest(".field") ?? input).append(note);
    input.setAttribute("aria-invalid", "true");
    input.setAttribute("aria-describedby", note.id);
    input.focus();
  } else {
    const summary = /** @type {HTMLElement|null} */ (form.querySelector(".form-error"));
    if (summary) {
      summary.textContent = text;
      summary.hidden = false;
    }
  }
  announce(text);
}

/**
 * Whether all required fields are filled in; shows errors if not.
 * @param {HTMLFormElement} form
 */
export function isComplete(form) {
  for (const node of form.elements) {
    const input = /** @type {HTMLInputElement} */ (node);
    if (input.willValidate && !input.validity.valid) {
      const message = input.validity.valueMissing
        ? "This field is required."
        : input.validationMessage;
      showError(form, message, input.name);
      return false;
    }
  }
  return true;
}

/** @param {string} id */
const dialogOf = (id) => /** @type {HTMLDialogElement} */ (document.getElementById(id));

/**
 * Puts a secret into its dialog and the example request, or removes it.
 * @param {string} secret
 */
function showSecret(secret) {
  /** @type {HTMLElement} */ (document.getElementById("secret-value")).textContent = secret;
  const snippet = document.getElementById("secret-snippet");
  if (!snippet) return;
  snippet.textContent = secret && (snippet.dataset.text ?? "").replace("{secret}", () => secret);
  /** @type {HTMLElement} */ (snippet.closest(".try")).hidden = !secret;
}

/**
 * Reloads the page in place.
 * @param {HTMLElement} source
 * @param {Answer} answer
 */
function finish(source, answer) {
  source.closest("dialog")?.close();
  const secret = source.dataset.secret;
  if (secret) {
    showSecret(String(answer[secret]));
    const dialog = dialogOf("secret");
    dialog.addEventListener(
      "close",
      () => {
        showSecret("");
        refresh(source);
      },
      { once: true },
    );
    dialog.showModal();
  } else refresh(source);
}

/** @param {HTMLElement} source */
function refresh(source) {
  if ("reload" in source.dataset) {
    location.reload();
    return;
  }
  document.dispatchEvent(new CustomEvent("refresh", { detail: source.dataset.done ?? "Done" }));
}

/** @param {HTMLElement} opener */
function openDialog(opener) {
  const dialog = dialogOf(opener.dataset.dialog ?? "");
  const form = /** @type {HTMLFormElement} */ (dialog.querySelector("form"));
  form.reset();
  clearErrors(form);
  if (opener.dataset.path) form.dataset.path = opener.dataset.path;
  for (const [name, value] of Object.entries(JSON.parse(opener.dataset.fill ?? "{}"))) {
    const input = /** @type {HTMLInputElement|null} */ (form.elements.namedItem(name));
    if (input?.type === "checkbox") input.checked = Boolean(value);
    else if (input) input.value = String(value);
  }
  dialog.showModal();
}

/** @param {HTMLElement} button */
async function act(button) {
  const { method = "POST", path = "", confirm } = button.dataset;
  if (!confirm) {
    const { answer, error } = await call(method, path);
    if (error) ask(button, error.detail);
    else finish(button, answer);
  } else ask(button, confirm);
}

/**
 * Asks for confirmation of an action, then performs it.
 * @param {HTMLElement} button
 * @param {string} text
 */
function ask(button, text) {
  const { method = "POST", path = "", confirm, verb = "Close" } = button.dataset;
  const dialog = dialogOf("confirm");
  const sure = /** @type {HTMLButtonElement} */ (document.getElementById("confirm-button"));
  clearErrors(dialog);
  /** @type {HTMLElement} */ (document.getElementById("confirm-title")).textContent = confirm
    ? "Are you sure?"
    : "The action failed";
  /** @type {HTMLElement} */ (document.getElementById("confirm-text")).textContent = text;
  sure.textContent = verb;
  sure.hidden = !confirm;
  sure.onclick = async () => {
    sure.disabled = true;
    const { answer, error } = await call(method, path);
    sure.disabled = false;
    if (error) {
      showError(dialog, error.detail);
      return;
    }
    dialog.close();
    finish(button, answer);
  };
  dialog.showModal();
}

/** @param {HTMLFormElement} form */
async function submit(form) {
  clearErrors(form);
  if (!isComplete(form)) return;
  const { method = "POST", path = "" } = form.dataset;
  const appended = /** @type {HTMLSelectElement|null} */ (form.querySelector("[data-append]"));
  const button = /** @type {HTMLButtonElement|null} */ (
    form.querySelector("button:not([type=button])")
  );
  if (button) button.disabled = true;
  const { answer, error } = await call(
    method,
    path + (appended ? encodeURIComponent(appended.value) : ""),
    await readBody(form),
  );
  if (button) button.disabled = false;
  if (error) {
    showError(form, error.detail, error.field);
    return;
  }
  if ("clear" in form.dataset) form.reset();
  finish(form, answer);
}

document.addEventListener("submit", (event) => {
  const form = /** @type {HTMLFormElement} */ (event.target);
  if (!form.dataset.method) return;
  event.preventDefault();
  submit(form);
});

document.addEventListener("click", (event) => {
  const target = /** @type {Element} */ (event.target);
  const opener = /** @type {HTMLElement|null} */ (target.closest("[data-dialog]"));
  const action = /** @type {HTMLElement|null} */ (target.closest("button[data-method]"));
  const ofPrices = /** @type {HTMLElement|null} */ (
    target.closest("[data-preview],[data-add-row],[data-drop-row]")
  );
  if (opener) openDialog(opener);
  else if (action) act(action);
  else if (ofPrices)
    import("./priceforms.js").then(({ onPriceControl }) => onPriceControl(ofPrices));
  else if (target.closest("[data-close]")) target.closest("dialog")?.close();
});
