"""SQL of positions and bank movements."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import literal, select, union_all
from sqlalchemy.orm import Session

from clearing.kit.in_list import in_list
from clearing.kit.paging import Period, newest_between, where_given
from clearing.kit.upsert import add_all, insert_for
from clearing.ledger.settlement.models import BankMovement, BankMovementState, Position


class PositionRepository:
    """Positions in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def lock(self, merchant_number: int) -> Position:
        """The merchant's position, locked until the transaction ends; makes an empty one where there is none."""
        query = (
            select(Position)
            .where(Position.merchant_number == merchant_number)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        position = self._session.scalar(query)
        if position is None:
            self._make(merchant_number)
            position = self._session.scalars(query).one()
        return position

    def lock_all(self, merchant_numbers: Collection[int]) -> dict[int, Position]:
        """The merchants' positions, locked until the transaction ends; empty ones where there are none."""
        query = (
            select(Position)
            .where(in_list(self._session, Position.merchant_number, merchant_numbers))
            .order_by(Position.merchant_number)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        found = {found.merchant_number: found for found in self._session.scalars(query)} if merchant_numbers else {}
        return found | {number: self.lock(number) for number in sorted(set(merchant_numbers) - found.keys())}

    def shift(self, deltas: dict[int, tuple[int, int]]) -> None:
        """Adds (position, reserved) to each merchant's position. Always locks in the same order: no deadlocks."""
        changes = [
            {"merchant_number": number, "position": micros, "credit_limit": 0, "reserved": reserved}
            for number, (micros, reserved) in sorted(deltas.items())
            if micros or reserved
        ]
        add_all(self._session, Position, changes)

    def get(self, merchant_number: int) -> Position:
        """The merchant's position; an empty one (not stored) where there is none yet."""
        found = self._session.get(Position, merchant_number)
        return found or Position(merchant_number=merchant_number, position=0, credit_limit=0, reserved=0)

    def list(self, *, merchant_number: int | None, after: int | None, limit: int) -> Sequence[Position]:
        """Positions by merchant number, one merchant's or all."""
        query = select(Position).order_by(Position.merchant_number).limit(limit)
        if merchant_number is not None:
            query = query.where(Position.merchant_number == merchant_number)
        if after is not None:
            query = query.where(Position.merchant_number > after)
        return self._session.scalars(query).all()

    def _make(self, merchant_number: int) -> None:
        insert = insert_for(self._session)(Position)
        values = {"merchant_number": merchant_number, "position": 0, "credit_limit": 0, "reserved": 0}
        self._session.execute(insert.values(values).on_conflict_do_nothing())


@dataclass(frozen=True, slots=True, kw_only=True)
class BankFilter:
    """Which bank movements a list shows. What is None does not matter."""

    kind: str
    merchant_number: int | None = None
    state: BankMovementState | None = None
    bank_refs: Collection[bytes] | None = None
    """Hashes of the bank's references."""
    created_from: datetime | None = None
    created_before: datetime | None = None


class BankMovementRepository:
    """Deposits and withdrawals in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, movement: BankMovement) -> None:
        """Stores a movement."""
        self._session.add(movement)
        self._session.flush()

    def by_id(self, id: str) -> BankMovement | None:  # noqa: A002
        """The movement with this id."""
        return self._session.get(BankMovement, id)

    def lock_by_bank_ref(self, bank_ref: bytes) -> BankMovement | None:
        """The movement with this hash of the bank's reference, locked until the transaction ends. Lock its position first."""
        query = select(BankMovement).where(BankMovement.bank_ref == bank_ref).with_for_update()
        return self._session.scalar(query.execution_options(populate_existing=True))

    def lock(self, movement: BankMovement) -> None:
        """Locks the movement until the transaction ends, and reads it again. Lock its position first."""
        self._session.refresh(movement, with_for_update=True)

    def free_funds(self) -> int:
        """Micros in the bank that no pending withdrawal will take. The money in the bank is the sum of all positions."""
        there = select(Position.position, literal(1))
        leaving = select(BankMovement.micros, literal(-1)).where(
            BankMovement.kind == "withdrawal", BankMovement.state == BankMovementState.PENDING
        )
        # One query, so that a withdrawal which the chain confirms meanwhile is neither missing from both nor counted in both.
        return sum(micros * sign for micros, sign in self._session.execute(union_all(there, leaving)))

    def list(self, wanted: BankFilter, *, after: str | None, limit: int) -> Sequence[BankMovement]:
        """The movements that the filter wants, newest first."""
        query = where_given(
            select(BankMovement).where(BankMovement.kind == wanted.kind),
            (BankMovement.merchant_number, wanted.merchant_number),
            (BankMovement.state, wanted.state),
        )
        if wanted.bank_refs is not None:
            query = query.where(BankMovement.bank_ref.in_(wanted.bank_refs))
        period = Period(wanted.created_from, wanted.created_before)
        page = newest_between(self._session, query, BankMovement.id, BankMovement.id, period, after)
        return [] if page is None else self._session.scalars(page.limit(limit)).all()
