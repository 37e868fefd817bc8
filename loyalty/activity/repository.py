"""SQL of customers' days."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from loyalty.activity.measures import Measures
from loyalty.activity.models import CustomerDay
from loyalty.kit.database import in_pieces
from loyalty.kit.named import are_one_of, is_one_of

_NAMED = 500
"""Values that one query names."""


class ActivityRepository:
    """Customers' days in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def flush(self) -> None:
        """Writes what has changed."""
        self._session.flush()

    def day(self, customer: str, day: date) -> CustomerDay:
        """A customer's day as it is now; an empty one, added, if there is none."""
        row = self._session.get(CustomerDay, (customer, day), populate_existing=True)
        return row or self._added(customer, day)

    def days(self, wanted: Collection[tuple[str, date]]) -> dict[tuple[str, date], CustomerDay]:
        """Customers' days as they are now; empty ones, added, where there are none."""
        found: dict[tuple[str, date], CustomerDay] = {}
        for some in in_pieces(wanted, _NAMED):
            day = CustomerDay.customer_id, CustomerDay.business_day
            query = select(CustomerDay).where(are_one_of(self._session, day, some))
            for row in self._session.scalars(query.execution_options(populate_existing=True)):
                found[row.customer_id, row.business_day] = row
        return {key: found.get(key) or self._added(*key) for key in wanted}

    def _added(self, customer: str, day: date) -> CustomerDay:
        row = CustomerDay(customer_id=customer, business_day=day, visits=0, spend_micros=0, litres_milli=0, points=0)
        self._session.add(row)
        return row

    def between(self, customers: Sequence[str], first: date, last: date) -> Mapping[str, Measures]:
        """What each of these customers bought from one day to another, both included. Who bought nothing is left out."""
        row = CustomerDay
        sums = [func.sum(column) for column in (row.visits, row.spend_micros, row.litres_milli, row.points)]
        query = (
            select(row.customer_id, *sums)
            .where(
                is_one_of(self._session, row.customer_id, customers),
                row.business_day >= first,
                row.business_day <= last,
            )
            .group_by(row.customer_id)
        )
        return {customer: Measures(*map(int, found)) for customer, *found in self._session.execute(query)}
