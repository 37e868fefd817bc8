"""SQL of erasure: everything that names a member, in every table."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Column, ColumnElement, Table, Text, and_, cast, delete, or_, select, tuple_, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from clearing.kit.database import Base
from clearing.kit.events.models import Event
from clearing.kit.idempotency.models import IdempotencyRecord
from clearing.ledger.accounts.models import Account
from clearing.ledger.availability.models import Hold, HoldPurpose
from clearing.ledger.availability.repository import PENDING
from clearing.ordering.erasure.redaction import ERASED, Names
from clearing.ordering.merges.models import Merge, MergeState
from clearing.ordering.orders.models import Instruction, MovementMetadata
from clearing.parties.codes.models import MemberCode
from clearing.parties.members.models import NAMES_MEMBER, Member, MemberFreeze, MemberLink, RetiredLink


class ErasureRepository:
    """Erasures in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def ids(self, member_id: str) -> Sequence[str]:
        """The ids of the member and of those that were merged into it."""
        return self._session.scalars(
            select(Member.id).where(or_(Member.id == member_id, Member.merged_into == member_id))
        ).all()

    def addresses(self, member_id: str) -> Sequence[str]:
        """The addresses of the member and of those that were merged into it."""
        query = select(Member.address).where(or_(Member.id == member_id, Member.merged_into == member_id))
        return self._session.scalars(query.order_by(Member.address)).all()

    def lock_all(self, member_id: str) -> Sequence[Member]:
        """The member and those that were merged into it, locked. Whoever writes about them has written, or waits."""
        query = select(Member).where(or_(Member.id == member_id, Member.merged_into == member_id)).order_by(Member.id)
        return self._session.scalars(query.with_for_update().execution_options(populate_existing=True)).all()

    # ---------------------------------------------------------------- what forbids an erasure

    def has_open_holds(self, ids: Collection[str], at: datetime, merchant_number: int | None = None) -> bool:
        """Whether a merchant, or this one, holds points of the member."""
        query = select(Hold.id).where(
            PENDING,
            Hold.member_id.in_(ids),
            Hold.purpose == HoldPurpose.MERCHANT,
            Hold.expires_at > at,
        )
        if merchant_number is not None:
            query = query.where(Hold.merchant_number == merchant_number)
        return self._session.scalar(query.limit(1)) is not None

    def points(self, addresses: Collection[str]) -> dict[int, int]:
        """What the member has, by program."""
        query = select(Account.program, Account.posted).where(Account.address.in_(addresses))
        sums: dict[int, int] = {}
        for program, posted in self._session.execute(query):
            sums[program] = sums.get(program, 0) + posted
        return {program: points for program, points in sorted(sums.items()) if points}

    # ---------------------------------------------------------------- forgetting

    def external_ids(self, ids: Collection[str], merchant_number: int | None = None) -> Mapping[int, set[str]]:
        """The member's external ids, also those that were retired, by merchant."""
        found: dict[int, set[str]] = {}
        for model in (MemberLink, RetiredLink):
            query = select(model.merchant_number, model.external_id).where(model.member_id.in_(ids))
            if merchant_number is not None:
                query = query.where(model.merchant_number == merchant_number)
            for number, external_id in self._session.execute(query):
                found.setdefault(number, set()).add(external_id)
        return found

    def forget_metadata(self, ids: Collection[str], merchant_number: int | None = None) -> None:
        """Deletes what merchants, or this one, keep beside the member's movements."""
        theirs = select(Instruction.order_seq, Instruction.item).where(
            or_(Instruction.member_id.in_(ids), Instruction.recipient_id.in_(ids))
        )
        if merchant_number is not None:
            theirs = theirs.where(Instruction.merchant_number == merchant_number)
        key = tuple_(MovementMetadata.order_seq, MovementMetadata.item)
        self._session.execute(delete(MovementMetadata).where(key.in_(theirs)))

    def forget_links(self, member_id: str, merchant_number: int) -> None:
        """Deletes what one merchant has of a member: its links, freezes and codes."""
        for model in (MemberLink, RetiredLink, MemberFreeze, MemberCode):
            self._session.execute(
                delete(model).where(model.member_id == member_id, model.merchant_number == merchant_number),
                execution_options={"synchronize_session": False},
            )
        self._session.expire_all()

    def forget(self, members: Sequence[Member]) -> None:
        """Deletes the members with their secrets, and every row or field that leads to them."""
        ids = [member.id for member in members]
        self.forget_metadata(ids)  # first: it is found by the ids
        theirs = or_(Merge.member_id.in_(ids), Merge.into_id.in_(ids))
        unfinished = Merge.state.in_([MergeState.PROPOSED, MergeState.MOVING])
        self._session.execute(update(Merge).where(theirs, unfinished).values(state=MergeState.CANCELLED))
        # A merge's transfers carry its id, so the merge would lead from the members' ids to their addresses.
        self._session.execute(update(Merge).where(theirs).values(member_id=ERASED, into_id=ERASED))
        for table, column in _references():
            rows = column.in_(ids)
            if column.nullable:
                self._session.execute(update(table).where(rows).values({column: None}))
            else:
                self._session.execute(delete(table).where(rows))
        self._session.execute(
            delete(Member).where(Member.id.in_(ids)), execution_options={"synchronize_session": False}
        )
        for member in members:
            self._session.expunge(member)

    # ---------------------------------------------------------------- redaction

    def events(self, names: Names, merchants: Mapping[int, Names], only: int | None = None) -> Sequence[Event]:
        """Events about the member, and those that name it: by id or address anybody's, by external id its merchant's.
        `only`: this merchant's."""
        theirs = select(Instruction.id).where(
            or_(Instruction.member_id.in_(names.unique), Instruction.recipient_id.in_(names.unique))
        )
        conditions = [
            _mentions(Event.stored, names),
            Event.subject.in_(names.unique),
            and_(Event.source.is_not(None), Event.subject.in_(theirs)),
        ]
        conditions += [
            and_(Event.merchant_number == number, _mentions(Event.stored, own)) for number, own in merchants.items()
        ]
        query = select(Event).where(or_(*conditions))
        if only is not None:
            query = query.where(Event.merchant_number == only)
        return self._session.scalars(query).all()

    def answers(
        self, names: Names, merchants: Mapping[str, Names], only: str | None = None
    ) -> Sequence[IdempotencyRecord]:
        """The same of answers that are kept for repetitions, by principal."""
        body = IdempotencyRecord.body
        conditions = [_mentions(body, names)]
        conditions += [
            and_(IdempotencyRecord.principal == principal, _mentions(body, own)) for principal, own in merchants.items()
        ]
        query = select(IdempotencyRecord).where(or_(*conditions))
        if only is not None:
            query = query.where(IdempotencyRecord.principal == only)
        return self._session.scalars(query).all()


def _mentions(column: InstrumentedAttribute[object], names: Names) -> ColumnElement[bool]:
    text = cast(column, Text)
    return or_(*(text.contains(pattern, autoescape=True) for pattern in sorted(names.patterns())))


def _references() -> Iterator[tuple[Table, Column[str]]]:
    """Every column of every table that refers to a member."""
    for table in Base.metadata.sorted_tables:
        for column in table.columns:
            if table.name != Member.__tablename__ and _refers_to_members(column):
                yield table, column


def _refers_to_members(column: Column[str]) -> bool:
    return column.info == NAMES_MEMBER or any(key.column is Member.__table__.c.id for key in column.foreign_keys)
