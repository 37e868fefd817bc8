"""SQL of keys."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from loyalty.kit.paging import page_of
from loyalty.staff.models import Key, Role


class KeyRepository:
    """Keys in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, key: Key) -> None:
        """Adds a key."""
        self._session.add(key)
        self._session.flush()

    def get(self, key: str) -> Key | None:
        """The key with this id, for a change of it."""
        return self._session.get(Key, key, with_for_update=True)

    def with_hash(self, secret_hash: bytes) -> Key | None:
        """The key with this secret."""
        return self._session.scalars(select(Key).where(Key.secret_hash == secret_hash)).one_or_none()

    def live_with(self, role: Role) -> int:
        """How many keys with this role are good."""
        query = select(func.count()).select_from(Key).where(Key.role == role, Key.revoked_at.is_(None))
        return self._session.scalar(query) or 0

    def seen(self, key: str) -> Key | None:
        """The key with this id."""
        return self._session.get(Key, key)

    def names(self, keys: Iterable[str]) -> dict[str, str]:
        """Whose these keys are, by id."""
        query = select(Key.id, Key.name).where(Key.id.in_([*keys]))
        return {row.id: row.name for row in self._session.execute(query)}

    def page(self, cursor: str | None, limit: int) -> tuple[Sequence[Key], str | None]:
        """Keys, newest first."""
        return page_of(self._session, select(Key), Key.id, cursor, limit)
