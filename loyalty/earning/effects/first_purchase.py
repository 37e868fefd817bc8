"""A coefficient of the customer's first purchase."""

from __future__ import annotations

from typing import Literal

from loyalty.earning.effects.base import Granted
from loyalty.earning.names import Facts


class FirstPurchase(Granted):
    """The coefficient of the first sale that the customer ever has."""

    kind: Literal["first_purchase"] = "first_purchase"

    def grants(self, facts: Facts) -> bool:
        """Whether the sale is the first one."""
        return facts.customer.first_purchase
