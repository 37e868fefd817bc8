// ECharts with what every chart needs. Its kinds are added by the files that draw them.
import { GridComponent, TooltipComponent } from "echarts/components";
import { getInstanceByDom, init, use } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";

use([GridComponent, SVGRenderer, TooltipComponent]);

export { getInstanceByDom, init, use };
