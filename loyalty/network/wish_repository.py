"""SQL of wishes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import case, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from loyalty.kit.bulk_insert import change_all, insert_all
from loyalty.kit.database import in_pieces
from loyalty.kit.named import is_one_of
from loyalty.kit.paging import page_of
from loyalty.network.models import OutgoingOrder, Wish, WishState

_NAMED = 500
"""Values that one query names."""


class WishRepository:
    """Wishes in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, *wishes: Wish) -> None:
        """Adds wishes."""
        self._session.add_all(wishes)
        self._session.flush()

    def insert(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Adds many new wishes, as rows."""
        insert_all(self._session, Wish, rows)

    def get(self, wish: str, *, for_update: bool = False) -> Wish | None:
        """The wish with this id, as it is now."""
        return self._session.get(Wish, wish, with_for_update=for_update or None, populate_existing=for_update)

    def with_reference(self, reference: str) -> Wish | None:
        """The wish with this reference."""
        return self._session.scalars(select(Wish).where(Wish.reference == reference)).one_or_none()

    def with_references(self, references: Iterable[str]) -> dict[str, Wish]:
        """The wishes with these references, by reference."""
        found: dict[str, Wish] = {}
        for some in in_pieces(references, _NAMED):
            found |= {
                wish.reference: wish for wish in self._session.scalars(select(Wish).where(Wish.reference.in_(some)))
            }
        return found

    def retry_of(self, wish: Wish) -> Wish | None:
        """The wish that took the place of this refused one."""
        return self._session.scalars(select(Wish).where(Wish.retry_of == wish.id)).one_or_none()

    def undone_points(self, original: Wish) -> int:
        """How many of its points are undone, or will be."""
        gone = (WishState.REFUSED, WishState.RETRIED, WishState.WRITTEN_OFF)
        points = case((Wish.state.in_(gone), Wish.set_off), else_=Wish.points)
        query = select(func.coalesce(func.sum(points), 0)).where(
            Wish.original_id == original.id, Wish.state != WishState.RETRIED
        )
        return int(self._session.scalar(query) or 0)

    def follow(self, before: Wish, after: Wish) -> None:
        """What undoes one wish undoes another one from now on."""
        self._session.execute(update(Wish).where(Wish.original_id == before.id).values(original_id=after.id))

    def waiting_on(self, original: Wish) -> Sequence[Wish]:
        """Wishes that undo this one and were not sent."""
        query = select(Wish).where(Wish.original_id == original.id, Wish.state == WishState.WAITING)
        return self._session.scalars(query.with_for_update()).all()

    # ---------------------------------------------------------------- sending

    def claimable(self, limit: int) -> Sequence[str]:
        """Ids of the oldest wishes that can be sent, which nobody else can claim before this transaction ends."""
        original = aliased(Wish)
        settled = select(original.id).where(original.id == Wish.original_id, original.state == WishState.SETTLED)
        query = (
            select(Wish.id)
            .where(Wish.state == WishState.WAITING, or_(Wish.original_id.is_(None), settled.exists()))
            .order_by(Wish.id)
            .limit(limit)
            .with_for_update(of=Wish, skip_locked=True)
        )
        return self._session.scalars(query).all()

    def put_into(self, order: OutgoingOrder, wishes: Collection[str]) -> None:
        """Has an order carry these wishes."""
        carried = update(Wish).where(is_one_of(self._session, Wish.id, wishes))
        carried = carried.values(state=WishState.SENDING, order_id=order.id)
        self._session.execute(carried, execution_options={"synchronize_session": False})

    def undecided(self, order: OutgoingOrder) -> Sequence[tuple[str, str, str | None]]:
        """The wishes of an order that have no outcome: id, reference, and movement if it is known."""
        query = select(Wish.id, Wish.reference, Wish.movement)
        query = query.where(Wish.order_id == order.id, Wish.state == WishState.SENDING)
        return [(wish, reference, movement) for wish, reference, movement in self._session.execute(query)]

    def has_undecided(self, order: OutgoingOrder) -> bool:
        """Whether an order carries wishes that have no outcome."""
        query = select(Wish.id).where(Wish.order_id == order.id, Wish.state == WishState.SENDING).limit(1)
        return self._session.scalar(query) is not None

    def change(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Changes many wishes by one statement: rows that all name the same columns, with the wish's id."""
        change_all(self._session, Wish, rows)

    def with_ids(self, ids: Collection[str]) -> Sequence[Wish]:
        """The wishes with these ids."""
        return self._session.scalars(select(Wish).where(is_one_of(self._session, Wish.id, ids))).all()

    def of_order(self, order: OutgoingOrder) -> Sequence[Wish]:
        """What an order carries, oldest first."""
        return self._session.scalars(select(Wish).where(Wish.order_id == order.id).order_by(Wish.id)).all()

    def originals(self, wishes: Iterable[Wish]) -> dict[str, Wish]:
        """The wishes that these undo, by id."""
        ids = {wish.original_id for wish in wishes if wish.original_id is not None}
        return {
            wish.id: wish
            for some in in_pieces(sorted(ids), _NAMED)
            for wish in self._session.scalars(select(Wish).where(Wish.id.in_(some)))
        }

    # ---------------------------------------------------------------- looking

    def page(
        self, state: WishState | None, reference: str | None, member: str | None, cursor: str | None, limit: int
    ) -> tuple[Sequence[Wish], str | None]:
        """Wishes, newest first."""
        query = select(Wish)
        if state is not None:
            query = query.where(Wish.state == state)
        if reference is not None:
            query = query.where(Wish.reference == reference)
        if member is not None:
            query = query.where(Wish.member == member)
        return page_of(self._session, query, Wish.id, cursor, limit)

    def open_of(self, members: Iterable[str]) -> Sequence[Wish]:
        """The wishes for these members that are not at their end, oldest first."""
        states = (WishState.WAITING, WishState.SENDING, WishState.REFUSED)
        found: list[Wish] = []
        for some in in_pieces(members, _NAMED):
            query = select(Wish).where(Wish.member.in_(some), Wish.state.in_(states))
            found += self._session.scalars(query.order_by(Wish.id))
        return found

    def uncompared(self, limit: int) -> Sequence[Wish]:
        """Settled wishes that no check has compared, oldest first."""
        query = select(Wish).where(Wish.state == WishState.SETTLED, Wish.compared_at.is_(None))
        return self._session.scalars(query.order_by(Wish.id).limit(limit)).all()

    def mark_compared(self, ids: Collection[str], at: datetime) -> None:
        """Notes that a check has compared these."""
        self._session.execute(update(Wish).where(Wish.id.in_(ids)).values(compared_at=at))

    def counts(self) -> dict[WishState, int]:
        """How many wishes are in each state in which they do not stay, or should not."""
        open_states = (WishState.WAITING, WishState.SENDING, WishState.REFUSED)
        query = (
            select(Wish.state, func.count()).select_from(Wish).where(Wish.state.in_(open_states)).group_by(Wish.state)
        )
        found = dict.fromkeys(open_states, 0)
        for state, count in self._session.execute(query):
            found[state] = count
        return found

    def oldest(self) -> datetime | None:
        """When the oldest wish was written that the network has not decided."""
        query = select(func.min(Wish.id)).where(Wish.state.in_((WishState.WAITING, WishState.SENDING)))
        return self._written_at(self._session.scalar(query))

    def first(self) -> datetime | None:
        """When the first wish of all was written."""
        return self._written_at(self._session.scalar(select(func.min(Wish.id))))

    def _written_at(self, wish: str | None) -> datetime | None:
        return None if wish is None else self._session.get_one(Wish, wish).created_at
