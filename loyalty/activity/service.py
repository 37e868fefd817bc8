"""Counts what customers buy, day by day. Whoever counts holds the customer."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date

from sqlalchemy.orm import Session

from loyalty.activity.measures import Measures
from loyalty.activity.models import CustomerDay
from loyalty.activity.repository import ActivityRepository


class ActivityService:
    """Customers' days in one transaction."""

    def __init__(self, session: Session) -> None:
        self._days = ActivityRepository(session)

    def count(self, customer: str, day: date, change: Measures) -> None:
        """Adds what a sale brings, or what a return takes away (numbers below zero)."""
        _add(self._days.day(customer, day), change)
        self._days.flush()

    def between(self, customers: Sequence[str], first: date, last: date) -> Mapping[str, Measures]:
        """What each of these customers bought from one day to another, both included. Who bought nothing is left out."""
        return self._days.between(customers, first, last)


class DayGroup:
    """The days of a group's customers: read at once, and changed in memory until the session writes."""

    def __init__(self, session: Session, wanted: Collection[tuple[str, date]]) -> None:
        self._days = ActivityRepository(session).days({*wanted})

    def count(self, customer: str, day: date, change: Measures) -> None:
        """Adds what a sale brings."""
        _add(self._days[customer, day], change)


def _add(row: CustomerDay, change: Measures) -> None:
    row.visits += change.visits
    row.spend_micros += change.spend_micros
    row.litres_milli += change.litres_milli
    row.points += change.points
