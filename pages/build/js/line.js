// Line charts. The path is the kind's own: through the index all kinds would come along.
import { install as LineChart } from "echarts/lib/chart/line/install.js";
import { axes } from "./axes.js";
import { use } from "./echarts.js";

use([LineChart]);

export { axes as options };
