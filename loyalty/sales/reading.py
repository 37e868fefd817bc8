"""Reads customers' sales as they are now, without what came back."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import date

from sqlalchemy.orm import Session

from loyalty.sales.kept import return_of, sale_of
from loyalty.sales.net import what_is_left
from loyalty.sales.repository import SaleRepository
from loyalty.sales.types import Return, Sale

_PIECE = 200
"""Customers whose sales are read together."""
Days = tuple[str, date, date]
"""Business days of a customer, the first and the last."""


class SalesReader:
    """Customers' sales in one session."""

    def __init__(self, session: Session) -> None:
        self._sales = SaleRepository(session)

    def has_bought(self, customer: str) -> bool:
        """Whether a customer has ever bought anything."""
        return self._sales.has_bought(customer)

    def left(self, customer: str, first: date, last: date) -> Sequence[Sale]:
        """What is left of a customer's sales of these business days, both included."""
        return [sale for _, sale in self.left_of([customer], first, last)]

    def left_of_each(self, first: date, last: date) -> Iterator[tuple[str, Sequence[Sale]]]:
        """What is left of each customer's sales of these business days: customer by customer, some of them in memory at a time."""
        after = ""
        while some := self._sales.buyers_after(first, last, after, _PIECE):
            found: dict[str, list[Sale]] = {customer: [] for customer in some}
            for customer, sale in self.left_of(some, first, last):
                found[customer].append(sale)
            yield from found.items()
            after = some[-1]

    def count(self, first: date, last: date) -> int:
        """How many sales of these business days have a customer."""
        return self._sales.count_between(first, last)

    def left_of(self, customers: Collection[str], first: date, last: date) -> Sequence[tuple[str, Sale]]:
        """The same of several customers: whose it is, and the sale."""
        returns: dict[str, list[Return]] = {}
        for sale_id, content in self._sales.returns_of_customers(customers, first, last):
            returns.setdefault(sale_id, []).append(return_of(content))
        found = []
        for customer, sale_id, content in self._sales.of_customers(customers, first, last):
            left = what_is_left(sale_of(content), returns.get(sale_id, ()))
            if left is not None:
                found.append((customer, left))
        return found


class History:
    """What is left of customers' sales, read at once for a group of sales. Each sale that is booked is added."""

    def __init__(self, session: Session, wanted: Iterable[Days]) -> None:
        self._sales: dict[str, list[Sale]] = {}
        for (first, last), customers in _by_days(wanted).items():
            for customer, sale in SalesReader(session).left_of(customers, first, last):
                self._sales.setdefault(customer, []).append(sale)

    def add(self, customer: str, sale: Sale) -> None:
        """Adds a sale that was booked just now."""
        self._sales.setdefault(customer, []).append(sale)

    def left(self, customer: str, first: date, last: date) -> Sequence[Sale]:
        """What is left of a customer's sales of these business days, which were wanted."""
        return [sale for sale in self._sales.get(customer, ()) if first <= sale.business_day <= last]


def _by_days(wanted: Iterable[Days]) -> dict[tuple[date, date], list[str]]:
    """Whose sales have to be read of which days: of each customer, from the first day that is wanted to the last one."""
    days: dict[str, tuple[date, date]] = {}
    for customer, first, last in wanted:
        known = days.get(customer, (first, last))
        days[customer] = min(first, known[0]), max(last, known[1])
    found: dict[tuple[date, date], list[str]] = {}
    for customer, both in days.items():
        found.setdefault(both, []).append(customer)
    return found
