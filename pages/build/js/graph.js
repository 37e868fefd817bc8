// Graphs: who exchanges with whom. The path is the kind's own: through the index all kinds would come along.
import { install as GraphChart } from "echarts/lib/chart/graph/install.js";
import { use } from "./echarts.js";

use([GraphChart]);

/** Where the point with this number stands among so many: on a circle, the first one at the top. */
function onCircle(number, count) {
  const angle = (2 * Math.PI * number) / count;
  return { x: Math.sin(angle), y: -Math.cos(angle) };
}

/** A graph: points on a circle, arrows between them. */
export function options(data, token, common) {
  return {
    ...common,
    tooltip: { ...common.tooltip, formatter: (item) => item.data.title ?? item.name },
    series: [
      {
        type: "graph",
        layout: "none",
        left: 60,
        right: 60,
        top: 40,
        bottom: 40,
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
