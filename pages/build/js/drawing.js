// ECharts with the three kinds of chart that the pages have, in the colours of the page.
import { BarChart, GraphChart, LineChart } from "echarts/charts";
import { AriaComponent, GridComponent, LegendComponent, MarkLineComponent, TooltipComponent } from "echarts/components";
import * as echarts from "echarts/core";
import { SVGRenderer } from "echarts/renderers";

echarts.use([
  AriaComponent,
  BarChart,
  GraphChart,
  GridComponent,
  LegendComponent,
  LineChart,
  MarkLineComponent,
  SVGRenderer,
  TooltipComponent,
]);

const quiet = window.matchMedia("(prefers-reduced-motion: reduce)");
const drawn = new Set();

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

function axis(token, more) {
  return {
    axisLine: { lineStyle: { color: token("line-strong") } },
    axisTick: { show: false },
    axisLabel: { color: token("muted"), hideOverlap: true },
    splitLine: { lineStyle: { color: token("line") } },
    ...more,
  };
}

/** Numbers as the server has written them: it alone knows how money and points are shown. */
function labelled(data) {
  const shown = new Map();
  for (const series of data.series) series.values.forEach((value, at) => shown.set(`${series.name}\u0000${at}`, series.shown?.[at] ?? String(value)));
  return (items) => {
    const rows = items.map((item) => `${item.seriesName}  ${shown.get(`${item.seriesName}\u0000${item.dataIndex}`)}`);
    return [items[0].axisValueLabel, ...rows].join("\n");
  };
}

function lines(data, token) {
  return {
    ...common(token),
    tooltip: { ...common(token).tooltip, trigger: "axis", formatter: labelled(data) },
    legend: data.series.length > 1 ? { bottom: 0, icon: "roundRect", itemHeight: 3, textStyle: { color: token("muted") } } : undefined,
    grid: { left: 8, right: 16, top: 16, bottom: data.series.length > 1 ? 32 : 8, outerBoundsMode: "same", outerBoundsContain: "axisLabel" },
    xAxis: axis(token, { type: "category", data: data.labels, boundaryGap: data.kind === "bar", splitLine: { show: false } }),
    yAxis: axis(token, { type: "value", scale: data.kind === "line", axisLine: { show: false }, splitNumber: 4 }),
    series: data.series.map((series, at) => ({
      name: series.name,
      type: data.kind,
      data: series.values,
      stack: series.stack,
      step: series.step,
      smooth: false,
      showSymbol: false,
      symbolSize: 7,
      barMaxWidth: 28,
      lineStyle: { width: 2, type: series.dashed ? "dashed" : "solid" },
      areaStyle: data.kind === "line" && at === 0 && !series.dashed ? { opacity: 0.08 } : undefined,
    })),
  };
}

/** Where the point with this number stands among so many: on a circle, the first one at the top. */
function onCircle(number, count) {
  const angle = (2 * Math.PI * number) / count;
  return { x: Math.sin(angle), y: -Math.cos(angle) };
}

function graph(data, token) {
  return {
    ...common(token),
    tooltip: { ...common(token).tooltip, formatter: (item) => item.data.title ?? item.name },
    series: [
      {
        type: "graph",
        layout: "none",
        left: 60,
        right: 60,
        top: 40,
        bottom: 40,
        preserveAspect: true, // a circle stays one on a phone
        roam: false,
        symbolSize: 46,
        edgeSymbol: ["none", "arrow"],
        edgeSymbolSize: 9,
        label: { show: true, color: token("ink"), fontSize: 12 },
        edgeLabel: { show: true, color: token("muted"), fontSize: 11, formatter: (item) => item.data.label ?? "" },
        itemStyle: { color: token("surface-raised"), borderColor: token("series-1"), borderWidth: 2 },
        lineStyle: { color: token("line-strong"), width: 1.5, curveness: 0.18, opacity: 1 },
        emphasis: { focus: "adjacency" },
        data: data.nodes.map((node, at) => ({
          ...node,
          ...onCircle(at, data.nodes.length),
          label: node.name.length > 6 ? { position: "bottom", width: 110, overflow: "break" } : undefined,
          itemStyle: node.marked ? { borderColor: token("bad"), borderWidth: 3 } : undefined,
        })),
        links: data.edges.map((edge) => ({
          ...edge,
          lineStyle: edge.marked ? { color: token("bad"), width: 2.5, type: edge.dashed ? "dashed" : "solid" } : { type: edge.dashed ? "dashed" : "solid" },
        })),
      },
    ],
  };
}

const KINDS = { line: lines, bar: lines, graph };

/** Draws the chart whose numbers stand in the <script> of this place. */
export function drawChart(place) {
  const source = place.querySelector("script[type='application/json']");
  const canvas = place.querySelector(".chart-canvas");
  if (!source || !canvas) return;
  const data = JSON.parse(source.textContent);
  const chart = echarts.getInstanceByDom(canvas) ?? echarts.init(canvas, null, { renderer: "svg" });
  const paint = () => chart.setOption(KINDS[data.kind](data, tokens()), true);
  paint();
  if (drawn.has(canvas)) return;
  drawn.add(canvas);
  new ResizeObserver(() => chart.resize()).observe(canvas);
  new MutationObserver(paint).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
}
