"""A coefficient by the customer's tier."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from loyalty.earning.bounds import EVEN
from loyalty.earning.effects.base import Code, Coefficient, Multiplying
from loyalty.earning.names import Facts


class Tier(Multiplying):
    """The tier's coefficient: from the table, if the rule has one, else the one that the tier itself has."""

    kind: Literal["tier"] = "tier"
    coefficients: Annotated[dict[Code, Coefficient], Field(min_length=1)] | None = None

    def factor(self, facts: Facts) -> int | None:
        """The coefficient of the customer's tier."""
        customer = facts.customer
        if not customer.tier:
            return None
        if self.coefficients is not None:
            return self.coefficients.get(customer.tier)
        return customer.tier_coefficient if customer.tier_coefficient != EVEN else None

    def label(self, facts: Facts) -> str:
        """The tier."""
        return facts.customer.tier
