// A form is sent once: a second click while the first request is under way does nothing. (The server has the last word: both carry
// the same idempotency key.) After a refusal the summary of errors has the focus.
const BUSY = "is-busy";

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post") return;
  if (form.classList.contains(BUSY)) event.preventDefault();
  form.classList.add(BUSY);
});
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll(`form.${BUSY}`)) form.classList.remove(BUSY);
});
document.addEventListener("htmx:afterRequest", (event) => event.target.classList?.remove(BUSY));

// A choice in a bar of filters takes effect at once; empty filters stay out of the address.
document.addEventListener("change", (event) => {
  const form = event.target.closest("form[data-filters]");
  if (form && event.target.matches("select, input[type=date], input[type=checkbox]")) form.requestSubmit();
});
document.addEventListener("submit", (event) => {
  if (!event.target.matches("form[data-filters]")) return;
  for (const field of event.target.elements) if (field.name && field.value === "") field.disabled = true;
});
window.addEventListener("pageshow", () => {
  for (const field of document.querySelectorAll("form[data-filters] :disabled")) field.disabled = false;
});

// The file field says which file was dropped or chosen.
document.addEventListener("change", (event) => {
  if (!event.target.matches(".file-drop input[type=file]")) return;
  const names = [...event.target.files].map((file) => file.name).join(", ");
  event.target.closest(".file-drop").querySelector("[data-file-name]").textContent = names;
});

function focusSummary(root) {
  root.querySelector?.(".error-summary")?.focus();
}
document.addEventListener("DOMContentLoaded", () => focusSummary(document));
document.addEventListener("htmx:load", (event) => focusSummary(event.target));
