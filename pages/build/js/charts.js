// A chart's numbers stand in its attribute as JSON. The library is loaded only where there is a chart.
async function draw(root) {
  const places = [...root.querySelectorAll("[data-chart]")];
  if (root.matches?.("[data-chart]")) places.push(root);
  if (places.length === 0) return;
  const { drawChart } = await import("./drawing.js");
  for (const place of places) drawChart(place);
}

document.addEventListener("DOMContentLoaded", () => draw(document));
document.addEventListener("live:after", (event) => draw(event.target));
