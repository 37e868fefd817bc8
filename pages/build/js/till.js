// A till: a scanner types and ends with Enter, and somebody may have touched the page in between.
//
// [data-scan]                 what is typed while no field has the focus goes here; focused again, it is selected
// [data-then="id"]            Enter leads on to this field as long as it is empty
// [data-types="7"]            a key of the keypad: types into the number that had the focus last, or the first one
// form[data-settles]          takes no Enter in its first moment: a scanner's second one was meant for the page before
const SETTLED_AFTER = 600;
const NUMBERS = "input[inputmode=numeric]";
const TYPED_INTO = "input:not([type=radio]), select, textarea";
let number;

document.addEventListener("keydown", (event) => {
  const scan = document.querySelector("[data-scan]");
  if (!scan || document.activeElement?.matches(TYPED_INTO)) return;
  if (event.key.length !== 1 || event.key === " " || event.ctrlKey || event.metaKey || event.altKey) return;
  scan.focus();
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.isComposing) return;
  const next = document.getElementById(event.target.dataset?.then ?? "");
  if (!next || next.value !== "" || event.target.value === "") return;
  event.preventDefault();
  next.focus();
});

document.addEventListener("focusin", (event) => {
  if (event.target.matches(NUMBERS)) number = event.target;
  if (event.target.matches("[data-scan]")) event.target.select();
});

document.addEventListener("click", (event) => {
  const key = event.target.closest("[data-types]");
  if (!key) return;
  const field = number?.isConnected ? number : document.querySelector(NUMBERS);
  if (!field) return;
  const typed = key.dataset.types;
  field.value = typed === "clear" ? "" : typed === "back" ? field.value.slice(0, -1) : field.value + typed;
  field.focus();
});

for (const form of document.querySelectorAll("form[data-settles]")) {
  const settled = () => form.dataset.settles === "yes";
  form.addEventListener(
    "submit",
    (event) => {
      if (settled() || event.submitter?.value === "edit") return;
      event.preventDefault();
      event.stopImmediatePropagation();
    },
    true,
  );
  setTimeout(() => {
    form.dataset.settles = "yes";
  }, SETTLED_AFTER);
}
