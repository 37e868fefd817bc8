"""Reads a customer's sales as they are now, without what came back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

from sqlalchemy.orm import Session

from loyalty.sales.kept import return_of, sale_of
from loyalty.sales.models import RecordedSale
from loyalty.sales.net import what_is_left
from loyalty.sales.repository import SaleRepository
from loyalty.sales.types import Return, Sale

_PIECE = 200
"""Customers whose sales are read together."""


class SalesReader:
    """Customers' sales in one session."""

    def __init__(self, session: Session) -> None:
        self._sales = SaleRepository(session)

    def has_bought(self, customer: str) -> bool:
        """Whether a customer has ever bought anything."""
        return self._sales.has_bought(customer)

    def left(self, customer: str, first: date, last: date) -> Sequence[Sale]:
        """What is left of a customer's sales of these business days, both included."""
        return [sale for _, sale in self._left(self._sales.of_customer(customer, first, last))]

    def left_of_each(self, first: date, last: date) -> Iterator[tuple[str, Sequence[Sale]]]:
        """What is left of each customer's sales of these business days: customer by customer, some of them in memory at a time."""
        after = ""
        while some := self._sales.buyers(first, last, after, _PIECE):
            found: dict[str, list[Sale]] = {customer: [] for customer in some}
            for row, sale in self._left(self._sales.of_customers(some, first, last)):
                found[str(row.customer_id)].append(sale)
            yield from found.items()
            after = some[-1]

    def count(self, first: date, last: date) -> int:
        """How many sales of these business days have a customer."""
        return self._sales.count_between(first, last)

    def _left(self, rows: Sequence[RecordedSale]) -> Iterator[tuple[RecordedSale, Sale]]:
        """What is left of these sales. Those of which nothing is left are left out."""
        returns: dict[str, list[Return]] = {}
        for returned in self._sales.returns_for([row.id for row in rows]):
            assert returned.sale_id is not None, "a booked return has its sale"
            returns.setdefault(returned.sale_id, []).append(return_of(returned.content))
        for row in rows:
            sale = what_is_left(sale_of(row.content), returns.get(row.id, ()))
            if sale is not None:
                yield row, sale
