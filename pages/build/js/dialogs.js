// <button data-opens="id"> opens the dialog with this id; [data-closes] inside it closes it, and so does a click beside it. Newer
// browsers do both by themselves, without scripts (command, commandfor).
document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-opens]");
  if (opener) {
    event.preventDefault();
    document.getElementById(opener.dataset.opens)?.showModal();
    return;
  }
  const dialog = event.target.closest("dialog");
  if (!dialog || (event.target !== dialog && !event.target.closest("[data-closes]"))) return;
  event.preventDefault(); // or a browser that knows commands closes it once more
  dialog.close();
});

// A menu closes when something else is clicked, and on Escape.
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});
