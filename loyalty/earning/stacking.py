"""How several coefficients become one: added, multiplied, or the highest of them, up to a ceiling. Exact."""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Literal, NamedTuple

from loyalty.earning.bounds import EVEN

Method = Literal["add", "multiply", "highest"]


class Combined(NamedTuple):
    """A coefficient as a fraction, and whether the ceiling has lowered it."""

    numerator: int
    denominator: int
    lowered: bool


@lru_cache(maxsize=4_096)
def combine(method: Method, ceiling: int | None, coefficients: tuple[int, ...]) -> Combined:
    """Combine coefficients in basis points.

    Args:
        method: `add` adds what each is more than one: 2 and 1.5 are 2.5. `multiply` multiplies: 3. `highest` takes one: 2.
        ceiling: The most that they come to, in basis points.
        coefficients: The coefficients; none of them come to one.

    Returns:
        The exact coefficient, never below zero.
    """
    if not coefficients:
        return Combined(1, 1, lowered=False)
    match method:
        case "add":
            numerator, denominator = max(0, EVEN + sum(each - EVEN for each in coefficients)), EVEN
        case "multiply":
            numerator, denominator = prod(coefficients), EVEN ** len(coefficients)
        case "highest":
            numerator, denominator = max(coefficients), EVEN
    if ceiling is not None and numerator * EVEN > ceiling * denominator:
        return Combined(ceiling, EVEN, lowered=True)
    return Combined(numerator, denominator, lowered=False)
