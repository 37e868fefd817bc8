"""What evaluation must know of a customer, and of what budgets have paid, at the moment of a sale."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated

from pydantic import BeforeValidator

from loyalty.earning.bounds import EVEN, LARGEST_COEFFICIENT
from loyalty.sales.types import InvalidField, check_text, check_type, check_whole


def _exact(value: object) -> Fraction:
    if isinstance(value, Fraction):
        return value
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,1000}(/[1-9]\d{0,999})?", value):
        return Fraction(value)
    raise ValueError(f"must be a fraction in quotes, such as '2/3', not {value!r}")


Exact = Annotated[Fraction, BeforeValidator(_exact)]
"""A fraction; JSON has it as a text. A number of JSON may be a float, which is not exact."""
MOST_POINTS = 2**63 - 1
"""The most points that anything here counts."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What a rule's budget has paid in a period, at the moment of the sale.

    Attributes:
        rule: The rule's id.
        period: A month, such as `2026-11`, or `all`.
        points: What was awarded, less what returns gave back.
        closed: Whether an award did not fit into a budget that then stops its rule.
    """

    rule: str
    period: str
    points: int
    closed: bool = False

    def __post_init__(self) -> None:
        check_text("spent.rule", self.rule)
        check_text("spent.period", self.period)
        check_whole("spent.points", self.points, 0, MOST_POINTS)
        check_type("spent.closed", self.closed, bool)


@dataclass(frozen=True, slots=True)
class Remainder:
    """What rounding left the customer of a rule.

    Attributes:
        rule: The rule's id.
        value: The points, less than one. Below zero where returns took back more than they took points.
    """

    rule: str
    value: Exact

    def __post_init__(self) -> None:
        check_text("remainders.rule", self.rule)
        check_type("remainders.value", self.value, Fraction)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The customer of a sale, and what is left of budgets.

    Attributes:
        customer: Whose snapshot it is: the sale's customer.
        tier: The customer's tier, or "".
        tier_coefficient: The tier's coefficient in basis points.
        birthday_month: 1 to 12, or 0 where it is not known.
        first_purchase: Whether the customer has bought nothing before.
        sales_this_month: How many sales the customer had in this month before this one.
        remainders: What rounding left the customer, by rule.
        spent: What budgets have paid so far. A budget that is not named has paid nothing.
    """

    customer: str
    tier: str = ""
    tier_coefficient: int = EVEN
    birthday_month: int = 0
    first_purchase: bool = False
    sales_this_month: int = 0
    remainders: tuple[Remainder, ...] = ()
    spent: tuple[Spent, ...] = ()

    def __post_init__(self) -> None:
        check_text("customer", self.customer)
        check_text("tier", self.tier, empty=True)
        check_whole("tier_coefficient", self.tier_coefficient, 0, LARGEST_COEFFICIENT)
        check_whole("birthday_month", self.birthday_month, 0, 12)
        check_type("first_purchase", self.first_purchase, bool)
        check_whole("sales_this_month", self.sales_this_month, 0, 10**6)
        if len({remainder.rule for remainder in self.remainders}) != len(self.remainders):
            raise InvalidField("remainders", "must name each rule once")
        if len({(spent.rule, spent.period) for spent in self.spent}) != len(self.spent):
            raise InvalidField("spent", "must name each rule and period once")

    def remainder_of(self, rule: str) -> Fraction:
        """What rounding left the customer of this rule."""
        return next((remainder.value for remainder in self.remainders if remainder.rule == rule), Fraction())

    def spent_of(self, rule: str, period: str) -> Spent:
        """What a rule's budget has paid in a period."""
        for spent in self.spent:
            if spent.rule == rule and spent.period == period:
                return spent
        return Spent(rule, period, 0)
