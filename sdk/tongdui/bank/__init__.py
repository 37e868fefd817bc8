"""Files of a bank, read into lines: ISO 20022 statements (camt.053) and tables (CSV). Needs `pip install tongdui[audit]`.

```
file = read_file(Path("statement.xml").read_bytes(), Columns(day="", reference=""), "CNY")
```
"""

from ._lines import (
    LONGEST_REFERENCE,
    BankFile,
    BankFileError,
    BankLine,
    Kind,
    Place,
    Problem,
    place_in_words,
)
from ._reading import is_statement, read_file
from ._table import Columns

__all__ = [
    "LONGEST_REFERENCE",
    "BankFile",
    "BankFileError",
    "BankLine",
    "Columns",
    "Kind",
    "Place",
    "Problem",
    "is_statement",
    "place_in_words",
    "read_file",
]
