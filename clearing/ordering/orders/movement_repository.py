"""SQL of lists of movements, newest first. Whatever a list is narrowed to, its page comes from the end of an index.

A list is a union of branches, each of which walks one index backwards and ends after a page. A condition that no branch walks by
only filters what the walk finds, so a branch is chosen for the condition that leaves the least.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Row, Select, and_, false, or_, select, text, tuple_
from sqlalchemy.orm import Session, joinedload

from clearing.kit.in_list import in_list
from clearing.kit.paging import equal_given, merged
from clearing.ledger.journal.models import Batch, Entry, Rejection
from clearing.ordering.orders.models import Direction, Instruction, Movement, Order, OrderState
from clearing.ordering.orders.repository import OrderRepository, is_entry_of_instruction
from tongdui.orders import Kind

MovementKey = tuple[int, int]
"""(order's seq, item)."""

Conditions = list[ColumnElement[bool]]
Outcomes = Select[Instruction, Entry | None, Batch | None, str | None]
S = TypeVar("S", bound=Select[*tuple[Any, ...]])

_CLOCKS_AGREE = timedelta(hours=1)
"""Orders are numbered as they are accepted. The clocks of the machines that accept them differ by less than this."""
_MOST_ORDERS = 1_000_000
_OPEN = {
    # Word for word the conditions of the partial indexes: with a parameter, SQLite would not see that they apply.
    OrderState.ACCEPTED: text("orders.state = 'accepted'"),
    OrderState.SUBMITTED: text("orders.state = 'submitted'"),
}
_REFUSED: ColumnElement[bool] = text("NOT instructions.live")  # type: ignore[assignment]
_STANDS: ColumnElement[bool] = text("instructions.live AND instructions.reference IS NOT NULL")  # type: ignore[assignment]
_NO_GIVER = frozenset({Kind.ISSUE})
_NO_RECEIVER = frozenset({Kind.REDEEM, Kind.EXPIRE})
_GIVEN_BY_OWNER = frozenset({Kind.REDEEM, Kind.EXCHANGE, Kind.SPEND, Kind.EXPIRE})
"""Kinds whose points the owner of their program always gives, and never receives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MovementFilter:
    """Which movements; None means any."""

    merchant: int | None = None
    """Those that it has signed, gives or receives. Whoever signs also gives or receives."""
    kind: Kind | None = None
    direction: Direction | None = None
    """Of the merchant's points. Only with `merchant`."""
    counterparty: int | None = None
    """The merchant on the other side; without `merchant`, on either side."""
    member_id: str | None = None
    program: int | None = None
    """That points leave or enter."""
    program_owner: int | None = None
    """The merchant that runs `program`."""
    state: OrderState | None = None
    reference: str | None = None
    """The signer's document number. With `merchant`, only of movements that it has signed."""
    original_id: str | None = None
    """The movement that they undo."""
    created_from: datetime | None = None
    created_before: datetime | None = None


class MovementRepository:
    """Movements in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._orders = OrderRepository(session)

    def by_id(self, instruction_id: str) -> Movement | None:
        """The movement with this id."""
        found = self._read(_with_outcome().where(Instruction.id == instruction_id))
        return found[0] if found else None

    def by_ids(self, ids: Collection[str]) -> Sequence[Movement]:
        """The movements with these ids."""
        return self._read(_with_outcome().where(in_list(self._session, Instruction.id, ids)))

    def standing(self, merchant_number: int, kind: Kind, references: Collection[str]) -> Sequence[Movement]:
        """A merchant's own movements of a kind that have these references and were not refused: at most one of each."""
        own = (Instruction.merchant_number == merchant_number, Instruction.kind == int(kind), _STANDS)
        return self._read(_with_outcome().where(*own, in_list(self._session, Instruction.reference, references)))

    def list(self, wanted: MovementFilter, after: MovementKey | None, limit: int) -> Sequence[Movement]:
        """Movements newest first; `after` is the last one of the page before."""
        filters = [*_state(wanted.state), *self._within(wanted)]
        if after is not None:
            filters.append(tuple_(Instruction.order_seq, Instruction.item) < tuple_(*after))
        pages = [_page(wanted, [*branch, *filters], limit) for branch in _branches(wanted)]
        if not pages:
            return []
        union = merged(pages).subquery("pages")
        keys = _newest(select(union), union.c.order_seq, union.c.item, limit).subquery("page")
        same = and_(keys.c.order_seq == Instruction.order_seq, keys.c.item == Instruction.item)
        query = _newest(_with_outcome().join(keys, same), Instruction.order_seq, Instruction.item, limit)
        return self._read(query)

    def _read(self, query: Outcomes) -> Sequence[Movement]:
        return self._orders.with_reversals([_movement(row) for row in self._session.execute(query)])

    def _within(self, wanted: MovementFilter) -> Conditions:
        """The times, and first the order numbers between which they lie: those are in every index."""
        conditions: Conditions = []
        if wanted.created_from is not None:
            first = self._first_since(wanted.created_from - _CLOCKS_AGREE)
            if first is None:
                return [false()]
            conditions += [Instruction.order_seq >= first, Order.seq >= first, Order.created_at >= wanted.created_from]
        if wanted.created_before is not None:
            first = self._first_since(wanted.created_before + _CLOCKS_AGREE)
            conditions += [] if first is None else [Instruction.order_seq < first, Order.seq < first]
            conditions.append(Order.created_at < wanted.created_before)
        return conditions

    def _first_since(self, moment: datetime) -> int | None:
        query = select(Order.seq).where(Order.created_at >= moment).order_by(Order.created_at, Order.seq).limit(1)
        return self._session.scalar(query)


# -------------------------------------------------------------------- which index


def _branches(wanted: MovementFilter) -> Iterable[Conditions]:
    """The conditions of each branch, without state and time: first those by which it walks an index, then what these do not say
    yet. (Whatever is said twice makes the database expect fewer rows, and choose another index.) No movement is in two branches."""
    narrow = (wanted.reference, wanted.member_id, wanted.original_id)
    if any(narrow) or wanted.state not in (None, OrderState.SETTLED):
        return [_all(wanted)]  # few movements, which have an index of their own
    merchant, counterparty = wanted.merchant, wanted.counterparty
    if merchant is None:
        merchant, counterparty = counterparty, None
    if wanted.program is not None and merchant not in (None, wanted.program_owner):
        if counterparty not in (None, wanted.program_owner):
            return []  # whoever runs the program is on one side, and the merchant on the other
        counterparty = wanted.program_owner
    if merchant is not None and counterparty is not None:
        return _between(merchant, counterparty, wanted)
    if wanted.program is not None:
        return _of_program(wanted.program, wanted)
    if merchant is not None:
        return _of_merchant(merchant, wanted)
    return [_all(wanted)]


def _between(merchant: int, counterparty: int, wanted: MovementFilter) -> Iterable[Conditions]:
    rest = [*_kind(wanted), *_program(wanted)]
    if wanted.direction is not Direction.IN:
        yield [Instruction.giver == merchant, Instruction.receiver == counterparty, *rest]
    if wanted.direction is Direction.IN or (wanted.direction is None and merchant != counterparty):
        yield [Instruction.giver == counterparty, Instruction.receiver == merchant, *rest]


def _of_merchant(merchant: int, wanted: MovementFilter) -> Iterable[Conditions]:
    for kind in _kinds(wanted):
        if wanted.direction is not Direction.IN and kind not in _NO_GIVER:
            yield [Instruction.giver == merchant, Instruction.kind == int(kind)]
        if wanted.direction is not Direction.OUT and kind not in _NO_RECEIVER:
            once = [] if wanted.direction is Direction.IN else [Instruction.giver.is_distinct_from(merchant)]
            yield [Instruction.receiver == merchant, Instruction.kind == int(kind), *once]


def _of_program(program: int, wanted: MovementFilter) -> Iterable[Conditions]:
    """Only for the merchant that runs the program, or for everyone: then it is also visible."""
    rest = _direction(wanted)
    for kind in _kinds(wanted):
        only_enters = wanted.direction is Direction.OUT and kind in _NO_GIVER
        if not only_enters and not (wanted.direction is Direction.IN and kind in _GIVEN_BY_OWNER):
            yield [Instruction.program == program, Instruction.kind == int(kind), *rest]
    others = Instruction.program != program
    if wanted.kind in (None, Kind.EXCHANGE) and wanted.direction is not Direction.OUT:
        yield [Instruction.target_program == program, Instruction.kind == int(Kind.EXCHANGE), others]
    if wanted.kind in (None, Kind.REVERSE) and wanted.direction is not Direction.IN:  # of an exchange into the program
        given = [Instruction.giver == wanted.program_owner, Instruction.kind == int(Kind.REVERSE)]
        yield [*given, Instruction.draws_program == program, others]


def _kinds(wanted: MovementFilter) -> Sequence[Kind]:
    return list(Kind) if wanted.kind is None else [wanted.kind]


# -------------------------------------------------------------------- conditions


def _all(wanted: MovementFilter) -> Conditions:
    conditions = equal_given(
        (Instruction.member_id, wanted.member_id),
        (Instruction.reference, wanted.reference),
        (Instruction.original_id, wanted.original_id),
    )
    if wanted.reference is not None:
        conditions += equal_given((Instruction.merchant_number, wanted.merchant))
    conditions += [*_kind(wanted), *_program(wanted), *_direction(wanted)]
    if wanted.direction is None:
        conditions += _is_side(wanted.merchant)
    if wanted.counterparty != wanted.merchant:
        return conditions + _is_side(wanted.counterparty)
    both = (Instruction.giver, wanted.merchant), (Instruction.receiver, wanted.merchant)
    return conditions + equal_given(*both)


def _kind(wanted: MovementFilter) -> Conditions:
    return equal_given((Instruction.kind, None if wanted.kind is None else int(wanted.kind)))


def _program(wanted: MovementFilter) -> Conditions:
    if wanted.program is None:
        return []
    programs = (Instruction.program, Instruction.target_program, Instruction.draws_program)
    return [or_(*(program == wanted.program for program in programs))]


def _direction(wanted: MovementFilter) -> Conditions:
    if wanted.direction is None:
        return []
    return [(Instruction.giver if wanted.direction is Direction.OUT else Instruction.receiver) == wanted.merchant]


def _is_side(merchant: int | None) -> Conditions:
    if merchant is None:
        return []
    return [or_(Instruction.giver == merchant, Instruction.receiver == merchant)]


def _state(state: OrderState | None) -> Conditions:
    match state:
        case None:
            return []
        case OrderState.SETTLED:
            return [Order.state == OrderState.SETTLED, _has_entry()]
        case OrderState.ACCEPTED | OrderState.SUBMITTED:
            return [Order.state == state]
        case OrderState.REJECTED:
            settled_without = and_(Order.state == OrderState.SETTLED, ~_has_entry())
            return [_REFUSED, or_(Order.state == OrderState.REJECTED, settled_without)]
        case _:
            return [_REFUSED, Order.state == state]


def _has_entry() -> ColumnElement[bool]:
    mine = (Entry.merchant == Instruction.merchant_number, Entry.nonce == Order.nonce, Entry.item == Instruction.item)
    return select(Entry.leaf).where(*mine).exists()


# -------------------------------------------------------------------- statements


def _page(wanted: MovementFilter, conditions: Conditions, limit: int) -> Select[int, int]:
    query = select(Instruction.order_seq, Instruction.item).where(*conditions)
    if (
        wanted.state in _OPEN
    ):  # there are few such orders, so they come first; the limit keeps the database from merging this
        waiting = select(Order.seq).where(_OPEN[wanted.state]).order_by(Order.seq.desc()).limit(_MOST_ORDERS).subquery()
        query = query.join(waiting, waiting.c.seq == Instruction.order_seq)
    if wanted.state is not None or wanted.created_from is not None or wanted.created_before is not None:
        query = query.join(Order, Order.seq == Instruction.order_seq)
    return _newest(query, Instruction.order_seq, Instruction.item, limit)


def _newest(query: S, seq: Any, item: Any, limit: int) -> S:
    return query.order_by(seq.desc(), item.desc()).limit(limit)


def _with_outcome() -> Outcomes:
    return (
        select(Instruction, Entry, Batch, _reason())
        .join(Instruction.order)
        .outerjoin(Entry, is_entry_of_instruction())
        .outerjoin(Batch, Batch.number == Entry.batch)
        .options(joinedload(Instruction.order))
        .execution_options(populate_existing=True)
    )


def _reason() -> ColumnElement[str | None]:
    """Why the chain refused the instruction; the newest refusal counts."""
    return (
        select(Rejection.reason)
        .where(
            Rejection.merchant == Order.merchant_number,
            Rejection.nonce == Order.nonce,
            Rejection.item == Instruction.item,
        )
        .order_by(Rejection.block_number.desc())
        .limit(1)
        .scalar_subquery()
    )


def _movement(row: Row[Instruction, Entry | None, Batch | None, str | None]) -> Movement:
    instruction, entry, batch, reason = row
    order = instruction.order
    refused = order.state.is_final and entry is None
    return Movement(instruction, order, entry, batch, (reason or order.reason) if refused else None)
