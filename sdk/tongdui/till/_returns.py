"""Which sale a return takes back, and how many of its points. Pure: sales come from the file or from the gateway."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from ._points import EXACT, ZERO, PointsRule, exact_sum
from ._rows import Row

_CENT = Decimal("0.01")


class Line(NamedTuple):
    """Rows of a sale, added up by article. Discounts and coupons have lines of their own, with an amount below zero."""

    article: str
    category: str
    quantity: Decimal
    amount: Decimal

    @property
    def is_goods(self) -> bool:
        """Whether it can come back; what a discount or a surcharge is worth is shared over such lines."""
        return self.quantity > 0 and self.amount >= 0


@dataclass(frozen=True, slots=True)
class Original:
    """A sale that a return may take back: from the same file, or from the gateway's memory of an earlier one.

    Attributes:
        reference: The reference of its issuance.
        number: The number of the sale.
        till: The till, or "" where tills have no names.
        day: The business day.
        customer: The customer whose points it gave, or "".
        time: When it was.
        lines: What was sold, as `lines_of` adds it up.
        points: The points that were given for it.
        taken: What earlier returns took back of it.
    """

    reference: str
    number: str
    till: str
    day: date
    customer: str
    time: datetime
    lines: tuple[Line, ...]
    points: int
    taken: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class Reversal:
    """Points of an earlier sale that a return takes back.

    Attributes:
        sale: The number of the sale.
        reference: The reference of its issuance.
        points: The points to reverse; 0 where nothing was given.
        lines: The line numbers of the returned rows that the points belong to.
        taken: What is taken back, by article.
    """

    sale: str
    reference: str
    points: int
    lines: tuple[int, ...]
    taken: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class Return:
    """Goods that came back. Their points are taken back by reversing the original sale's.

    Attributes:
        number: The number of the return.
        till: The till, or "" where tills have no names.
        day: The business day.
        customer: The customer, or "".
        time: When it was.
        rows: Its rows, as the file has them.
        amount: What the customer got back, below zero.
        reference: Like a sale's reference; the references of its reversals begin so.
        reversals: The points to reverse.
        unmatched: The rows whose original sale has not been found.
    """

    number: str
    till: str
    day: date
    customer: str
    time: datetime
    rows: tuple[Row, ...]
    amount: Decimal
    reference: str
    reversals: tuple[Reversal, ...] = ()
    unmatched: tuple[Row, ...] = ()

    @property
    def lines(self) -> tuple[int, ...]:
        """The line numbers of its rows in the file."""
        return tuple(row.line for row in self.rows)


# ---------------------------------------------------------------- lines


def gives_back(row: Row | Line) -> bool:
    """Whether a row takes money back from the merchant: a discount, a coupon, or goods that came back."""
    return row.amount < 0 or (row.amount == 0 and row.quantity < 0)


def lines_of(rows: Iterable[Row | Line]) -> tuple[Line, ...]:
    """Add up the rows of a sale by article.

    A row that gives back an article at a price it is sold for in this sale cancels it. Any other row that gives back is
    a discount or a coupon, and stays a line of its own.

    Args:
        rows: The rows of one sale.

    Returns:
        Goods first, then discounts; each in the order of the file.
    """
    sold: dict[tuple[str, str], list[Row | Line]] = defaultdict(list)
    rest: list[Row | Line] = []
    for row in rows:
        if row.quantity > 0 and row.amount >= 0:
            sold[row.article, row.category].append(row)
        else:
            rest.append(row)
    goods = {key: _Sum(exact_sum(r.quantity for r in of), exact_sum(r.amount for r in of)) for key, of in sold.items()}
    others: dict[tuple[str, str], _Sum] = defaultdict(_Sum)
    for row in rest:
        key = row.article, row.category
        cancels = key in goods and goods[key].has(row) and any(_same_price(row, other) for other in sold[key])
        (goods if cancels else others)[key].add(row)
    found = [Line(*key, total.quantity, total.amount) for totals in (goods, others) for key, total in totals.items()]
    return tuple(line for line in found if line.quantity or line.amount)


@dataclass(slots=True)
class _Sum:
    quantity: Decimal = ZERO
    amount: Decimal = ZERO

    def add(self, row: Row | Line) -> None:
        self.quantity = EXACT.add(self.quantity, row.quantity)
        self.amount = EXACT.add(self.amount, row.amount)

    def has(self, row: Row | Line) -> bool:
        """Whether the row takes no more than there is."""
        return -self.quantity <= row.quantity <= 0 and -self.amount <= row.amount <= 0


def _same_price(row: Row | Line, other: Row | Line) -> bool:
    """Whether two rows have one price, up to the cent that a till rounds to."""
    difference = EXACT.subtract(EXACT.multiply(row.amount, other.quantity), EXACT.multiply(other.amount, row.quantity))
    return abs(difference) <= EXACT.multiply(_CENT, other.quantity)


# ---------------------------------------------------------------- what is left of a sale


class Remainder:
    """What is left of one sale, and what that is worth.

    Args:
        original: The sale.
        rule: What amounts and quantities are worth.
    """

    def __init__(self, original: Original, rule: PointsRule) -> None:
        self.original = original
        self._goods = tuple(line for line in original.lines if line.is_goods)
        self._worth = _shared(original, self._goods, rule)
        self._left = {(line.article, line.is_goods): _Sum(line.quantity, line.amount) for line in original.lines}
        for line in original.taken:
            self.take(line)

    @property
    def points(self) -> int:
        """The points that what is left is worth, rounded down."""
        left = (self._left[line.article, True].quantity for line in self._goods)
        exact = (
            worth * Fraction(rest) / Fraction(line.quantity)
            for line, worth, rest in zip(self._goods, self._worth, left, strict=True)
        )
        return sum(exact, Fraction(0)).__floor__()

    def has(self, line: Line) -> bool:
        """Whether so much of the article, or of the coupon, is left."""
        left = self._left.get((line.article, line.is_goods))
        if left is None:
            return False
        if line.is_goods:
            return left.quantity >= line.quantity and left.amount >= line.amount
        return left.amount <= line.amount < 0

    def has_any(self, article: str) -> bool:
        """Whether anything of the article is left."""
        left = self._left.get((article, True))
        return left is not None and left.quantity > 0

    def take(self, line: Line) -> None:
        """Take a line from what is left."""
        left = self._left.get((line.article, line.is_goods))
        if left is not None:
            # What the gateway remembers may be more than the file's sale has now; there is never less than nothing.
            left.quantity = _towards_zero(left.quantity, line.quantity)
            left.amount = _towards_zero(left.amount, line.amount)

    def put_back(self, line: Line) -> None:
        """Undo `take` of a line that was there."""
        left = self._left[line.article, line.is_goods]
        left.quantity = EXACT.add(left.quantity, line.quantity)
        left.amount = EXACT.add(left.amount, line.amount)


def _towards_zero(left: Decimal, taken: Decimal) -> Decimal:
    rest = EXACT.subtract(left, taken)
    return rest if (rest > 0) == (left > 0) else ZERO


def _shared(original: Original, goods: Sequence[Line], rule: PointsRule) -> list[Fraction]:
    """The exact points of each line of goods, with discounts and coupons shared over the lines they belong to.

    A discount belongs to the goods of its article, else of its category, else to all, in proportion to their amounts;
    to the first of these that stay worth something. So no line is ever worth less than nothing, and all lines together
    are worth what was given for the sale.
    """
    known = all(line.category in rule.rates or line.category in rule.per_quantity for line in original.lines)
    worth = [_exact(line, rule if known else None) for line in goods]
    others = [(_exact(line, rule if known else None), line) for line in original.lines if not line.is_goods]
    for discount, line in sorted(others, key=lambda pair: pair[0], reverse=True):
        shares = next(_sharings(line, discount, goods, worth), [discount / len(goods) for _ in goods])
        worth = [of_line + share for of_line, share in zip(worth, shares, strict=True)]
    return _scaled(worth, original.points)


def _sharings(
    line: Line, discount: Fraction, goods: Sequence[Line], worth: Sequence[Fraction]
) -> Iterator[list[Fraction]]:
    """The ways to share a discount over lines of goods, the best first, that leave no line worth less than nothing."""
    amounts = [Fraction(of_line.amount) for of_line in goods]
    of_category = [a * (other.category == line.category) for a, other in zip(amounts, goods, strict=True)]
    of_article = [a * (other.article == line.article) for a, other in zip(of_category, goods, strict=True)]
    for weights in (of_article, of_category, amounts, worth):
        if total := sum(weights):
            shares = [discount * weight / total for weight in weights]
            if all(of_line + share >= 0 for of_line, share in zip(worth, shares, strict=True)):
                yield shares


def _exact(line: Line, rule: PointsRule | None) -> Fraction:
    """What a line is worth by itself. Without a rule that knows its category, its amount is the measure."""
    if rule is None:
        return Fraction(line.amount)
    quantities = {line.category: line.quantity} if line.is_goods else {}
    return rule.exact({line.category: line.amount}, quantities)


def _scaled(worth: list[Fraction], points: int) -> list[Fraction]:
    """Make the lines together worth the points that were given, whatever the rule would give today."""
    total = sum(worth, Fraction(0))
    if total.__floor__() == points:
        return worth
    if total > 0:
        return [of_line * points / total for of_line in worth]
    return [Fraction(points, len(worth)) for _ in worth]


# ---------------------------------------------------------------- matching

Find = Callable[[Return, Row], Iterable[Remainder]]
"""Finds what is left of the sales that a returned row may take back, the likeliest first."""


def match_returns(returned: Iterable[Return], originals: Iterable[Original], rule: PointsRule) -> Iterator[Return]:
    """Match the unmatched rows of returns with the sales whose points they take back.

    A row that names its original matches that sale only. Any other matches the sale of the same till, day and number,
    else the customer's latest earlier sale of that article with that quantity and that much money left.

    Args:
        returned: The returns.
        originals: The sales that they may take back, in any order.
        rule: What amounts and quantities are worth.

    Yields:
        The returns in order of time, with more reversals and fewer unmatched rows than before.
    """
    latest_first = sorted(originals, key=lambda original: (original.time, original.reference), reverse=True)
    by_customer: dict[str, list[Remainder]] = defaultdict(list)
    by_number: dict[str, list[Remainder]] = defaultdict(list)
    for original in latest_first:
        remainder = Remainder(original, rule)
        by_number[original.number].append(remainder)
        if original.customer:
            by_customer[original.customer].append(remainder)

    def find(back: Return, row: Row) -> Iterator[Remainder]:
        yield from sorted(by_number[row.original or back.number], key=lambda found: found.original.till != back.till)
        if not row.original:
            yield from by_customer[back.customer]

    for back in sorted(returned, key=lambda back: (back.time, back.lines)):
        yield match_return(back, find)


def match_return(back: Return, find: Find) -> Return:
    """Match the unmatched rows of one return, and take them from what is left of the sales they match.

    A return that has coupons or sells something matches whole or not at all: what it sells must be the coupons of the
    sales that it takes back, whose share of the points goes back with the goods.

    Args:
        back: The return.
        find: Finds what is left of the sales that a row may take back, the likeliest first.

    Returns:
        The return, with what could be matched.
    """
    sign = _sign_of(back.rows)
    matching = _Matching(back, find, sign)
    for row in back.unmatched:
        if _as_sold(row, sign).is_goods:
            matching.match_goods(row)
    for row in back.unmatched:
        if not _as_sold(row, sign).is_goods:
            matching.match_coupon(row)
    if len(back.unmatched) > len(matching.picks) and matching.is_mixed:
        matching.undo()
    return matching.result()


def _as_sold(row: Row, sign: int) -> Line:
    """A returned row with the signs that it was sold with; some tills give only the amount a minus."""
    amount = row.amount if sign > 0 else row.amount.copy_negate()
    quantity = row.quantity if sign > 0 else row.quantity.copy_negate()
    return Line(row.article, row.category, quantity.copy_abs() if amount > 0 else quantity, amount)


def rows_as_sold(back: Return) -> tuple[Row, ...]:
    """The rows of a return with the signs that they were sold with."""
    sign = _sign_of(back.rows)
    as_sold = ((row, _as_sold(row, sign)) for row in back.rows)
    return tuple(row._replace(quantity=line.quantity, amount=line.amount) for row, line in as_sold)


def _sign_of(rows: Sequence[Row]) -> int:
    """Whether a return is written with the signs of a sale (1) or with the opposite ones (-1)."""
    total = exact_sum(row.amount for row in rows) or exact_sum(row.quantity for row in rows)
    return 1 if total > 0 else -1


class _Matching:
    """One return while its rows are matched."""

    def __init__(self, back: Return, find: Find, sign: int) -> None:
        self._back = back
        self._find = find
        self._sign = sign
        self.picks: dict[int, Remainder] = {}
        """The remainder that each matched row was taken from, by the row's line."""
        self._before: dict[str, int] = {}
        """The points of each of these remainders before this return, by reference."""
        self.is_mixed = any(not _as_sold(row, sign).is_goods for row in back.rows)

    def match_goods(self, row: Row) -> None:
        line = _as_sold(row, self._sign)
        fitting = self._fitting(row, line)
        first = next(fitting, None)
        if first is None:
            return
        if self._back.customer or _is_identical(first.original, self._back) or self._is_only(first, fitting):
            self._take(row, line, first)

    def match_coupon(self, row: Row) -> None:
        line = _as_sold(row, self._sign)
        for remainder in dict.fromkeys(self.picks.values()):
            if remainder.has(line):
                self._take(row, line, remainder)
                return

    def undo(self) -> None:
        for row in self._back.unmatched:
            if row.line in self.picks:
                self.picks.pop(row.line).put_back(_as_sold(row, self._sign))

    def result(self) -> Return:
        matched: dict[Remainder, list[Row]] = defaultdict(list)
        for row in self._back.unmatched:
            if row.line in self.picks:
                matched[self.picks[row.line]].append(row)
        reversals = tuple(self._reversal(remainder, rows) for remainder, rows in matched.items())
        unmatched = tuple(row for row in self._back.unmatched if row.line not in self.picks)
        return replace(self._back, reversals=(*self._back.reversals, *reversals), unmatched=unmatched)

    def _fitting(self, row: Row, line: Line) -> Iterator[Remainder]:
        for remainder in self._find(self._back, row):
            if _may_take(self._back, row, remainder.original) and remainder.has(line):
                yield remainder

    def _is_only(self, first: Remainder, others: Iterator[Remainder]) -> bool:
        """Whether no other sale is in question: without a customer, a number alone may name several."""
        at_till = first.original.till == self._back.till
        rivals = (other for other in others if other is not first)
        return not any(other.original.till == self._back.till or not at_till for other in rivals)

    def _take(self, row: Row, line: Line, remainder: Remainder) -> None:
        self._before.setdefault(remainder.original.reference, remainder.points)
        remainder.take(line)
        self.picks[row.line] = remainder

    def _reversal(self, remainder: Remainder, rows: Sequence[Row]) -> Reversal:
        """The points that rows take back: those of the sale so far, less those of what the customer keeps."""
        original = remainder.original
        points = self._before[original.reference] - remainder.points
        taken = lines_of(_as_sold(row, self._sign) for row in rows)
        return Reversal(original.number, original.reference, points, tuple(row.line for row in rows), taken)


def _is_identical(original: Original, back: Return) -> bool:
    return (original.till, original.day, original.number) == (back.till, back.day, back.number)


def _may_take(back: Return, row: Row, original: Original) -> bool:
    """Whether a returned row may take back this sale."""
    if original.time > row.time:
        return False
    other_customer = bool(back.customer and original.customer and back.customer != original.customer)
    if row.original:
        return original.number == row.original and not other_customer
    if _is_identical(original, back):
        return not other_customer
    return bool(back.customer) and back.customer == original.customer
