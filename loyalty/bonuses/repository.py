"""SQL of bonuses."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import Session

from loyalty.bonuses.models import Bonus, Cause
from loyalty.kit.bulk_insert import insert_all
from loyalty.kit.database import in_pieces
from loyalty.kit.named import is_one_of
from loyalty.kit.paging import page_of

Had = tuple[str, Cause, str]
"""A bonus that a customer has: customer, cause and key."""
_NAMED = 500
"""Values that one query names."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What was given and not taken back, to how many customers."""

    bonuses: int
    points: int
    customers: int


class BonusRepository:
    """Bonuses in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, bonus: Bonus) -> None:
        """Adds a bonus."""
        self._session.add(bonus)
        self._session.flush()

    def flush(self) -> None:
        """Writes what has changed."""
        self._session.flush()

    def insert(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Adds many bonuses, as rows."""
        insert_all(self._session, Bonus, rows)

    def keys(self, customers: Collection[str], causes: Collection[Cause], keys: Collection[str]) -> Sequence[Had]:
        """Which of these keys the customers have, of some causes."""
        return self._keys(customers, causes, [is_one_of(self._session, Bonus.key, keys)] if keys else ())

    def keys_beginning(
        self, customers: Collection[str], causes: Collection[Cause], prefixes: Iterable[str]
    ) -> Sequence[Had]:
        """Which keys that begin so the customers have, of some causes."""
        return self._keys(customers, causes, [Bonus.key.startswith(one, autoescape=True) for one in prefixes])

    def _keys(
        self, customers: Collection[str], causes: Collection[Cause], named: Sequence[ColumnElement[bool]]
    ) -> Sequence[Had]:
        if not named or not customers:
            return ()
        query = select(Bonus.customer_id, Bonus.cause, Bonus.key).where(
            is_one_of(self._session, Bonus.customer_id, customers),
            Bonus.cause.in_(causes),
            Bonus.revoked_at.is_(None),
            or_(*named),
        )
        return [(customer, cause, key) for customer, cause, key in self._session.execute(query)]

    def given(self, customer: str, cause: Cause, prefix: str) -> Sequence[Bonus]:
        """What a customer has of a cause, of keys that begin so."""
        query = _had(customer, cause).where(Bonus.key.startswith(prefix, autoescape=True))
        return self._session.scalars(query).all()

    def depending_on(self, customer: str, cause: Cause, day: date) -> Sequence[Bonus]:
        """What a customer has of a cause that depends on the sales of a business day."""
        query = _had(customer, cause).where(Bonus.first_day <= day, Bonus.last_day >= day)
        return self._session.scalars(query.order_by(Bonus.id)).all()

    def count(self, customer: str, cause: Cause, suffix: str, since: datetime) -> int:
        """How many of a cause a customer has had since a moment, of keys that end so."""
        query = _had(customer, cause).where(Bonus.key.endswith(suffix, autoescape=True), Bonus.created_at >= since)
        return self._session.scalar(select(func.count()).select_from(query.subquery())) or 0

    def tally(self, cause: Cause, prefix: str, suffix: str = "") -> Tally:
        """What all customers together have of a cause, of keys that begin and end so."""
        mine = Bonus.cause == cause, Bonus.revoked_at.is_(None)
        named = Bonus.key.startswith(prefix, autoescape=True), Bonus.key.endswith(suffix, autoescape=True)
        sums = func.count(), func.coalesce(func.sum(Bonus.points), 0), func.count(func.distinct(Bonus.customer_id))
        bonuses, points, customers = self._session.execute(select(*sums).where(*mine, *named)).one()
        return Tally(bonuses, int(points), customers)

    def newest_of(self, customers: Iterable[str]) -> Mapping[str, str]:
        """The id of the newest bonus of each of these customers who has one."""
        found: dict[str, str] = {}
        for some in in_pieces(customers, _NAMED):
            query = select(Bonus.customer_id, func.max(Bonus.id)).where(Bonus.customer_id.in_(some))
            found |= {row[0]: row[1] for row in self._session.execute(query.group_by(Bonus.customer_id))}
        return found

    def page(self, customer: str, cursor: str | None, limit: int) -> tuple[Sequence[Bonus], str | None]:
        """A customer's bonuses, newest first, with those that were taken back."""
        return page_of(self._session, select(Bonus).where(Bonus.customer_id == customer), Bonus.id, cursor, limit)


def _had(customer: str, cause: Cause) -> Select[Bonus]:
    return select(Bonus).where(Bonus.customer_id == customer, Bonus.cause == cause, Bonus.revoked_at.is_(None))
