"""SQL of moves between tiers."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from loyalty.kit.paging import page_of
from loyalty.tiers.models import TierMove


class TierMoveRepository:
    """Moves in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, move: TierMove) -> None:
        """Adds a move."""
        self._session.add(move)

    def flush(self) -> None:
        """Writes what has changed."""
        self._session.flush()

    def page(self, customer: str, cursor: str | None, limit: int) -> tuple[Sequence[TierMove], str | None]:
        """A customer's moves, the last one first."""
        query = select(TierMove).where(TierMove.customer_id == customer)
        return page_of(self._session, query, TierMove.id, cursor, limit)
