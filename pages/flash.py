"""Messages that the next page shows once. They travel in a cookie, signed with the session's secret: nobody can plant one."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

_SEAL_BYTES = 16
_PURPOSE = b"tongdui pages: flash"
_LONGEST = 2_000


@dataclass(frozen=True, slots=True)
class Flash:
    """One message; its tone is good, warn or bad."""

    text: str
    tone: str = "good"


def written(messages: Sequence[Flash], secret: str) -> str:
    """The messages as the value of a cookie. What is too long for one is left out."""
    kept = list(messages)
    while True:
        content = json.dumps([asdict(message) for message in kept], separators=(",", ":")).encode()
        if len(content) <= _LONGEST or not kept:
            return base64.urlsafe_b64encode(_seal(content, secret) + content).decode().rstrip("=")
        kept.pop()


def read(cookie: str | None, secret: str) -> tuple[Flash, ...]:
    """The messages of a cookie; none if we did not write it for this session."""
    try:
        raw = base64.urlsafe_b64decode((cookie or "") + "=" * (-len(cookie or "") % 4))
    except ValueError:
        return ()
    seal, content = raw[:_SEAL_BYTES], raw[_SEAL_BYTES:]
    if not content or not hmac.compare_digest(seal, _seal(content, secret)):
        return ()
    return tuple(Flash(**message) for message in json.loads(content))


def _seal(content: bytes, secret: str) -> bytes:
    return hmac.digest(secret.encode(), _PURPOSE + content, hashlib.sha256)[:_SEAL_BYTES]
