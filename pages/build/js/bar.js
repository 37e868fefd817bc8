// Bar charts. The path is the kind's own: through the index all kinds would come along.
import { install as BarChart } from "echarts/lib/chart/bar/install.js";
import { axes } from "./axes.js";
import { use } from "./echarts.js";

use([BarChart]);

export { axes as options };
