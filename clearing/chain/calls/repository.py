"""SQL of privileged calls."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from clearing.chain.calls.models import Call, CallState


class CallRepository:
    """Privileged calls in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def pending(self, roles: Collection[str], limit: int, functions: Collection[str] | None = None) -> list[Call]:
        """Calls of these roles that wait for a transaction, oldest first; only of these functions."""
        query = select(Call).where(Call.state == CallState.PENDING, Call.role.in_(roles))
        query = query if functions is None else query.where(Call.function.in_(functions))
        return list(self._session.scalars(query.order_by(Call.id).limit(limit)))

    def any_pending(self, roles: Collection[str]) -> bool:
        """Whether there are any."""
        waiting = exists().where(Call.state == CallState.PENDING, Call.role.in_(roles))
        return bool(self._session.scalar(select(waiting)))

    def first_pending(self) -> int | None:
        """The id of the oldest call that waits for a transaction, whichever role it is for."""
        return self._session.scalar(select(func.min(Call.id)).where(Call.state == CallState.PENDING))

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
