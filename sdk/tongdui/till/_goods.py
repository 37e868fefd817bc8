"""What was really sold or given back: each article of a sale once, with its discounts and coupons taken off, exactly."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import accumulate, pairwise
from typing import NamedTuple

from ._points import EXACT
from ._returns import Line, Return, lines_of, rows_as_sold
from ._rows import Row
from ._sheet import Sale


class Goods(NamedTuple):
    """One article of a sale or a return.

    Attributes:
        line: The line of its first row in the file.
        article: The article.
        category: Its category.
        quantity: How much of it, above zero.
        unit: What the quantity counts, as the file writes it; empty if the file does not say, or says different units.
        amount: What was paid for it, or given back, with its discounts taken off.
    """

    line: int
    article: str
    category: str
    quantity: Decimal
    unit: str
    amount: Decimal


def goods_of(source: Sale | Return) -> tuple[Goods, ...]:
    """The articles of a sale, or those that a return gives back.

    Rows of one article are added up, and a row that cancels another one is taken from it. A discount or coupon is taken from
    the goods of its article if they cost as much, else from those of its category, else from all, in proportion to their
    amounts. So all amounts together are what was paid.

    Args:
        source: A sale or a return of a sheet.

    Returns:
        The goods, in the order of the file. There are none if only coupons came back.
    """
    rows = rows_as_sold(source) if isinstance(source, Return) else source.rows
    lines = lines_of(rows)
    goods = [line for line in lines if line.is_goods]
    amounts = _paid(goods, [line for line in lines if not line.is_goods])
    seen: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        if row.quantity > 0 and row.amount >= 0:
            seen[row.article, row.category].append(row)
    found = []
    for line, amount in zip(goods, amounts, strict=True):
        of_article = seen[line.article, line.category]
        units = {row.unit for row in of_article}
        unit = units.pop() if len(units) == 1 else ""
        found.append(Goods(of_article[0].line, line.article, line.category, line.quantity, unit, amount))
    return tuple(sorted(found))


def _paid(goods: Sequence[Line], others: Iterable[Line]) -> list[Decimal]:
    """What was paid for each article."""
    amounts = [line.amount for line in goods]
    for other in sorted(others, key=lambda line: line.amount, reverse=True):  # what is charged on top comes first
        takes = _discounted(other, goods, amounts)
        for place, share in zip(takes, _shares(other.amount, [amounts[place] for place in takes]), strict=True):
            amounts[place] = EXACT.add(amounts[place], share)
    return amounts


def _discounted(other: Line, goods: Sequence[Line], amounts: Sequence[Decimal]) -> list[int]:
    """The places of the goods from which a discount is taken: its article's, its category's, or all that cost anything."""
    is_its = (
        lambda line: (line.article, line.category) == (other.article, other.category),
        lambda line: line.category == other.category,
        lambda _line: True,
    )
    places: list[int] = []
    for fits in is_its:
        places = [place for place, line in enumerate(goods) if fits(line) and amounts[place]]
        if places and sum((amounts[place] for place in places), other.amount) >= 0:
            return places
    return places


def _shares(amount: Decimal, weights: Sequence[Decimal]) -> Iterator[Decimal]:
    """Shares of an amount in proportion to weights, with as many decimals as these have. Together they are the amount,
    unless it would leave less than nothing."""
    decimals = max((-_exponent(number) for number in (amount, *weights)), default=0)
    of_weights = [_whole(weight, decimals) for weight in weights]
    total = sum(of_weights)
    if not total:
        return
    whole = max(_whole(amount, decimals), -total)
    sums = (whole * so_far // total for so_far in accumulate(of_weights, initial=0))
    yield from (Decimal(after - before).scaleb(-decimals, EXACT) for before, after in pairwise(sums))


def _exponent(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int), "amounts are numbers"
    return exponent


def _whole(number: Decimal, decimals: int) -> int:
    return int(number.scaleb(decimals, EXACT))
