// <button data-copy="text"> puts the text on the clipboard and says so, also to a screen reader.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  event.preventDefault();
  await navigator.clipboard.writeText(button.dataset.copy);
  const announcer = document.getElementById("announcer");
  if (announcer) announcer.textContent = button.dataset.copied;
  button.classList.add("is-copied");
  setTimeout(() => button.classList.remove("is-copied"), 1500);
});
