"""What customers had bought before each sale of a group: read at once, and counted on."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from sqlalchemy.orm import Session

from loyalty.sales.repository import SaleRepository


@dataclass(frozen=True, slots=True)
class Before:
    """What a customer had bought before a sale."""

    is_first: bool
    sales_this_month: int


class Purchases:
    """What a group's customers have bought. The first sale that arrives is the first one, and no later one is."""

    def __init__(self, session: Session, customers: Collection[str], days: Collection[date]) -> None:
        sales = SaleRepository(session)
        self._buyers = sales.buyers(customers)
        self._counts: dict[tuple[str, int, int], int] = {}
        first, last = month_of(min(days))[0], month_of(max(days))[1]
        for customer, day, count in sales.counts(customers, first, last):
            self._add(customer, day, count)

    def before(self, customer: str, day: date) -> Before:
        """What counts of what the customer bought before a sale of this business day."""
        return Before(customer not in self._buyers, self._counts.get((customer, day.year, day.month), 0))

    def add(self, customer: str, day: date) -> None:
        """Counts a sale that is booked."""
        self._buyers.add(customer)
        self._add(customer, day, 1)

    def _add(self, customer: str, day: date, count: int) -> None:
        key = customer, day.year, day.month
        self._counts[key] = self._counts.get(key, 0) + count


def month_of(day: date) -> tuple[date, date]:
    """The first and the last day of a day's month."""
    return day.replace(day=1), day.replace(day=monthrange(day.year, day.month)[1])
