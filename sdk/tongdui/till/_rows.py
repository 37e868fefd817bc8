"""Parses the rows of a till export strictly, one by one: a bad row never spoils its neighbours."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from tongdui._errors import TillError

from ._mapping import RFC3339, TillMapping
from ._points import EXACT

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_NUMBER = re.compile(r"-?\d{1,15}(\.\d{1,6})?", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_LONGEST = 64
"""The most characters of a sale number, customer or article."""


@dataclass(frozen=True, slots=True)
class RowProblem:
    """A malformed row: where it is, which field is wrong, why, and what it contains.

    `field` is the file's own name for the column, or `row`.
    """

    file: str
    line: int
    field: str
    reason: str
    value: str = ""
    sale: str = ""
    """The sale number, if it could be read."""

    def __str__(self) -> str:
        shown = f" {self.value!r}" if self.value else ""
        return f"{self.file}:{self.line}: {self.field}{shown}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a sale. `amount` is exact, in the currency's main unit; `time` is in UTC."""

    line: int
    time: datetime
    sale: str
    customer: str
    article: str
    category: str
    quantity: Decimal
    amount: Decimal

    @property
    def is_negative(self) -> bool:
        """Whether goods were given back."""
        return self.quantity < 0


@dataclass(slots=True)
class _BadFieldError(Exception):
    field: str
    reason: str
    value: str = ""


@dataclass(slots=True)
class RowReader:
    """Reads the rows of one file. A row is one line: fields have no line breaks."""

    path: Path
    mapping: TillMapping
    _index: dict[str, int] = field(default_factory=dict)
    _width: int = 0

    def __iter__(self) -> Iterator[Row | RowProblem]:
        """Read every row that is not blank, good or bad. Raises TillError when the file or its header cannot be read."""
        try:
            with self.path.open(encoding=self.mapping.encoding, errors="surrogateescape", newline="\n") as file:
                for number, line in enumerate(file, start=1):
                    text = line.rstrip("\r\n")
                    if number == 1:
                        self._read_header(text)
                    elif text.strip(f" \t{self.mapping.delimiter}"):
                        yield self._row(number, text)
        except OSError as error:
            raise TillError(f"{self.path}: {error.strerror or error}") from error
        except UnicodeError as error:
            raise TillError(f"{self.path}: {error}") from error
        if not self._width:
            raise TillError(f"{self.path}: the file is empty; its first line must name the columns")

    # ---------------------------------------------------------------- lines

    def _read_header(self, line: str) -> None:
        try:
            names = [name.strip() for name in self._split(line)]
        except _BadFieldError as bad:
            raise TillError(f"{self.path}:1: the header {bad.reason}") from bad
        for ours, theirs in self.mapping.columns.items():
            if names.count(theirs) != 1:
                wrong = "no" if theirs not in names else "more than one"
                raise TillError(f"{self.path}:1: there is {wrong} column {theirs!r} (found: {', '.join(names)})")
            self._index[ours] = names.index(theirs)
        self._width = len(names)

    def _split(self, line: str) -> list[str]:
        try:
            return next(csv.reader([line], delimiter=self.mapping.delimiter, strict=True))
        except (csv.Error, StopIteration) as error:
            unclosed = line.count('"') % 2
            reason = "has a quotation mark that is not closed" if unclosed else f"is not CSV: {str(error) or 'empty'}"
            raise _BadFieldError("row", reason) from error

    def _row(self, number: int, line: str) -> Row | RowProblem:
        # Even a line that is not CSV is split, to learn which sale it belongs to.
        found = self._named(line.split(self.mapping.delimiter))
        try:
            values = self._split(line)
            found = self._named(values)
            return self._parsed(number, found, len(values))
        except _BadFieldError as bad:
            column = self.mapping.columns.get(bad.field, bad.field)
            sale = found.get("sale", "")
            sale = "" if _CONTROL.search(sale) else sale
            return RowProblem(self.path.name, number, column, bad.reason, _printable(bad.value), sale)

    def _named(self, values: list[str]) -> dict[str, str]:
        return {name: values[column].strip() for name, column in self._index.items() if column < len(values)}

    def _parsed(self, number: int, found: dict[str, str], width: int) -> Row:
        if width != self._width:
            raise _BadFieldError("row", f"has {width} fields, the header names {self._width}")
        article = _text(found, "article")
        category = self.mapping.rule.category_of(article)
        if category is None:
            raise _BadFieldError("article", "is in no category of the mapping", article)
        self._check_unit(found, category)
        quantity = _number(found, "quantity", decimals=6)
        if quantity == 0:
            raise _BadFieldError("quantity", "is zero", found["quantity"])
        return Row(
            line=number,
            time=self._time(found["time"]),
            sale=_text(found, "sale"),
            customer=_text(found, "customer", empty=True),
            article=article,
            category=category,
            quantity=quantity,
            amount=self._amount(found, quantity),
        )

    def _amount(self, found: dict[str, str], quantity: Decimal) -> Decimal:
        if "unit_price" in found:
            price = _number(found, "unit_price", decimals=6)
            if price < 0:
                raise _BadFieldError("unit_price", "is below zero", found["unit_price"])
            return EXACT.multiply(quantity, price)
        amount = _number(found, "amount", decimals=self.mapping.amount_decimals)
        if amount and (amount < 0) != (quantity < 0):
            raise _BadFieldError("amount", f"has the opposite sign of the quantity {quantity}", found["amount"])
        return amount

    def _check_unit(self, found: dict[str, str], category: str) -> None:
        wanted = self.mapping.units.get(category)
        if wanted is not None and found["unit"] not in wanted:
            raise _BadFieldError("unit", f"must be {' or '.join(wanted)} for {category}", found["unit"])

    def _time(self, text: str) -> datetime:
        for form in self.mapping.times:
            if (moment := self._moment(text, form)) is not None:
                return moment
        expected = " or ".join("RFC 3339" if form == RFC3339 else form for form in self.mapping.times)
        raise _BadFieldError("time", f"is not a time in the form {expected}" if text else "is missing", text)

    def _moment(self, text: str, form: str) -> datetime | None:
        try:
            if form == RFC3339:
                return datetime.fromisoformat(text.upper()).astimezone(UTC) if _RFC3339.fullmatch(text) else None
            local = datetime.strptime(text, form)  # noqa: DTZ007 - without a zone of its own it is in the till's
            return (local if local.tzinfo else local.replace(tzinfo=self.mapping.zone)).astimezone(UTC)
        except (ValueError, OverflowError):
            return None


def _text(found: dict[str, str], name: str, *, empty: bool = False) -> str:
    value = found[name]
    if not value and not empty:
        raise _BadFieldError(name, "is missing")
    if len(value) > _LONGEST:
        raise _BadFieldError(name, f"is longer than {_LONGEST} characters", value[:20] + "…")
    if _CONTROL.search(value):
        raise _BadFieldError(name, "has characters that are not text in the file's encoding", value)
    return value


def _number(found: dict[str, str], name: str, *, decimals: int) -> Decimal:
    value = found[name]
    if not value:
        raise _BadFieldError(name, "is missing")
    if not _NUMBER.fullmatch(value):
        raise _BadFieldError(name, 'is not a decimal number such as "12.34"', value)
    if len(value.partition(".")[2]) > decimals:
        raise _BadFieldError(name, f"has more than {decimals} decimals", value)
    return Decimal(value)


def _printable(value: str) -> str:
    return value.encode("utf-8", "backslashreplace").decode()
