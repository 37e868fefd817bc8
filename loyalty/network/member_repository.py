"""SQL of members."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from loyalty.kit.database import in_pieces
from loyalty.kit.named import is_one_of
from loyalty.network.models import Member, MemberState

_NAMED = 500
"""Values that one query names."""


class MemberRepository:
    """Members in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, member: Member) -> None:
        """Adds a member."""
        self._session.add(member)
        self._session.flush()

    def get(self, customer: str) -> Member | None:
        """The member that a customer is, for a change of it."""
        return self._session.get(Member, customer, with_for_update=True, populate_existing=True)

    def in_state(self, state: MemberState, limit: int) -> Sequence[str]:
        """Members in this state, the oldest first."""
        query = select(Member.id).where(Member.state == state).order_by(Member.id).limit(limit)
        return self._session.scalars(query).all()

    def new_among(self, customers: Iterable[str]) -> list[str]:
        """Those of these of whom the network was not told yet."""
        found: list[str] = []
        for some in in_pieces(dict.fromkeys(customers), _NAMED):
            is_named = is_one_of(self._session, Member.id, some)
            found += self._session.scalars(select(Member.id).where(is_named, Member.state == MemberState.NEW))
        return found

    def pass_on(self, customers: Iterable[str], before: MemberState, after: MemberState) -> None:
        """Brings those of these that are in one state into the next."""
        for some in in_pieces(customers, _NAMED):
            is_named = is_one_of(self._session, Member.id, some)
            changed = update(Member).where(is_named, Member.state == before).values(state=after)
            self._session.execute(changed, execution_options={"synchronize_session": False})
