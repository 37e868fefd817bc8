// Graphs: who exchanges with whom. The path is the kind's own: through the index all kinds would come along.
import { install as GraphChart } from "echarts/lib/chart/graph/install.js";
import { use } from "./echarts.js";

use([GraphChart]);

const SIDE = 60;
const TOP = 40;

/** Where the point with this number stands among so many: on an ellipse as wide as the place, the first one at the top. */
function onCircle(number, count, chart) {
  const aslant = count === 2 ? Math.PI / 3 : 0; // two above each other span no area, and nothing would be drawn
  const angle = (2 * Math.PI * number) / count - aslant;
  return { x: Math.sin(angle) * (chart.getWidth() - 2 * SIDE), y: -Math.cos(angle) * (chart.getHeight() - 2 * TOP) };
}

/** A graph: points on a circle, arrows between them. */
export function options(data, token, common, chart) {
  return {
    ...common,
    tooltip: { ...common.tooltip, formatter: (item) => item.data.title ?? item.name },
    series: [
      {
        type: "graph",
        layout: "none",
        left: SIDE,
        right: SIDE,
        top: TOP,
        bottom: TOP,
        preserveAspect: true, // or circles and letters would be stretched
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
          ...onCircle(at, data.nodes.length, chart),
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
