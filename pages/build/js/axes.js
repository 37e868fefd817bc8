// What line and bar charts share: two axes, and what is shown of a place on them.
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

/** Lines or bars over the same axis. */
export function axes(data, token, common) {
  return {
    ...common,
    tooltip: { ...common.tooltip, trigger: "axis", formatter: labelled(data) },
    grid: { left: 8, right: 16, top: 16, bottom: 8, outerBoundsMode: "same", outerBoundsContain: "axisLabel" },
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
