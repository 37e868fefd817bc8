"""Rules of idempotency keys: one effect a key, and the first answer to whoever asks again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from clearing.kit.errors import ClearingError, Conflict, InvalidRequest
from clearing.kit.idempotency.models import IdempotencyRecord
from clearing.kit.idempotency.repository import IdempotencyRepository

PATIENCE = 2.0
"""Seconds that a request waits for an earlier one with the same key."""


class KeyReused(InvalidRequest):
    """The key was used for another request."""

    code = "idempotency_key_reused"


class InFlight(Conflict):
    """The first request with this key has no answer yet."""

    code = "idempotency_in_flight"


@dataclass(frozen=True, slots=True)
class Claim:
    """A key in this transaction. `is_first`: the record is ours to fill; else it holds the first answer."""

    record: IdempotencyRecord
    is_first: bool


class IdempotencyService:
    """Idempotency keys in one transaction."""

    def __init__(self, session: Session) -> None:
        self._records = IdempotencyRepository(session)

    def claim(self, principal: str, key: str, fingerprint: bytes) -> Claim:
        """Takes the key, or finds the answer that it got before. Raises KeyReused or InFlight."""
        try:
            record = self._records.claim(principal, key, fingerprint, patience=PATIENCE)
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
    """What makes two requests the same. The `authorization` is left out: a client that restarts signs anew."""
    if isinstance(body, dict):
        body = {name: value for name, value in body.items() if name != "authorization"}
    return sha256(json.dumps([method, path, body], sort_keys=True, separators=(",", ":")).encode()).digest()


AUTHORIZATION_CODES = frozenset(
    {"signature_required", "wrong_signer", "deadline_passed", "deadline_too_far", "nonce_used"}
)

WEAK_KEY_CODES = frozenset({"insufficient_scope", "forbidden"})


def is_final(error: ClearingError) -> bool:
    """Whether a refusal is the answer to its key for ever.

    Not a malformed request (it never counted), not a failure of ours, and not one because of the `authorization` or the
    API key, which the fingerprint leaves out so that they can be mended under the same key.
    """
    is_mendable = isinstance(error, InvalidRequest) or error.code in AUTHORIZATION_CODES | WEAK_KEY_CODES
    return 400 <= error.status < 500 and not is_mendable


def _in_flight() -> ClearingError:
    return InFlight("the first request with this Idempotency-Key is still running; ask again in a moment")
