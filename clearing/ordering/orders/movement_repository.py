"""SQL of lists of movements, newest first. Whatever a list is narrowed to, its page comes from the ends of indexes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Row, Select, false, or_, select, text, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session, contains_eager

from clearing.kit.in_list import in_list, pairs_in_list
from clearing.kit.paging import Page, equal_given, merged
from clearing.kit.sources import Walk, newest_of
from clearing.ledger.journal.models import Batch, Entry, Rejection
from clearing.ledger.journal.repository import EntryRepository
from clearing.ordering.orders.models import OPEN_STATES, Direction, Instruction, Movement, Order, OrderState
from clearing.ordering.orders.movement_sources import MovementFilter, MovementSources
from clearing.ordering.orders.repository import OrderRepository, is_entry_of_instruction
from tongdui.orders import Kind

MovementKey = tuple[int, int]
"""(order's seq, item)."""

Conditions = list[ColumnElement[bool]]
Outcomes = Select[Instruction, Entry | None, str | None]
S = TypeVar("S", bound=Select[*tuple[Any, ...]])

_CLOCKS_AGREE = timedelta(minutes=1)
"""Orders are numbered as they are accepted. The clocks of the machines that accept them differ by less than this; a list up to a
moment looks at all movements of such a time."""
_MOST_ORDERS = 1_000_000
_OPEN = {
    # Word for word the conditions of the partial indexes: with a parameter, SQLite would not see that they apply.
    OrderState.ACCEPTED: text("orders.state = 'accepted'"),
    OrderState.SUBMITTED: text("orders.state = 'submitted'"),
}
_STANDS: ColumnElement[bool] = text("instructions.live AND instructions.reference IS NOT NULL")  # type: ignore[assignment]
_IS_DEAD: ColumnElement[bool] = text("NOT instructions.live AND instructions.reference IS NOT NULL")  # type: ignore[assignment]
_HAS_AGREEMENT: ColumnElement[bool] = text("instructions.agreement > 0")  # type: ignore[assignment]
_IS_REVERSAL: ColumnElement[bool] = text("instructions.kind = 6")  # type: ignore[assignment]


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

    def list(
        self, wanted: MovementFilter, sources: MovementSources, after: MovementKey | None, limit: int
    ) -> Sequence[Movement]:
        """Movements newest first, from these sources unless the filter is narrow or wants everything; `after` is the last one of
        the page before."""
        filters = [*_state(wanted.state), *self._within(wanted, after)]
        if wanted.merchant is not None and wanted.counterparty == wanted.merchant:  # between its own programs
            filters += [Instruction.giver == wanted.merchant, Instruction.receiver == wanted.merchant]

        def page_of(conditions: Sequence[ColumnElement[bool]], most: int) -> Select[int, int]:
            return _page(wanted, [*conditions, *filters], most)

        if wanted.is_narrow or wanted.is_everything:
            pages: Page | None = merged([page_of(branch, limit) for branch in _narrow(wanted)])
        else:
            pages = newest_of(self._session, _walks(sources), page_of, limit)
        if pages is None:
            return []
        union = pages.subquery("pages")
        page = _newest(select(union), union.c.order_seq, union.c.item, limit)
        # A statement of its own reads them: joined to the page, the database expects as many rows as there are on the way to it.
        keys = [(seq, item) for seq, item in self._session.execute(page)]
        mine = pairs_in_list(self._session, Instruction.order_seq, Instruction.item, keys)
        query = _with_outcome().where(mine).order_by(Instruction.order_seq.desc(), Instruction.item.desc())
        return self._read(query) if keys else []

    def _read(self, query: Outcomes) -> Sequence[Movement]:
        rows = self._session.execute(query).all()
        # By a statement of their own: joined, they are all read where the database expects many entries. A block that fell out of
        # the chain since the first statement has taken its batches along.
        batches = EntryRepository(self._session).batches(entry.batch for _, entry, _ in rows if entry is not None)
        return self._orders.with_reversals([_movement(row, batches) for row in rows])

    def _within(self, wanted: MovementFilter, after: MovementKey | None) -> Conditions:
        """What comes after that movement and lies between the times, and the order numbers between which these are: the numbers
        are in every index."""
        conditions: Conditions = []
        if wanted.created_from is not None:
            first = self._first_since(wanted.created_from - _CLOCKS_AGREE)
            if first is None:
                return [false()]
            conditions += [Instruction.order_seq >= first, _of_order(Order.created_at) >= wanted.created_from]
        if wanted.created_before is not None:
            first = self._first_since(wanted.created_before + _CLOCKS_AGREE)
            if first is not None and (after is None or first <= after[0]):
                conditions.append(Instruction.order_seq < first)
                after = None  # SQLite uses only one limit of an index, so there is only the lower one
            conditions.append(_of_order(Order.created_at) < wanted.created_before)
        if after is not None:
            conditions.append(tuple_(Instruction.order_seq, Instruction.item) < tuple_(*after))
        return conditions

    def _first_since(self, moment: datetime) -> int | None:
        query = select(Order.seq).where(Order.created_at >= moment).order_by(Order.created_at, Order.seq).limit(1)
        return self._session.scalar(query)


# -------------------------------------------------------------------- conditions


def _walks(sources: MovementSources) -> Sequence[Walk]:
    reversals = (Instruction.program, (_IS_REVERSAL,))
    return [
        Walk((Instruction.program, Instruction.kind), sources.programs),
        Walk((Instruction.agreement, Instruction.kind), sources.agreements, (_HAS_AGREEMENT,)),
        Walk((Instruction.giver, reversals[0]), sources.givers, reversals[1]),
        Walk((Instruction.receiver, reversals[0]), sources.receivers, reversals[1]),
    ]


def _narrow(wanted: MovementFilter) -> Sequence[Conditions]:
    """The conditions of few movements that an index of their own finds, or of all."""
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
        conditions += _is_side(wanted.counterparty)
    elif wanted.merchant is not None:
        conditions += [Instruction.giver == wanted.merchant, Instruction.receiver == wanted.merchant]
    if wanted.reference is not None:
        return [[*conditions, _STANDS], [*conditions, _IS_DEAD]]
    return [conditions]


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
            # Said like this, the database expects nearly all to be settled, and does not look for few.
            return [Instruction.refused.is_(None), _of_order(Order.state).not_in(OPEN_STATES)]
        case OrderState.ACCEPTED | OrderState.SUBMITTED:
            return []  # `_page` begins with such orders
        case _:
            return [Instruction.refused == state]


def _of_order(column: InstrumentedAttribute[Any]) -> Any:
    """A column of the instruction's order, looked up for each instruction on the way: for a join the database might read all orders
    instead."""
    return select(column).where(Order.seq == Instruction.order_seq).correlate(Instruction).scalar_subquery()


# -------------------------------------------------------------------- statements


def _page(wanted: MovementFilter, conditions: Conditions, limit: int) -> Select[int, int]:
    query = select(Instruction.order_seq, Instruction.item).where(*conditions)
    if wanted.state in _OPEN:  # there are few such orders, so they come first
        waiting = select(Order.seq).where(_OPEN[wanted.state]).order_by(Order.seq.desc()).limit(_MOST_ORDERS)
        query = query.where(Instruction.order_seq.in_(waiting))
    return _newest(query, Instruction.order_seq, Instruction.item, limit)


def _newest(query: S, seq: Any, item: Any, limit: int) -> S:
    return query.order_by(seq.desc(), item.desc()).limit(limit)


def _with_outcome() -> Outcomes:
    # "+ 0", or PostgreSQL may look up the orders first, and then all the instructions of each, which are hundreds.
    of_order = Order.seq == Instruction.order_seq + 0
    return (
        select(Instruction, Entry, _reason())
        .join(Order, of_order)
        .outerjoin(Entry, is_entry_of_instruction())
        .options(contains_eager(Instruction.order))
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


def _movement(row: Row[Instruction, Entry | None, str | None], batches: Mapping[int, Batch]) -> Movement:
    instruction, entry, reason = row
    batch = batches.get(entry.batch) if entry is not None else None
    order = instruction.order
    refused = order.state.is_final and entry is None
    return Movement(instruction, order, entry, batch, (reason or order.reason) if refused else None)
