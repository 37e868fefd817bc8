"""Gives bonuses, and takes them back. The wish to move the points is written in the same transaction.

Whoever calls holds the customer, so a bonus is given once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy.orm import Session

from loyalty.bonuses.models import Bonus, Cause
from loyalty.bonuses.repository import BonusRepository, Had, Tally
from loyalty.earning.reasons import Text
from loyalty.kit.database import clock_of
from loyalty.kit.errors import Contradiction
from loyalty.kit.ids import new_id
from loyalty.messages.service import MessageService, NewMatter
from loyalty.network.debts import REASON
from loyalty.network.issues import IssueGroup
from loyalty.network.members import as_member
from loyalty.network.wishes import IssueWish, ReverseWish, WishService

_MESSAGES = {Cause.TASK: "task_done", Cause.REFERRAL: "referral_rewarded"}
"""Which kind of message tells of a cause; the others are gifts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A bonus that shall be given.

    Attributes:
        cause: For what.
        key: What of it is given once to a customer.
        program: The network's program whose points they are.
        points: How many.
        reason: Why, in words.
        plan: The version of the plan that gives it, if one does.
        days: The business days on whose sales it depends, the first and the last, if it does.
        facts: What the network keeps beside the movement.
    """

    cause: Cause
    key: str
    program: str
    points: int
    reason: Text
    plan: str | None = None
    days: tuple[date, date] | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


class BonusService:
    """Bonuses in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._bonuses = BonusRepository(session)
        self._wishes = WishService(session)
        self._messages = MessageService(session)

    def grant(self, customer: str, wanted: Grant) -> Bonus:
        """Gives a customer a bonus that they do not have."""
        bonus = Bonus(**_row(customer, wanted), revoked_at=None, revoked_for=None, revoked_by=None)
        self._bonuses.add(bonus)
        issues = IssueGroup(self._session, [customer])
        issues.add(_wish(customer, wanted, bonus.id))
        issues.write()
        self._messages.notify_first([_message(customer, wanted, bonus.id)])
        return bonus

    def revoke(self, bonus: Bonus, *, because: str) -> None:
        """Takes a bonus back. `because` is the id of what undid it. A bonus that a person has written off was never given."""
        reference = f"revoke:{bonus.id}"
        bonus.revoked_at, bonus.revoked_for = clock_of(self._session).now(), because
        facts = {"bonus": bonus.id, "because": because, REASON: bonus.reason}
        try:
            self._wishes.wish(
                ReverseWish(reference=reference, original=bonus.reference, points=bonus.points, facts=facts)
            )
        except Contradiction as error:
            if error.code != "original_written_off":
                raise
        else:
            bonus.revoked_by = reference
        self._bonuses.flush()
        if not self._messages.drop(bonus.customer_id, f"bonus:{bonus.id}"):
            values = {"points": bonus.points, "reason": bonus.reason}
            self._messages.notify(bonus.customer_id, "bonus_taken_back", reference, values)

    # ---------------------------------------------------------------- looking

    def keys(self, customers: Collection[str], causes: Collection[Cause], keys: Collection[str]) -> Sequence[Had]:
        """Which of these keys the customers have, of some causes."""
        return self._bonuses.keys(customers, causes, keys)

    def keys_beginning(
        self, customers: Collection[str], causes: Collection[Cause], prefixes: Iterable[str]
    ) -> Sequence[Had]:
        """Which keys that begin so the customers have, of some causes."""
        return self._bonuses.keys_beginning(customers, causes, prefixes)

    def given(self, customer: str, cause: Cause, prefix: str) -> Sequence[Bonus]:
        """What a customer has of a cause, of keys that begin so."""
        return self._bonuses.given(customer, cause, prefix)

    def depending_on(self, customer: str, cause: Cause, day: date) -> Sequence[Bonus]:
        """What a customer has of a cause that depends on the sales of a business day."""
        return self._bonuses.depending_on(customer, cause, day)

    def count(self, customer: str, cause: Cause, suffix: str, since: datetime) -> int:
        """How many of a cause a customer has had since a moment, of keys that end so."""
        return self._bonuses.count(customer, cause, suffix, since)

    def tally(self, cause: Cause, prefix: str, suffix: str = "") -> Tally:
        """What all customers together have of a cause, of keys that begin and end so."""
        return self._bonuses.tally(cause, prefix, suffix)

    def newest_of(self, customers: Iterable[str]) -> Mapping[str, str]:
        """The id of the newest bonus of each of these customers who has one."""
        return self._bonuses.newest_of(customers)

    def page(self, customer: str, cursor: str | None, limit: int) -> tuple[Sequence[Bonus], str | None]:
        """A customer's bonuses, newest first, with those that were taken back."""
        return self._bonuses.page(customer, cursor, limit)


class BonusGroup:
    """The bonuses that a group of sales earns: gathered, and written at once."""

    def __init__(self, session: Session, issues: IssueGroup) -> None:
        self._session = session
        self._issues = issues
        self._rows: list[dict[str, Any]] = []
        self._messages: list[NewMatter] = []

    def grant(self, customer: str, wanted: Grant) -> None:
        """Gives a customer a bonus that they do not have."""
        row = _row(customer, wanted)
        self._rows.append(row)
        self._issues.add(_wish(customer, wanted, row["id"]))
        self._messages.append(_message(customer, wanted, row["id"]))

    def write(self) -> None:
        """Writes what was given."""
        now = clock_of(self._session).now()
        rows = [row | {"created_at": now, "cause": row["cause"].value} for row in self._rows]
        BonusRepository(self._session).insert(rows)
        self._issues.write()
        MessageService(self._session).notify_first(self._messages)


def _row(customer: str, wanted: Grant) -> dict[str, Any]:
    """A new bonus as a row."""
    key = new_id("bon")
    first, last = wanted.days or (None, None)
    return {
        "id": key,
        "customer_id": customer,
        "cause": wanted.cause,
        "key": wanted.key,
        "plan": wanted.plan,
        "program": wanted.program,
        "points": wanted.points,
        "reason": _in_words(wanted),
        "first_day": first,
        "last_day": last,
        "reference": f"{wanted.cause}:{key}",
    }


def _in_words(wanted: Grant) -> dict[str, str]:
    return {"en": wanted.reason.en, "zh": wanted.reason.zh}


def _message(customer: str, wanted: Grant, bonus: str) -> NewMatter:
    values = {"points": wanted.points, "reason": _in_words(wanted)}
    return NewMatter(customer, _MESSAGES.get(wanted.cause, "gift_given"), f"bonus:{bonus}", values)


def _wish(customer: str, wanted: Grant, bonus: str) -> IssueWish:
    return IssueWish(
        reference=f"{wanted.cause}:{bonus}",
        program=wanted.program,
        member=as_member(customer),
        points=wanted.points,
        facts={"bonus": bonus, "reason": wanted.reason.en, **wanted.facts},
    )
