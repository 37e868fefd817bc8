"""Points for the sales of a till: reads the till's export, works out points by rule, and issues them exactly once.

```
sheet = read_till("fuel_day.csv")                      # accounts for every row, issues nothing yet
result = TillImport(client, "FUEL").run(sheet.sales)   # run it again, and nothing is issued twice
```

The format, the rules and the reasons for them are in `docs/issue-at-the-pump.md`.
"""

from ._issue import Changed, Issued, Refused, TillImport, TillResult
from ._mapping import TillMapping
from ._points import PointsRule
from ._rows import Row, RowProblem
from ._sheet import HeldBack, Return, Reversal, Sale, TillSheet, read_till

__all__ = [
    "Changed",
    "HeldBack",
    "Issued",
    "PointsRule",
    "Refused",
    "Return",
    "Reversal",
    "Row",
    "RowProblem",
    "Sale",
    "TillImport",
    "TillMapping",
    "TillResult",
    "TillSheet",
    "read_till",
]
