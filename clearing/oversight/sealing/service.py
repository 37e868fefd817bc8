"""Brings what the database keeps encrypted under another password, one row a transaction: it can be killed anywhere, and goes on.

Whoever runs it has both passwords, and so have the processes meanwhile: they open old and new rows alike. It goes from the newest
row to the oldest, and what is made meanwhile is under the new password: if the newest and the oldest row open, all between them do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import partial

from sqlalchemy.orm import Session

from clearing.kit.database import Database
from clearing.kit.rollbacks import transact
from clearing.kit.signing.keyring import Keyring
from clearing.kit.signing.passwords import Purpose
from clearing.oversight.sealing.repository import PLACES, SealedRepository


class Outcome(StrEnum):
    """What a run has made of a row."""

    REWRAPPED = "rewrapped"
    """It has come under the new password, or would come."""
    CURRENT = "current"
    """It was under it already."""
    CLOSED = "closed"
    """No password opens it."""


class SealingService:
    """What is encrypted for one purpose."""

    def __init__(self, database: Database, purpose: Purpose, passwords: Sequence[str]) -> None:
        """The first of the passwords is the new one."""
        self._database = database
        self._place = PLACES[purpose]
        self._new, self._old, self._any = Keyring(*passwords[:1]), Keyring(*passwords[1:]), Keyring(*passwords)

    def rewrap(self, *, dry_run: bool) -> Mapping[Outcome, Sequence[str]]:
        """Brings every row under the new password, or with `dry_run` only says what would happen. The rows of each outcome."""
        with self._database.reading() as session:
            keys = SealedRepository(session, self._place).keys()
        found: dict[Outcome, list[str]] = {outcome: [] for outcome in Outcome}
        for key in keys:
            outcome = self._looked_at(key) if dry_run else transact(self._database, partial(self._rewrapped, key=key))
            if outcome is not None:
                found[outcome].append(key)
        return found

    def closed_end(self) -> str | None:
        """What no password opens of the rows that were made first and last."""
        with self._database.reading() as session:
            for row in SealedRepository(session, self._place).ends():
                key = str(getattr(row, self._place.key.key))
                try:
                    for text in self._place.sealed(row).values():
                        self._opened(self._any, key, text)
                except ValueError:
                    return f"the {self._place.what} {key}"
        return None

    def _looked_at(self, key: str) -> Outcome | None:
        with self._database.reading() as session:
            return self._rewrapped(session, key, dry_run=True)

    def _rewrapped(self, session: Session, key: str, *, dry_run: bool = False) -> Outcome | None:
        """What became of a row; None if nothing in it is encrypted any more."""
        row = SealedRepository(session, self._place).row(key, lock=not dry_run)
        sealed = self._place.sealed(row) if row is not None else {}
        if not sealed:
            return None
        try:
            closed_by_old = {
                name: self._opened(self._old, key, text)
                for name, text in sealed.items()
                if not self._is_current(key, text)
            }
        except ValueError:
            return Outcome.CLOSED
        if not closed_by_old:
            return Outcome.CURRENT
        if not dry_run:
            for name, secret in closed_by_old.items():
                setattr(row, name, self._sealed(key, secret))
        return Outcome.REWRAPPED

    def _is_current(self, key: str, text: str) -> bool:
        try:
            self._opened(self._new, key, text)
        except ValueError:
            return False
        return True

    def _opened(self, keyring: Keyring, key: str, text: str) -> bytes:
        if self._place.sealed_for is None:
            return keyring.private_key(text)
        return keyring.unseal(self._place.sealed_for(key), text)

    def _sealed(self, key: str, secret: bytes) -> str:
        if self._place.sealed_for is None:
            return self._new.encrypt(secret)[1]
        return self._new.seal(self._place.sealed_for(key), secret)
