"""SQL of password resets."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import update
from sqlalchemy.orm import Session

from clearing.kit.bulk_delete import delete_some
from clearing.parties.staff.models import PasswordReset


class PasswordResetRepository:
    """Password resets in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, reset: PasswordReset) -> None:
        """Stores a reset."""
        self._session.add(reset)
        self._session.flush()

    def by_id(self, id: str) -> PasswordReset | None:  # noqa: A002
        """The reset with this id."""
        return self._session.get(PasswordReset, id)

    def use_all_of(self, person_id: str, id: str, at: datetime) -> bool:  # noqa: A002
        """Uses a reset up, and with it all others of the person. False if it was used or has expired."""
        is_open = PasswordReset.used_at.is_(None), PasswordReset.expires_at > at
        statement = (
            update(PasswordReset)
            .where(PasswordReset.person_id == person_id, *is_open)
            .values(used_at=at)
            .returning(PasswordReset.id)
            .execution_options(synchronize_session=False)
        )
        return id in self._session.scalars(statement).all()

    def remove_expired(self, before: datetime, limit: int) -> int:
        """Deletes at most `limit` resets that expired before this moment; returns how many."""
        return delete_some(self._session, PasswordReset, PasswordReset.expires_at < before, limit)
