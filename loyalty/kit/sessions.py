"""What all sessions of browsers have in common: a secret that only the browser knows, and how long they last."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final, Protocol

_SECRET_BYTES: Final = 32
_SEEN: Final = timedelta(minutes=1)
"""How exactly it is kept when a session was used."""


class Lasting(Protocol):
    """A session as it is kept."""

    seen_at: datetime
    ended_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a session lasts: without being used, and in any case."""

    idle: timedelta
    whole: timedelta

    @classmethod
    def of_seconds(cls, idle: int, whole: int) -> Limits:
        """The limits that settings have."""
        return cls(timedelta(seconds=idle), timedelta(seconds=whole))

    def is_over(self, session: Lasting, now: datetime) -> bool:
        """Whether a session has ended."""
        if session.ended_at is not None:
            return True
        return now - session.seen_at > self.idle or now - session.created_at > self.whole


def is_due(session: Lasting, now: datetime) -> bool:
    """Whether it is to be noted anew that the session is in use."""
    return now - session.seen_at > _SEEN


def new_secret() -> str:
    """What a browser keeps."""
    return secrets.token_urlsafe(_SECRET_BYTES)


def hash_of(secret: str) -> bytes:
    """What is kept here. A secret has 256 random bits, so a plain hash of it is enough."""
    return sha256(secret.encode(errors="surrogateescape")).digest()
