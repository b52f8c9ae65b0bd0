// The form of the first organization: the default time zone is that of the browser.

const field = /** @type {HTMLSelectElement|null} */ (
  document.querySelector("select[data-guess-zone]")
);
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (field && [...field.options].some((option) => option.value === zone)) field.value = zone;
