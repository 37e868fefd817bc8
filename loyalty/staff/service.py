"""Rules of keys: each has one role, its secret is shown once, and the last manager's key stays."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from hashlib import sha256

from sqlalchemy.orm import Session

from loyalty.audit_log.service import AuditLog
from loyalty.kit.database import clock_of, lock
from loyalty.kit.errors import Contradiction, Unknown
from loyalty.kit.ids import new_id
from loyalty.staff.models import Key, Role
from loyalty.staff.repository import KeyRepository

SECRET_PREFIX = "tdl_"  # noqa: S105 - how a secret begins, so that a leaked one is recognised
_SECRET_BYTES = 32


class KeyService:
    """Keys in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._keys = KeyRepository(session)
        self._log = AuditLog(session)

    def add(self, name: str, role: Role, *, actor: str) -> tuple[Key, str]:
        """Makes a key; returns it with its secret, which nobody can see again."""
        secret = SECRET_PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
        key = Key(id=new_id("key"), name=name, role=role, secret_hash=_hash(secret), revoked_at=None)
        self._keys.add(key)
        self._log.note(actor, "key.added", key.id, after={"name": name, "role": role.value})
        return key, secret

    def revoke(self, key_id: str, *, actor: str, reason: str) -> Key:
        """Ends a key at once. A key that has ended stays as it is."""
        lock(self._session, "keys")  # two managers at once must not revoke each other
        key = self._keys.get(key_id)
        if key is None:
            raise Unknown("unknown_key", f"there is no key {key_id}")
        if key.revoked_at is not None:
            return key
        if key.role is Role.MANAGER and self._keys.live_with(Role.MANAGER) == 1:
            raise Contradiction(
                "last_manager", f"{key_id} is the last manager's key: add another one before you revoke it"
            )
        key.revoked_at = clock_of(self._session).now()
        self._log.note(actor, "key.revoked", key.id, reason=reason, before={"revoked": False}, after={"revoked": True})
        return key

    def holder(self, secret: str) -> Key | None:
        """The key that has this secret, if it is good. A secret has 256 random bits, so a plain hash of it is enough."""
        key = self._keys.with_hash(_hash(secret))
        return key if key is not None and key.revoked_at is None else None

    def get(self, key_id: str) -> Key:
        """The key with this id. Raises Unknown."""
        found = self._keys.seen(key_id)
        if found is None:
            raise Unknown("unknown_key", f"there is no key {key_id}")
        return found

    def names(self, keys: Iterable[str]) -> dict[str, str]:
        """Whose these keys are, by id."""
        return self._keys.names(keys)

    def page(self, *, cursor: str | None, limit: int) -> tuple[Sequence[Key], str | None]:
        """Keys, newest first."""
        return self._keys.page(cursor, limit)


def _hash(secret: str) -> bytes:
    return sha256(secret.encode()).digest()
