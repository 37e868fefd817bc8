"""What a return takes back of a sale's awards: pro rata and exact, in whatever order and in however many steps lines come back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from loyalty.earning.awards import Award, Taking
from loyalty.sales.types import InvalidField, Line, Return, Sale

_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class TakeBack:
    """What a return takes back of one award.

    Attributes:
        rule: The rule of the award.
        points: Whole points.
        carried: By how much the customer's remainder changes, if the rule carries it.
        budgets: What the award's budgets get back.
    """

    rule: str
    points: int
    carried: Fraction
    budgets: tuple[Taking, ...]


def undo(sale: Sale, awards: Iterable[Award], earlier: Iterable[Return], returned: Return) -> tuple[TakeBack, ...]:
    """What a return takes back.

    An award's points are its lines', by weight. Of a line, the larger part counts of what came back of its quantity and
    of its amount. What earlier returns took is not taken again, so a sale that has come back whole has given exactly
    what it earned, and never more.

    Args:
        sale: The sale.
        awards: What it earned.
        earlier: All returns of the sale before this one, in any order.
        returned: The return.

    Returns:
        What is taken back of each award, in their order. Awards that lose nothing are left out.

    Raises:
        InvalidField: A return is of another sale, or more came back than was sold.
    """
    before = tuple(earlier)
    for each in (*before, returned):
        if (each.station.id, each.sale) != (sale.station.id, sale.number):
            raise InvalidField("sale", f"must be {sale.number} of station {sale.station.id}, not {each.sale}")
    parts_before, parts_now = _parts(sale, before), _parts(sale, (*before, returned))
    taken = (_taken(award, _of_award(award, parts_before), _of_award(award, parts_now)) for award in awards)
    return tuple(each for each in taken if each.points or each.carried)


def _parts(sale: Sale, returns: Sequence[Return]) -> dict[int, Fraction]:
    """Which part of each line has come back."""
    lines = {line.number: line for line in sale.lines}
    quantities: dict[int, int] = {}
    amounts: dict[int, int] = {}
    for each in returns:
        for line in each.lines:
            if line.number not in lines:
                raise InvalidField("lines", f"must be lines of the sale: it has no line {line.number}")
            quantities[line.number] = quantities.get(line.number, 0) + line.quantity_milli
            amounts[line.number] = amounts.get(line.number, 0) + line.amount_micros
    named = {number: _part(lines[number], quantities[number], amounts[number]) for number in quantities}
    return dict.fromkeys(lines, Fraction()) | named


def _part(line: Line, quantity_milli: int, amount_micros: int) -> Fraction:
    """Which part of a line has come back that returns name."""
    if not line.quantity_milli and not line.amount_micros:
        return Fraction(1)
    if quantity_milli > line.quantity_milli:
        raise InvalidField(
            f"lines[{line.number}].quantity_milli",
            f"must be at most what was sold, {line.quantity_milli}, in all returns",
        )
    if amount_micros > line.amount_micros:
        raise InvalidField(
            f"lines[{line.number}].amount_micros",
            f"must be at most what was paid, {line.amount_micros}, in all returns",
        )
    return max(
        Fraction(quantity_milli, line.quantity_milli or 1),
        Fraction(amount_micros, line.amount_micros or 1),
    )


def _of_award(award: Award, parts: dict[int, Fraction]) -> Fraction:
    """Which part of the award has come back."""
    weight = sum(share.weight for share in award.shares)
    if not weight:
        return Fraction(all(parts[share.line] == 1 for share in award.shares))
    return sum((share.weight * parts[share.line] for share in award.shares), Fraction()) / weight


def _taken(award: Award, before: Fraction, now: Fraction) -> TakeBack:
    points = _points(award, now) - _points(award, before)
    carried = _carried(award, now) - _carried(award, before) if award.carries else Fraction()
    budgets = tuple(
        Taking(taking.rule, taking.period, points, taking.limit) for taking in award.takings if points and taking.points
    )
    return TakeBack(award.rule, points, carried, budgets)


def _points(award: Award, part: Fraction) -> int:
    """The points that go when this part has come back."""
    return award.points * part.numerator // part.denominator


def _carried(award: Award, part: Fraction) -> Fraction:
    """By how much the remainder has changed when this part has come back.

    Points and remainder together are what the sale was worth, so the remainder takes what points can't. Until all has
    come back it is rounded to a millionth, for the customer: else its denominator would grow with each such return.
    """
    exact = _points(award, part) - (award.points + award.carried) * part
    return exact if part == 1 else Fraction(ceil(exact * _MILLION), _MILLION)
