// A list that fetches itself anew keeps its place: the row at the window's top stays there, however many rows have come above it.
let kept;

document.addEventListener("live:before", (event) => {
  const rows = [...event.target.querySelectorAll("tr[id]")];
  const row = rows.find((one) => one.getBoundingClientRect().bottom > 0);
  kept = row && row !== rows[0] ? { id: row.id, top: row.getBoundingClientRect().top } : undefined;
});

document.addEventListener("live:after", () => {
  const row = kept && document.getElementById(kept.id);
  if (row) window.scrollBy({ top: row.getBoundingClientRect().top - kept.top, behavior: "instant" });
  kept = undefined;
});
