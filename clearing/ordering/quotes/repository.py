"""SQL of quotes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from clearing.kit.bulk_delete import delete_some
from clearing.kit.in_list import in_list
from clearing.ordering.quotes.models import Quote


class QuoteRepository:
    """Quotes in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, quote: Quote) -> None:
        """Stores a quote."""
        self._session.add(quote)
        self._session.flush()

    def by_ids(self, ids: Collection[str]) -> Sequence[Quote]:
        """The quotes with these ids."""
        return self._session.scalars(select(Quote).where(in_list(self._session, Quote.id, ids))).all()

    def remove_expired(self, before: datetime, limit: int) -> int:
        """Deletes at most `limit` quotes that expired before this moment; returns how many."""
        return delete_some(self._session, Quote, Quote.expires_at < before, limit)
