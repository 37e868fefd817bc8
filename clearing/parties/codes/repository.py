"""SQL of member codes, and of the wrong ones that merchants have presented."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import case, or_, select, update
from sqlalchemy.orm import Session

from clearing.kit.bulk_delete import delete_some
from clearing.kit.upsert import insert_for
from clearing.parties.codes.models import MemberCode, PresenterTries


class Presentation(NamedTuple):
    """A code at a till: who presents it, and for which points of whose program."""

    code_hash: bytes
    presenter: int
    program: int
    issuer: int
    points: int


class MemberCodeRepository:
    """Member codes in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, code: MemberCode) -> None:
        """Stores a code."""
        self._session.add(code)
        self._session.flush()

    def by_id(self, id: str) -> MemberCode | None:  # noqa: A002
        """The code with this id."""
        return self._session.get(MemberCode, id)

    def by_hash(self, code_hash: bytes) -> MemberCode | None:
        """The code with this hash, as it is now."""
        query = select(MemberCode).where(MemberCode.code_hash == code_hash)
        return self._session.scalar(query.execution_options(populate_existing=True))

    def lock_of(self, member_ids: Collection[str]) -> None:
        """Locks the codes of these members until the transaction ends: before their accounts, as a till that presents one does."""
        query = select(MemberCode.id).where(MemberCode.member_id.in_(member_ids)).order_by(MemberCode.id)
        self._session.execute(query.with_for_update())

    def use(self, shown: Presentation, used_for: str, at: datetime) -> MemberCode | None:
        """Uses a code up. None if it is unknown, not live, or not good for this.

        Two tills at once: the second waits for the first's transaction, and then finds the code used; or, if the first was refused
        for another reason, live.
        """
        statement = (
            update(MemberCode)
            .where(
                MemberCode.code_hash == shown.code_hash,
                MemberCode.used_at.is_(None),
                MemberCode.voided_at.is_(None),
                MemberCode.expires_at > at,
                MemberCode.merchant_number == shown.issuer,
                MemberCode.points >= shown.points,
                or_(MemberCode.program.is_(None), MemberCode.program == shown.program),
                or_(MemberCode.presenter.is_(None), MemberCode.presenter == shown.presenter),
            )
            .values(used_at=at, used_by=shown.presenter, used_points=shown.points, used_for=used_for)
            .returning(MemberCode)
            .execution_options(synchronize_session=False, populate_existing=True)
        )
        return self._session.scalar(statement)

    def void(self, id: str, at: datetime) -> bool:  # noqa: A002
        """Ends a live code. False if it had ended before."""
        statement = (
            update(MemberCode)
            .where(
                MemberCode.id == id,
                MemberCode.used_at.is_(None),
                MemberCode.voided_at.is_(None),
                MemberCode.expires_at > at,
            )
            .values(voided_at=at)
            .returning(MemberCode)
            .execution_options(synchronize_session=False, populate_existing=True)
        )
        return self._session.scalar(statement) is not None

    def count_refused_try(self, id: str) -> int:  # noqa: A002
        """Counts a presentation for what the code does not allow; how many there were."""
        statement = (
            update(MemberCode)
            .where(MemberCode.id == id)
            .values(refused_tries=MemberCode.refused_tries + 1)
            .returning(MemberCode.refused_tries)
            .execution_options(synchronize_session=False)
        )
        return self._session.scalars(statement).one()

    def remove_expired(self, before: datetime, limit: int) -> int:
        """Deletes at most `limit` codes, used or not, that expired before this moment; returns how many."""
        return delete_some(self._session, MemberCode, MemberCode.expires_at < before, limit)


class PresenterTriesRepository:
    """The wrong codes that merchants have presented, in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def of(self, merchant_number: int, since: datetime) -> PresenterTries | None:
        """A merchant's wrong codes, if the first of them came after this moment."""
        query = select(PresenterTries).where(
            PresenterTries.merchant_number == merchant_number, PresenterTries.since > since
        )
        return self._session.scalar(query.execution_options(populate_existing=True))

    def count(self, merchant_number: int, *, at: datetime, since: datetime) -> PresenterTries:
        """Counts one more wrong code of a merchant. If the count began before `since`, it begins again."""
        is_over = PresenterTries.since <= since
        statement = (
            insert_for(self._session)(PresenterTries)
            .values(merchant_number=merchant_number, since=at, wrong=1)
            .on_conflict_do_update(
                index_elements=[PresenterTries.merchant_number],
                set_={
                    "wrong": case((is_over, 1), else_=PresenterTries.wrong + 1),
                    "since": case((is_over, at), else_=PresenterTries.since),
                },
            )
            .returning(PresenterTries)
            .execution_options(populate_existing=True)
        )
        counted: PresenterTries = self._session.scalars(statement).one()
        return counted

    def remove_expired(self, before: datetime, limit: int) -> int:
        """Deletes at most `limit` counts that began before this moment; returns how many."""
        return delete_some(self._session, PresenterTries, PresenterTries.since < before, limit)
