"""Tokens against forged requests. A token is made of the session's secret, so the server keeps nothing, and a stolen token of one
session is worth nothing in another. It looks different each time: compression tells nobody what it is.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

FIELD = "csrf_token"
HEADER = "X-CSRF-Token"
_PURPOSE = b"tongdui pages: csrf"


def token_for(secret: str) -> str:
    """A new token for the session with this secret."""
    pad = secrets.token_bytes(32)
    return base64.urlsafe_b64encode(pad + _mixed(pad, _proof(secret))).decode().rstrip("=")


def is_valid(token: str, secret: str) -> bool:
    """Whether the token was made for the session with this secret."""
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except ValueError:
        return False
    if len(raw) != 64:
        return False
    return hmac.compare_digest(_mixed(raw[:32], raw[32:]), _proof(secret))


def _proof(secret: str) -> bytes:
    return hmac.digest(secret.encode(), _PURPOSE, hashlib.sha256)


def _mixed(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))
