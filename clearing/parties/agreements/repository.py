"""SQL of agreements."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from clearing.kit.locks import lock_until_commit
from clearing.kit.upsert import insert_for
from clearing.parties.agreements.models import Agreement, AgreementState, AgreementUse, Route

REGISTERED = (AgreementState.ACTIVE, AgreementState.SUPERSEDED, AgreementState.TERMINATED)
"""On chain. Whether it can still be used, its window says (`valid_from`, `ends_at`)."""


class AgreementRepository:
    """Agreements in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, agreement: Agreement) -> None:
        """Stores an agreement."""
        self._session.add(agreement)
        self._session.flush()

    def by_id(self, id: str) -> Agreement | None:  # noqa: A002
        """The agreement with this id."""
        return self._session.get(Agreement, id)

    def by_number(self, number: int) -> Agreement | None:
        """The agreement with this number on chain."""
        return self._session.scalar(select(Agreement).where(Agreement.number == number))

    def get_one(self, number: int) -> Agreement:
        """The agreement with this number on chain. Raises NoResultFound where there is none."""
        return self._session.scalars(select(Agreement).where(Agreement.number == number)).one()

    def accepted_after(self, number: int) -> Sequence[Agreement]:
        """Agreements with a higher number that both sides signed and that are not on chain yet, by number."""
        query = select(Agreement).where(Agreement.number > number, Agreement.state == AgreementState.ACCEPTED)
        return self._session.scalars(query.order_by(Agreement.number)).all()

    def by_digest(self, digest: bytes) -> Agreement | None:
        """The agreement with exactly these terms."""
        return self._session.scalar(select(Agreement).where(Agreement.digest == digest))

    def lock(self, id: str) -> Agreement | None:  # noqa: A002
        """The agreement with this id, locked until the transaction ends."""
        return self._session.get(Agreement, id, with_for_update=True, populate_existing=True)

    def usable(
        self, kind: int, source_program: int, target_program: int | None, target_merchant: int | None, at: int
    ) -> Agreement | None:
        """The newest agreement on chain for this route that can be used at Unix time `at`."""
        query = select(Agreement).where(
            Agreement.kind == kind,
            Agreement.source_program == source_program,
            Agreement.state.in_(REGISTERED),
            Agreement.valid_from <= at,
            Agreement.ends_at > at,
        )
        if target_program is not None:
            query = query.where(Agreement.target_program == target_program)
        if target_merchant is not None:
            query = query.where(Agreement.target_merchant == target_merchant)
        return self._session.scalars(query.order_by(Agreement.number.desc()).limit(1)).first()

    def exchanges_after(self, at: int) -> Sequence[Agreement]:
        """Exchange agreements that both sides signed and that have not ended at Unix time `at`."""
        query = select(Agreement).where(
            Agreement.kind == 1,
            Agreement.state.in_((AgreementState.ACCEPTED, *REGISTERED)),
            Agreement.ends_at > at,
        )
        return self._session.scalars(query.order_by(Agreement.number)).all()

    def programs_seen_by(self, merchant_number: int) -> set[int]:
        """Programs on either side of a merchant's agreements on chain."""
        query = select(Agreement.source_program, Agreement.target_program).where(
            Agreement.state.in_(REGISTERED), _party(merchant_number)
        )
        return {program for row in self._session.execute(query) for program in row if program}

    def routes(self, numbers: Collection[int] | None = None) -> dict[int, Route]:
        """The sides of agreements on chain, by number: of these, or of all."""
        if numbers is not None and not numbers:
            return {}
        query = select(
            Agreement.number, Agreement.source_merchant, Agreement.target_merchant, Agreement.target_program
        ).where(Agreement.number.is_not(None) if numbers is None else Agreement.number.in_(numbers))
        return {number or 0: Route(*sides) for number, *sides in self._session.execute(query)}

    def numbers_of(self, merchant_number: int) -> list[int]:
        """Numbers of the agreements to which a merchant is a party."""
        query = select(Agreement.number).where(Agreement.number.is_not(None), _party(merchant_number))
        return [number for number in self._session.scalars(query) if number is not None]

    def list(self, *, merchant_number: int | None, after: str | None, limit: int) -> Sequence[Agreement]:
        """Agreements newest first: one merchant's, or all."""
        query = select(Agreement).order_by(Agreement.id.desc()).limit(limit)
        if merchant_number is not None:
            query = query.where(_party(merchant_number))
        if after is not None:
            query = query.where(Agreement.id < after)
        return self._session.scalars(query).all()

    def hold_numbers(self) -> None:
        """Lets nobody else number an agreement, or open a cycle with one, before this transaction ends."""
        lock_until_commit(self._session, "agreement numbers")

    def next_number(self) -> int:
        """The number the chain will expect next. Call `hold_numbers` first."""
        return (self._session.scalar(select(func.max(Agreement.number))) or 0) + 1


class UseRepository:
    """What agreements have used of their daily caps, in one session."""

    PENDING = 0
    """In place of a day: what pending orders may burn."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def of(self, agreement: int, day: int) -> int:
        """Source points burnt under an agreement on a day, and those that pending orders may burn."""
        query = select(AgreementUse.points).where(
            AgreementUse.agreement == agreement, AgreementUse.day.in_((day, self.PENDING))
        )
        return sum(self._session.scalars(query))

    def burnt(self, agreement: int, day: int) -> int:
        """Source points burnt under an agreement on a day."""
        query = select(AgreementUse.points).where(AgreementUse.agreement == agreement, AgreementUse.day == day)
        return self._session.scalar(query) or 0

    def add(self, agreement: int, day: int, points: int) -> None:
        """Adds to a sum. Whoever adds to several does so in their order: no deadlocks."""
        empty = {"agreement": agreement, "day": day, "points": 0}
        self._session.execute(insert_for(self._session)(AgreementUse).values(empty).on_conflict_do_nothing())
        use = self._session.get_one(AgreementUse, (agreement, day), with_for_update=True, populate_existing=True)
        use.points += points
        self._session.flush()


def _party(merchant_number: int) -> ColumnElement[bool]:
    return or_(Agreement.source_merchant == merchant_number, Agreement.target_merchant == merchant_number)
