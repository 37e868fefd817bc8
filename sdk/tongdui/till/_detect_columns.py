"""Finds which column of a file holds what: by the columns' names in English and Chinese, and by what the columns contain."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise

from ._detect_layout import Layout
from ._detect_numbers import NumberForms, affixes_of, detect_numbers, shape_of
from ._detect_times import TimeForms, detect_times
from ._words import COLUMN_NAMES, MEASURED_UNITS, PAYMENT_COLUMNS, PIECE_UNITS, STATUS_COLUMNS, column_word, word

_UNITS = {word(unit) for unit in (*MEASURED_UNITS, *PIECE_UNITS)}
_NOT_OURS = {column_word(name) for name in (*PAYMENT_COLUMNS, *STATUS_COLUMNS)}
_CARD = re.compile(r"[A-Za-z]{0,4}[-_ ]?\d{4,20}")
_NUMBERS = ("quantity", "amount", "unit_price")
_FILLED = {"unit": 0.0, "till": 0.5}
"""More than which part of the rows must have a value in a column that has the right name."""
_CENT = Decimal("0.02")
"""How far an amount may lie from quantity x price and still be that, rounded."""


@dataclass(slots=True)
class Columns:
    """Which column of the file is which of ours.

    Attributes:
        theirs: The file's name for each of ours.
        by_content: Ours that were found by what the column contains, because no name told.
        others: Further columns whose names would do as well, by ours.
        times: How times are written: in the time column, or in the date column and the time column.
        date: How dates are written, if they have a column of their own.
        numbers: How numbers are written.
        affixes: What stands at numbers beside currency signs.
        totals: Columns that repeat the total of a sale on each of its rows, and are no amounts of a row.
    """

    theirs: dict[str, str] = field(default_factory=dict)
    by_content: list[str] = field(default_factory=list)
    others: dict[str, list[str]] = field(default_factory=dict)
    times: TimeForms | None = None
    date: TimeForms | None = None
    numbers: NumberForms = field(default_factory=NumberForms)
    affixes: tuple[str, ...] = ()
    totals: list[str] = field(default_factory=list)


def detect_columns(layout: Layout) -> Columns:
    """Find which column is which.

    Args:
        layout: The file's layout, with its rows.

    Returns:
        The columns that were found; a needed one may be missing.
    """
    return _Detection(layout).found()


class _Detection:
    """The search: times first, then columns with telling names, then those that only their content tells."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        # A name that two columns have cannot be used in a mapping.
        self._names = [name for name in layout.names if name and layout.names.count(name) == 1]
        self._values = {name: layout.column(name) for name in self._names}
        self._columns = Columns()

    def found(self) -> Columns:
        self._find_times()
        for ours in ("original", "sale", "customer", "article", "unit", "till", *_NUMBERS):
            self._find_by_name(ours)
        self._find_by_content("unit", self._like_unit)
        self._find_by_content("sale", self._like_sale)
        self._find_by_content("customer", self._like_customer)
        self._find_by_content("article", self._like_article)
        self._find_numbers()
        return self._columns

    def _take(self, ours: str, theirs: str, *, by_content: bool = False) -> None:
        self._columns.theirs[ours] = theirs
        if by_content:
            self._columns.by_content.append(ours)

    def _free(self, filled: float = 0.0) -> list[str]:
        """The columns that are not taken and have values: some, or on a part of the rows."""
        taken = set(self._columns.theirs.values())
        free = [name for name in self._names if name not in taken]
        return [name for name in free if len(self._filled(name)) > filled * max(1, len(self._values[name]))]

    # ------------------------------------------------------------ names

    def _named(self, ours: str) -> list[str]:
        """The free columns that could be ours by their name, the most telling first."""
        keys = [column_word(name) for name in COLUMN_NAMES[ours]]
        # A day without customers, returns or any sales has empty columns; a till that most rows lack tells no sales apart.
        least = _FILLED.get(ours, -1.0)
        exact = [name for name in self._free(least) if column_word(name) in keys]
        return sorted(exact, key=lambda name: keys.index(column_word(name)))

    def _find_by_name(self, ours: str) -> None:
        names = self._named(ours)
        if ours in _NUMBERS:  # a telling name counts even where no number can be read
            names.sort(key=lambda name: not self._is_numeric(name, named=True))
        if names:
            self._take(ours, names[0])
            if names[1:]:
                self._columns.others[ours] = names[1:]

    # ------------------------------------------------------------ times

    def _find_times(self) -> None:
        found = {name: forms for name in self._free() if (forms := self._times_of(name)) is not None}
        ranked = self._by_time_names(found)
        moments = [name for name in ranked if found[name].kind == "moment"]
        dates = [name for name in ranked if found[name].kind == "date"]
        clocks = [name for name in ranked if found[name].kind == "clock"]
        columns = self._columns
        if moments:
            self._take("time", moments[0], by_content=not self._says_time(moments[0]))
            columns.times = found[moments[0]]
            columns.others["time"] = moments[1:]
        elif dates and clocks:
            self._take("date", dates[0], by_content=not self._says_time(dates[0]))
            self._take("time", clocks[0], by_content=not self._says_time(clocks[0]))
            columns.date, columns.times = found[dates[0]], found[clocks[0]]
        elif dates:
            self._take("time", dates[0], by_content=not self._says_time(dates[0]))
            columns.times = found[dates[0]]
        elif named := self._by_time_names(name for name in self._names if self._says_time(name)):
            self._take("time", named[0])

    def _times_of(self, name: str) -> TimeForms | None:
        return detect_times(self._values[name], named=self._says_time(name))

    def _says_time(self, name: str) -> bool:
        return column_word(name) in _TIME_WORDS

    def _by_time_names(self, found: Iterable[str]) -> list[str]:
        return sorted(found, key=lambda name: _TIME_WORDS.get(column_word(name), len(_TIME_WORDS)))

    # ------------------------------------------------------------ content

    def _find_by_content(self, ours: str, likeness: Callable[[str], float]) -> None:
        if ours in self._columns.theirs:
            return
        free = [name for name in self._free() if column_word(name) not in _NOT_OURS]
        scores = {name: likeness(name) for name in free}
        if scores and (best := max(scores, key=scores.__getitem__)) and scores[best] > 0:
            self._take(ours, best, by_content=True)

    def _filled(self, name: str) -> list[str]:
        return [value for value in self._values[name] if value]

    def _like_unit(self, name: str) -> float:
        values = self._filled(name)
        return float(sum(word(value) in _UNITS for value in values) >= 0.8 * len(values))

    def _like_sale(self, name: str) -> float:
        """A sale's number: on all rows, not a fraction, many different ones, and equal ones mostly stand together."""
        values, filled = self._values[name], self._filled(name)
        different = len(set(filled))
        if len(filled) < 0.95 * len(values) or not any(mark.isdigit() for value in filled[:20] for mark in value):
            return 0
        if different * 5 < len(filled) or any("." in value or "," in value for value in filled[:200]):
            return 0
        runs = 1 + sum(one != other for one, other in pairwise(values))
        longest = max(map(len, filled[:200]))
        return different / runs + min(longest, 12) / 100

    def _like_customer(self, name: str) -> float:
        """A card or telephone number: absent on some rows, or coming back in other places of the file."""
        values, filled = self._values[name], self._filled(name)
        cards = [value for value in filled if _CARD.fullmatch(value)]
        if len(cards) < 0.6 * len(filled) or any("." in value for value in filled[:200]):
            return 0
        return 0.1 + (len(values) - len(filled)) / len(values) + (1 - len(set(filled)) / len(filled)) / 2

    def _like_article(self, name: str) -> float:
        """A name: with letters, no number, and coming back."""
        filled = self._filled(name)
        texts = [value for value in filled if any(mark.isalpha() or mark == "#" for mark in value)]
        if len(texts) < 0.5 * len(filled) or all(shape_of(value) for value in filled[:50]):
            return 0
        return len(set(filled)) / len(filled) if len(set(filled)) > 1 else 0.01

    # ------------------------------------------------------------ numbers

    def _is_numeric(self, name: str, *, named: bool = False) -> bool:
        filled = self._filled(name)
        numbers = sum(shape_of(value) is not None for value in filled)
        if named and numbers * 2 <= len(filled) and affixes_of(filled):
            return True
        return numbers * 2 > len(filled)

    def _find_numbers(self) -> None:
        columns = self._columns
        missing = [ours for ours in ("quantity", "amount") if ours not in columns.theirs]
        if "amount" in missing and "unit_price" in columns.theirs:
            missing.remove("amount")
        free = [name for name in self._free() if column_word(name) not in _NOT_OURS and self._is_numeric(name)]
        named = [columns.theirs[ours] for ours in _NUMBERS if ours in columns.theirs]
        columns.numbers = self._forms([*named, *(free if missing else [])])
        if missing:
            self._assign_numbers(missing, free)
        self._choose_amount()
        named = [columns.theirs[ours] for ours in _NUMBERS if ours in columns.theirs]
        columns.numbers = self._forms(named)
        columns.affixes = tuple(dict.fromkeys(affix for name in named for affix in affixes_of(self._values[name])))

    def _forms(self, names: Sequence[str]) -> NumberForms:
        return detect_numbers((value for name in names for value in self._filled(name)), self._layout.file.delimiter)

    def _numbers_of(self, name: str) -> list[Decimal | None]:
        return [self._columns.numbers.value_of(value) if value else None for value in self._values[name]]

    def _assign_numbers(self, missing: Sequence[str], free: Sequence[str]) -> None:
        """Quantity x price is the amount. Where no three columns are so, the amount is the one with the larger numbers."""
        numbers = {name: self._numbers_of(name) for name in free}
        given = {ours: self._numbers_of(name) for ours, name in self._columns.theirs.items() if ours in _NUMBERS}
        best: tuple[float, dict[str, str]] = (0.8, {})
        for quantity in self._candidates("quantity", given, numbers):
            for price in self._candidates("unit_price", given, numbers):
                for amount in self._candidates("amount", given, numbers):
                    if len({quantity, price, amount}) == 3:
                        pool = {**numbers, **{self._columns.theirs[ours]: values for ours, values in given.items()}}
                        share = _product_share(pool[quantity], pool[price], pool[amount])
                        if share > best[0]:
                            best = (share, {"quantity": quantity, "unit_price": price, "amount": amount})
        for ours, name in best[1].items():
            if ours not in self._columns.theirs:
                self._take(ours, name, by_content=True)
        left = [ours for ours in missing if ours not in self._columns.theirs]
        sizes = {
            name: sum((abs(value) for value in values if value is not None), Decimal(0))
            for name, values in numbers.items()
        }
        rest = sorted((name for name in free if name in self._free()), key=sizes.__getitem__)
        if rest and "amount" in left:
            self._take("amount", rest.pop(), by_content=True)
        if rest and "quantity" in left:
            self._take("quantity", rest[0], by_content=True)

    def _candidates(self, ours: str, given: dict[str, list[Decimal | None]], numbers: Iterable[str]) -> list[str]:
        return [self._columns.theirs[ours]] if ours in given else list(numbers)

    def _choose_amount(self) -> None:
        """Amounts rather than prices, for they are what was paid; but no sale's total that stands on each of its rows."""
        theirs, others = self._columns.theirs, self._columns.others
        if "amount" not in theirs:
            return
        amounts = [theirs["amount"], *(name for name in others.get("amount", []) if self._is_numeric(name))]
        lines = {name: self._numbers_of(name) for name in amounts}
        if "unit_price" in theirs and "quantity" in theirs:
            pairs = zip(self._numbers_of(theirs["quantity"]), self._numbers_of(theirs["unit_price"]), strict=True)
            lines[""] = [q * p if q is not None and p is not None else None for q, p in pairs]
        totals = [
            name for name in amounts if any(self._is_total(lines[name], lines[one]) for one in lines if one != name)
        ]
        left = [name for name in amounts if name not in totals]
        self._columns.totals = totals
        if left:
            theirs["amount"] = left[0]
            others["amount"] = left[1:]
            theirs.pop("unit_price", None)
        elif "" in lines:
            del theirs["amount"]
        self._columns.by_content = [ours for ours in self._columns.by_content if ours in theirs]

    def _is_total(self, amounts: Sequence[Decimal | None], lines: Sequence[Decimal | None]) -> bool:
        """Whether an amount is the same on all rows of a sale, and what the sale's lines add up to.

        Rows that only say how a line was paid in parts do not count: their line is on each of them.
        """
        theirs, values = self._columns.theirs, self._values
        if not {"sale", "article", "quantity"} <= theirs.keys():
            return False
        goods = zip(values[theirs["article"]], values[theirs["quantity"]], strict=True)
        sales: dict[str, list[tuple[tuple[str, str], Decimal, Decimal]]] = {}
        for sale, good, amount, line in zip(values[theirs["sale"]], goods, amounts, lines, strict=True):
            if amount is not None and line is not None:
                sales.setdefault(sale, []).append((good, amount, line))
        several = [rows for rows in sales.values() if len({good for good, _, _ in rows}) > 1]
        totals = sum(
            len({amount for _, amount, _ in rows}) == 1
            and abs(sum(line for _, _, line in rows) - rows[0][1]) <= _CENT * len(rows)
            for rows in several
        )
        return bool(several) and totals * 10 > 9 * len(several)


def _product_share(
    quantities: Iterable[Decimal | None], prices: Iterable[Decimal | None], amounts: Iterable[Decimal | None]
) -> float:
    """On which part of the rows quantity x price is the amount."""
    rows = [row for row in zip(quantities, prices, amounts, strict=True) if None not in row]
    right = sum(
        abs(abs(q * p) - abs(a)) <= _CENT for q, p, a in rows if q is not None and p is not None and a is not None
    )
    return right / len(rows) if rows else 0.0


_TIME_WORDS = {
    column_word(name): rank
    for rank, name in reversed(list(enumerate((*COLUMN_NAMES["time"], *COLUMN_NAMES["date"]))))
}  # fmt: skip
