"""How a debt is shown, and how points that pay one are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from pydantic import BaseModel, Field

from loyalty.api.fields import View
from loyalty.network.debts import PaidFor, customer_of
from loyalty.network.models import Debt


class DebtView(View):
    """Points that should have been taken back from a customer, and were spent."""

    id: str
    customer: str
    program: str
    points: int = Field(description="that were missing")
    owed: int = Field(description="what is left of them; what the customer is given next pays it")
    written_off: int = Field(description="what was given up of them")
    reason: dict[str, str] = Field(description="what was taken back, in English and Chinese")
    wish: str = Field(description="the wish that should have taken them back")
    created_at: datetime

    @classmethod
    def shown(cls, debt: Debt) -> DebtView:
        """The view of a debt."""
        return cls.of(debt, customer=customer_of(debt), wish=debt.wish_id)


class PaidView(BaseModel):
    """Points of an award or a bonus that do not move, because they pay what the customer owed."""

    debt: str
    points: int
    reason: dict[str, str] = Field(description="what was taken back, in English and Chinese")

    @classmethod
    def by(cls, reference: str | None, paid: Mapping[str, Sequence[PaidFor]]) -> list[PaidView]:
        """What the points of the wish with a reference pay."""
        found = paid.get(reference or "", ())
        return [cls(debt=one.debt, points=one.points, reason={**one.reason}) for one in found]
