// Draws charts in the colours of the page. What a kind of chart needs is loaded only where there is one.
import { getInstanceByDom, init } from "./echarts.js";

const quiet = window.matchMedia("(prefers-reduced-motion: reduce)");
const drawn = new WeakSet();

function tokens() {
  const style = getComputedStyle(document.documentElement);
  return (name) => style.getPropertyValue(`--${name}`).trim();
}

/** What all charts have in common: colours, fonts, axes. */
function common(token) {
  const text = { color: token("muted"), fontFamily: getComputedStyle(document.body).fontFamily, fontSize: 12 };
  return {
    animation: !quiet.matches,
    animationDuration: 200,
    color: [1, 2, 3, 4, 5, 6].map((number) => token(`series-${number}`)),
    textStyle: text,
    aria: { enabled: false }, // the page has a table of the same numbers
    tooltip: {
      renderMode: "richText", // HTML would need inline styles
      backgroundColor: token("surface"),
      borderColor: token("line-strong"),
      textStyle: { ...text, color: token("ink") },
      confine: true,
    },
  };
}

const KINDS = {
  line: () => import("./line.js"),
  graph: () => import("./graph.js"),
};

/** Draws the chart whose numbers stand at this place, and draws it anew whenever they, its size or the page's colours change. */
export async function drawChart(place) {
  const canvas = place.querySelector(".chart-canvas");
  if (!place.dataset.chart || !canvas) return;
  const { options } = await KINDS[JSON.parse(place.dataset.chart).kind]();
  const chart = getInstanceByDom(canvas) ?? init(canvas, null, { renderer: "svg" });
  const paint = () => {
    const token = tokens();
    chart.setOption(options(JSON.parse(place.dataset.chart), token, common(token), chart), true);
  };
  paint();
  if (drawn.has(canvas)) return;
  drawn.add(canvas);
  new ResizeObserver(() => {
    chart.resize();
    paint();
  }).observe(canvas);
  new MutationObserver(paint).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
}
