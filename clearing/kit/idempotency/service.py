"""Rules of idempotency keys: a key has one effect, and every repetition gets the first answer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from clearing.kit.errors import ClearingError, Conflict, InvalidRequest, Unavailable
from clearing.kit.idempotency.models import IdempotencyRecord
from clearing.kit.idempotency.repository import IdempotencyRepository

PATIENCE_SECONDS = 2.0
"""How long a request waits for an earlier one with the same key, in seconds."""


class KeyReused(InvalidRequest):
    """The key was used for a different request."""

    code = "idempotency_key_reused"


class InFlight(Conflict):
    """The first request with this key is still running."""

    code = "idempotency_in_flight"


@dataclass(frozen=True, slots=True)
class Claim:
    """A claimed key. If `is_first`, the record is empty and ours to fill; otherwise it holds the first answer."""

    record: IdempotencyRecord
    is_first: bool


class IdempotencyService:
    """Idempotency keys in one transaction."""

    def __init__(self, session: Session) -> None:
        self._records = IdempotencyRepository(session)

    def claim(self, principal: str, key: str, fingerprint: bytes) -> Claim:
        """Claims the key, or finds the answer that it had before. Raises KeyReused or InFlight."""
        try:
            record = self._records.claim(principal, key, fingerprint, patience=PATIENCE_SECONDS)
        except OperationalError as error:
            if getattr(error.orig, "sqlstate", None) == "55P03":  # lock_not_available
                raise _in_flight() from error
            raise
        if record is not None:
            return Claim(record, is_first=True)
        first = self._records.get(principal, key)
        if first is None:
            raise _in_flight()
        if first.fingerprint != fingerprint:
            raise KeyReused("this Idempotency-Key was used for a different request; make a new key for a new request")
        return Claim(first, is_first=False)


def fingerprint(method: str, path: str, body: Any) -> bytes:
    """The same for two requests that ask for the same. Leaves out `authorization`: a client that restarts signs again."""
    if isinstance(body, dict):
        body = {name: value for name, value in body.items() if name != "authorization"}
    return sha256(json.dumps([method, path, body], sort_keys=True, separators=(",", ":")).encode()).digest()


AUTHORIZATION_CODES = frozenset(
    {"signature_required", "wrong_signer", "deadline_passed", "deadline_too_far", "nonce_used"}
)

WEAK_KEY_CODES = frozenset({"insufficient_scope", "forbidden"})


def is_final(error: ClearingError) -> bool:
    """Whether this refusal is the key's answer for good.

    A malformed request never counted, "not now" does not say never, and a failure of ours is not the client's. A wrong
    `authorization` or API key can be corrected under the same key, because the fingerprint leaves both out.
    """
    is_passing = isinstance(error, (InvalidRequest, Unavailable))
    is_correctable = is_passing or error.code in AUTHORIZATION_CODES | WEAK_KEY_CODES
    return 400 <= error.status < 500 and not is_correctable


def _in_flight() -> ClearingError:
    return InFlight("the first request with this Idempotency-Key is still running; ask again in a moment")
