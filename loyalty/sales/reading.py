"""Reads a customer's sales as they are now, without what came back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from sqlalchemy.orm import Session

from loyalty.sales.kept import return_of, sale_of
from loyalty.sales.net import what_is_left
from loyalty.sales.repository import SaleRepository
from loyalty.sales.types import Return, Sale


class SalesReader:
    """Customers' sales in one session."""

    def __init__(self, session: Session) -> None:
        self._sales = SaleRepository(session)

    def has_bought(self, customer: str) -> bool:
        """Whether a customer has ever bought anything."""
        return self._sales.has_bought(customer)

    def left(self, customer: str, first: date, last: date) -> Sequence[Sale]:
        """What is left of a customer's sales of these business days, both included."""
        rows = self._sales.of_customer(customer, first, last)
        returns: dict[str, list[Return]] = {}
        for returned in self._sales.returns_for([row.id for row in rows]):
            assert returned.sale_id is not None, "a booked return has its sale"
            returns.setdefault(returned.sale_id, []).append(return_of(returned.content))
        found = [what_is_left(sale_of(row.content), returns.get(row.id, ())) for row in rows]
        return [sale for sale in found if sale is not None]
