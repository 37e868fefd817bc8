"""SQL of debts, and of what is set off against them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select, update
from sqlalchemy.orm import Session

from loyalty.kit.bulk_insert import insert_all
from loyalty.kit.database import in_pieces
from loyalty.kit.named import is_one_of
from loyalty.kit.paging import page_of
from loyalty.network.models import Debt, SetOff

_NAMED = 500
"""Values that one query names."""


class DebtRepository:
    """Debts in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, debt: Debt) -> None:
        """Adds a debt."""
        self._session.add(debt)
        self._session.flush()

    def insert_set_offs(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Adds what is set off, as rows."""
        insert_all(self._session, SetOff, rows)

    def get(self, debt: str) -> Debt | None:
        """The debt with this id, as it is now, held."""
        return self._session.get(Debt, debt, with_for_update=True, populate_existing=True)

    def held_of(self, members: Collection[str]) -> Sequence[Debt]:
        """What members owe, as it is now, held in the order of the debts: the oldest first."""
        found: list[Debt] = []
        for some in in_pieces(sorted(members), _NAMED):
            is_theirs = is_one_of(self._session, Debt.member, some)
            found += self._session.scalars(_held(is_theirs, Debt.owed > 0))
        return found

    def set_offs_of(self, wish: str) -> Sequence[tuple[SetOff, Debt]]:
        """What of a wish is set off against what, as it is now, held: the latest debt first."""
        set_offs = {one.debt_id: one for one in self._session.scalars(select(SetOff).where(SetOff.wish_id == wish))}
        debts = self._session.scalars(_held(Debt.id.in_([*set_offs]))).all() if set_offs else ()
        return [(set_offs[one.id], one) for one in reversed(debts)]

    def undone(self, wish: str) -> int:
        """How much of what a wish sets off is owed again."""
        query = select(func.coalesce(func.sum(SetOff.undone), 0)).where(SetOff.wish_id == wish)
        return int(self._session.scalar(query) or 0)

    def follow(self, before: str, after: str) -> None:
        """What one wish sets off another one does from now on."""
        self._session.execute(update(SetOff).where(SetOff.wish_id == before).values(wish_id=after))

    # ---------------------------------------------------------------- looking

    def set_off_by(self, wishes: Iterable[str]) -> Sequence[tuple[SetOff, Debt]]:
        """What the wishes with these ids set off, and against which debt, the oldest first."""
        found: list[tuple[SetOff, Debt]] = []
        for some in in_pieces(wishes, _NAMED):
            query = select(SetOff, Debt).join(Debt, Debt.id == SetOff.debt_id).where(SetOff.wish_id.in_(some))
            found += [(paid, debt) for paid, debt in self._session.execute(query.order_by(Debt.id))]
        return found

    def owed_by(self, members: Iterable[str]) -> Mapping[tuple[str, str], int]:
        """What these members owe of each program; who owes nothing is left out."""
        found: dict[tuple[str, str], int] = {}
        for some in in_pieces(members, _NAMED):
            query = select(Debt.member, Debt.program, func.sum(Debt.owed)).where(Debt.member.in_(some), Debt.owed > 0)
            rows = self._session.execute(query.group_by(Debt.member, Debt.program))
            found |= {(member, program): int(owed) for member, program, owed in rows}
        return found

    def owed(self) -> Mapping[str, int]:
        """What all owe together, by program."""
        query = select(Debt.program, func.sum(Debt.owed)).where(Debt.owed > 0).group_by(Debt.program)
        return {program: int(owed) for program, owed in self._session.execute(query)}

    def page(
        self, member: str | None, *, is_open: bool | None, cursor: str | None, limit: int
    ) -> tuple[Sequence[Debt], str | None]:
        """Debts, newest first."""
        query = select(Debt)
        if member is not None:
            query = query.where(Debt.member == member)
        if is_open is not None:
            query = query.where(Debt.owed > 0 if is_open else Debt.owed == 0)
        return page_of(self._session, query, Debt.id, cursor, limit)


def _held(*conditions: ColumnElement[bool]) -> Select[Debt]:
    """Debts as they are now, held in their order."""
    query = select(Debt).where(*conditions).order_by(Debt.id)
    return query.with_for_update().execution_options(populate_existing=True)
