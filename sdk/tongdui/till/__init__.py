"""Points for the sales of a till: reads the till's file, works out points by rule, and issues them exactly once.

```
with read_till("fuel_day.csv") as sheet:          # accounts for every row, issues nothing yet
    result = TillImport(client, "FUEL").run(sheet)  # run it again, and nothing is issued twice
```

The format, the rules and the reasons for them are in `docs/issue-at-the-pump.md`.
"""

from ._goods import Goods, goods_of
from ._import import TillImport
from ._inspect import Inspection, inspect_till
from ._mapping import TillMapping
from ._points import PointsRule
from ._result import Changed, Pending, Refused, TakenBack, Tally, TillResult, Unmatched
from ._returns import Line, Return, Reversal
from ._rows import Row, RowProblem
from ._sheet import HeldBack, Sale, TillSheet, read_till

__all__ = [
    "Changed",
    "Goods",
    "HeldBack",
    "Inspection",
    "Line",
    "Pending",
    "PointsRule",
    "Refused",
    "Return",
    "Reversal",
    "Row",
    "RowProblem",
    "Sale",
    "TakenBack",
    "Tally",
    "TillImport",
    "TillMapping",
    "TillResult",
    "TillSheet",
    "Unmatched",
    "goods_of",
    "inspect_till",
    "read_till",
]
