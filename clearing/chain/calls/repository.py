"""SQL of privileged calls."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from clearing.chain.calls.models import Call, CallState


class CallRepository:
    """Privileged calls in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def pending(self, limit: int, *, but: Collection[str] = (), functions: Collection[str] | None = None) -> list[Call]:
        """Calls that wait for a transaction, oldest first; without those of the roles `but`, and only of these functions."""
        query = select(Call).where(Call.state == CallState.PENDING, Call.role.not_in(but))
        query = query if functions is None else query.where(Call.function.in_(functions))
        return list(self._session.scalars(query.order_by(Call.id).limit(limit)))

    def get_one(self, call_id: int) -> Call:
        """The call with this id. Raises NoResultFound where there is none."""
        return self._session.get_one(Call, call_id)

    def in_transactions(self, transaction_ids: Sequence[int]) -> list[Call]:
        """The calls that these transactions carry."""
        if not transaction_ids:
            return []
        return list(self._session.scalars(select(Call).where(Call.transaction_id.in_(transaction_ids))))

    def of_subject(self, subject: str, function: str) -> list[Call]:
        """The calls of a function that a resource asked for."""
        return list(self._session.scalars(select(Call).where(Call.subject == subject, Call.function == function)))
