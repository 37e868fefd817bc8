// Line charts. The path is the kind's own: through the index all kinds would come along.
import { install as LineChart } from "echarts/lib/chart/line/install.js";
import { use } from "./echarts.js";

use([LineChart]);

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

/** Lines over the same axis. */
export function options(data, token, common) {
  return {
    ...common,
    tooltip: { ...common.tooltip, trigger: "axis", formatter: labelled(data) },
    grid: { left: 8, right: 16, top: 16, bottom: 8, outerBoundsMode: "same", outerBoundsContain: "axisLabel" },
    xAxis: axis(token, { type: "category", data: data.labels, boundaryGap: false, splitLine: { show: false } }),
    yAxis: axis(token, { type: "value", scale: true, axisLine: { show: false }, splitNumber: 4 }),
    series: data.series.map((series, at) => ({
      name: series.name,
      type: "line",
      data: series.values,
      step: series.step,
      smooth: false,
      showSymbol: series.marks,
      showAllSymbol: series.marks ? true : "auto",
      symbol: series.marks ? "circle" : "emptyCircle",
      symbolSize: series.marks ? 8 : 7,
      lineStyle: { width: series.marks ? 0 : 2, type: series.dashed ? "dashed" : "solid" },
      areaStyle: at === 0 && !series.dashed ? { opacity: 0.08 } : undefined,
    })),
  };
}
