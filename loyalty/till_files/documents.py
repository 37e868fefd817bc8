"""What a sheet of the SDK contains, as documents that can be booked, and what of it cannot be one. No database here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from heapq import merge

from loyalty.customers.models import IdentifierKind
from loyalty.customers.service import Shown
from loyalty.intake.documents import SentSale
from loyalty.sales.models import Document
from loyalty.sales.types import (
    LARGEST_AMOUNT_MICROS,
    LARGEST_QUANTITY_MILLI,
    LONGEST_NUMBER,
    LONGEST_TILL,
    MOST_LINES,
    NUMBER,
    Line,
    Unit,
    Weather,
)
from tongdui.till import Goods, Return, Sale, TillMapping, TillSheet, goods_of

_UNITS: dict[str, Unit] = {"l": "l", "kg": "kg", "kwh": "kwh", "piece": "piece"}


@dataclass(frozen=True, slots=True)
class Fault:
    """Why something cannot be booked: the line, the field (as the mapping calls it), and what to do about it."""

    line: int
    field: str
    detail: str
    till: str = ""
    number: str = ""


@dataclass(frozen=True, slots=True)
class FileSale:
    """A sale of a file."""

    line: int
    sent: SentSale


@dataclass(frozen=True, slots=True)
class FileReturn:
    """A return of a file. Its sale has to be found: a till names it in a few words, or not at all."""

    line: int
    document: Document
    time: datetime
    shown: Shown | None
    original: str
    """The number of its sale, or ""."""
    goods: tuple[tuple[str, int], ...]
    """The articles that come back, with thousandths of their unit."""


Entry = Fault | FileSale | FileReturn


class Unbookable(Exception):
    """It cannot be a document; `fault` says why."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.detail)
        self.fault = fault


def entries_of(sheet: TillSheet, mapping: TillMapping, station: str) -> Iterator[Entry]:
    """All that a sheet contains, in one order whenever it is read: what cannot be read, sales in the file's order, then returns."""
    for problem in sheet.problems:
        value = f" {problem.value!r}" if problem.value else ""
        yield Fault(problem.line, problem.field, f"{problem.field}{value} {problem.reason}", problem.till, problem.sale)
    for held in sheet.held_back:
        detail = f"{held.reason}. Correct the file and send it again, or send the sale by itself"
        yield Fault(held.lines[0], "sale", detail, held.till, held.number)
    reader = _Reader(mapping, station)
    for sale in merge(sheet.sales, sheet.worthless, sheet.no_customer, key=lambda one: one.lines[0]):
        yield reader.entry(sale)
    for back in sheet.returns:
        yield reader.entry(back)


class _Reader:
    """Makes documents of what a sheet contains."""

    def __init__(self, mapping: TillMapping, station: str) -> None:
        self._mapping = mapping
        self._station = station
        self._kind = IdentifierKind(mapping.customer_kind)

    def entry(self, source: Sale | Return) -> Entry:
        """The document, or why it cannot be one."""
        try:
            return self._return(source) if isinstance(source, Return) else self._sale(source)
        except Unbookable as error:
            return error.fault

    def _sale(self, sale: Sale) -> FileSale:
        goods = goods_of(sale)
        if not goods:
            raise _unbookable(sale, sale.lines[0], "article", "sells no goods: send nothing for it")
        if len(goods) > MOST_LINES:
            detail = f"has {len(goods)} articles, more than {MOST_LINES}: is the right column the sale's number?"
            raise _unbookable(sale, sale.lines[0], "sale", detail)
        lines = tuple(self._line(sale, at, one) for at, one in enumerate(goods, start=1))
        sent = SentSale(self._document(sale), sale.time, lines, Weather(), None, self._shown(sale.customer))
        return FileSale(sale.lines[0], sent)

    def _line(self, sale: Sale, number: int, goods: Goods) -> Line:
        unit = _UNITS.get(self._mapping.measure_of(goods.category, goods.unit, goods.quantity))
        if unit is None:
            raise _unbookable(sale, goods.line, "unit", self._no_unit(goods))
        amount_micros = _whole(sale, goods, "amount", goods.amount, 6, LARGEST_AMOUNT_MICROS)
        return Line(number, goods.article, goods.category, _milli(sale, goods), unit, amount_micros)

    def _no_unit(self, goods: Goods) -> str:
        if goods.unit:
            return f"{goods.unit!r} is none of l, kg, kwh and pieces: have the till write one of these"
        return (
            f"nobody knows what {goods.quantity} of {goods.article!r} are: name the unit column in [columns], or in "
            f"[units] the one unit that {goods.category!r} is sold in"
        )

    def _return(self, back: Return) -> FileReturn:
        goods = goods_of(back)
        if not goods:
            detail = "gives back money for no goods: correct the sale instead (POST /v1/corrections)"
            raise _unbookable(back, back.lines[0], "article", detail)
        named = sorted({row.original for row in back.rows} - {""})
        if len(named) > 1:
            detail = f"names several sales ({', '.join(named)}): send one return for each (POST /v1/returns)"
            raise _unbookable(back, back.lines[0], "original", detail)
        return FileReturn(
            line=back.lines[0],
            document=self._document(back),
            time=back.time,
            shown=self._shown(back.customer),
            original=named[0] if named else "",
            goods=tuple((one.article, _milli(back, one)) for one in goods),
        )

    def _document(self, source: Sale | Return) -> Document:
        for field, value, longest in (("till", source.till, LONGEST_TILL), ("sale", source.number, LONGEST_NUMBER)):
            if value and not (len(value) <= longest and re.fullmatch(NUMBER, value)):
                detail = f"{value!r} has more than {longest} characters, or spaces, `:` or `~`: the number goes to the network"
                raise _unbookable(source, source.lines[0], field, detail)
        return Document(self._station, source.day, source.till, source.number)

    def _shown(self, customer: str) -> Shown | None:
        if not customer:
            return None
        is_national = self._kind is IdentifierKind.PHONE and not customer.startswith("+")
        return Shown(self._kind, self._mapping.customer_country + customer if is_national else customer)


def _milli(source: Sale | Return, goods: Goods) -> int:
    return _whole(source, goods, "quantity", goods.quantity, 3, LARGEST_QUANTITY_MILLI)


def _whole(source: Sale | Return, goods: Goods, field: str, number: Decimal, decimals: int, largest: int) -> int:
    """A number with so many decimals as a whole number."""
    above, below = number.as_integer_ratio()
    whole, rest = divmod(above * int(10**decimals), below)
    if rest:
        raise _unbookable(source, goods.line, field, f"{number} has more than {decimals} decimals: export no more")
    if whole > largest:
        raise _unbookable(source, goods.line, field, f"{number} is more than can be meant")
    return whole


def _unbookable(source: Sale | Return, line: int, field: str, detail: str) -> Unbookable:
    return Unbookable(Fault(line, field, detail, source.till, source.number))
