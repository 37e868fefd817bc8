"""SQL of statements, and of the blocks, entries and bank movements that they are made from."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime

from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import Session

from clearing.kit.in_list import in_list
from clearing.kit.paging import where_given
from clearing.ledger.journal.models import Block, ChainEvent, Entry
from clearing.oversight.statements.models import Statement
from clearing.pipeline.models import Transaction, TransactionState
from tongdui import receipts

_ROWS = 5_000


class StatementRepository:
    """Statements in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def of_day(self, day: int) -> dict[int, Statement]:
        """The day's statements by merchant."""
        found = self._session.scalars(select(Statement).where(Statement.day == day))
        return {statement.merchant_number: statement for statement in found}

    def closings(self, day: int, merchant_numbers: Collection[int]) -> Sequence[Statement]:
        """The day's statements of these merchants."""
        theirs = in_list(self._session, Statement.merchant_number, merchant_numbers)
        return self._session.scalars(select(Statement).where(Statement.day == day, theirs)).all()

    def by_id(self, id: str) -> Statement | None:  # noqa: A002
        """The statement with this id."""
        return self._session.get(Statement, id)

    def list(
        self, *, merchant_number: int | None, first_day: int | None, end_day: int | None, after: str | None, limit: int
    ) -> Sequence[Statement]:
        """Statements, the last day first: one merchant's, or all; of all days, or from `first_day` to before `end_day`."""
        query = where_given(select(Statement), (Statement.merchant_number, merchant_number))
        if first_day is not None:
            query = query.where(Statement.day >= first_day)
        order = (Statement.day, Statement.id) if merchant_number is None else (Statement.day,)
        if after is not None:
            last = self._session.execute(select(*order).where(Statement.id == after)).first()
            if last is None:
                return []
            if (
                end_day is None or end_day > last[0]
            ):  # SQLite uses only one limit of an index, so there is only the lower one
                query, end_day = query.where(tuple_(*order) < tuple_(*last)), None
        if end_day is not None:
            query = query.where(Statement.day < end_day)
        return self._session.scalars(query.order_by(*(column.desc() for column in order)).limit(limit)).all()

    def newest_day(self) -> int | None:
        """The last day that has statements."""
        return self._session.scalar(select(func.max(Statement.day)))

    def add(self, statement: Statement) -> None:
        """Stores a statement."""
        self._session.add(statement)

    # ---------------------------------------------------------------- what they are made from

    def first_time(self) -> int | None:
        """Unix time of the oldest block."""
        return self._session.scalar(select(Block.timestamp).order_by(Block.number).limit(1))

    def is_complete(self, until: datetime) -> bool:
        """Whether every transaction that was signed before `until` is in a block that the projector has read."""
        query = select(Transaction.id).where(
            Transaction.state == TransactionState.SIGNED, Transaction.created_at < until
        )
        return self._session.scalar(query.limit(1)) is None

    def entries(self, after_block: int, last_block: int) -> Iterator[Sequence[receipts.Entry]]:
        """Entries of a range of blocks, in chunks."""
        query = (
            select(Entry)
            .where(Entry.block_number > after_block, Entry.block_number <= last_block)
            .order_by(Entry.batch, Entry.index)
            .execution_options(yield_per=_ROWS)
        )
        for rows in self._session.scalars(query).partitions():
            yield [row.wire() for row in rows]

    def bank_events(self, after_block: int, last_block: int) -> Sequence[ChainEvent]:
        """Deposits and withdrawals of a range of blocks."""
        query = select(ChainEvent).where(
            ChainEvent.block_number > after_block,
            ChainEvent.block_number <= last_block,
            ChainEvent.name.in_(("Deposited", "Withdrawn")),
        )
        return self._session.scalars(query).all()
