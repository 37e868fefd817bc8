"""API keys, in memory and current: every request has one."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy.orm import Session

from clearing.kit.reference.directory import Directory, rows_of
from clearing.parties.access.models import ApiKey


class KeyDirectory:
    """All API keys, revoked ones too."""

    def __init__(self, keys: Iterable[ApiKey]) -> None:
        self._by_id = {key.id: key for key in keys}

    def by_id(self, id: str) -> ApiKey | None:  # noqa: A002
        """The key with this id."""
        return self._by_id.get(id)


def keys_in(session: Session) -> KeyDirectory:
    """The API keys, as current as the session's transaction."""
    return KEYS.of(session)


def _load(session: Session) -> KeyDirectory:
    return KeyDirectory(rows_of(session, ApiKey))


KEYS = Directory((ApiKey,), _load)
