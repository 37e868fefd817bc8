"""Rules of idempotency keys: a key has one effect, and every repetition gets the first answer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, TypeAlias

from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from clearing.kit.clock import clock_of
from clearing.kit.database import is_lock_timeout
from clearing.kit.errors import ClearingError, Conflict, InvalidRequest, Unavailable
from clearing.kit.idempotency.models import IdempotencyRecord
from clearing.kit.idempotency.repository import IdempotencyRepository, PrincipalKey

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


@dataclass(frozen=True, slots=True)
class KeyUse:
    """A request under a key."""

    principal: str
    key: str
    fingerprint: bytes

    @property
    def identity(self) -> PrincipalKey:
        """What no two requests share that ask for different things."""
        return self.principal, self.key


@dataclass(frozen=True, slots=True)
class GivenAnswer:
    """The answer to a request, to be repeated."""

    status: int
    body: str = ""
    location: str | None = None


Standing: TypeAlias = IdempotencyRecord | ClearingError | None
"""What is known of a key: the record of its first answer, a refusal, or nothing, because the request is the first."""


class IdempotencyService:
    """Idempotency keys in one transaction."""

    def __init__(self, session: Session) -> None:
        self._records = IdempotencyRepository(session)
        self._clock = clock_of(session)

    def claim_all(self, uses: Sequence[KeyUse]) -> list[Standing]:
        """What is known of each of these different keys. Nobody else can use those of which nothing is known, before this
        transaction ends. It waits for nobody: InFlight stands for a key that another transaction is using."""
        free = self._records.try_lock([use.identity for use in uses])
        known = self._records.used([use.identity for use in uses])
        return [_standing(use, known.get(use.identity), is_free=one) for use, one in zip(uses, free, strict=True)]

    def record_all(self, answers: Sequence[tuple[KeyUse, GivenAnswer]]) -> None:
        """Stores the first answers of keys that `claim_all` has claimed."""
        rows = [
            {
                "principal": use.principal,
                "key": use.key,
                "fingerprint": use.fingerprint,
                "status": answer.status,
                "body": answer.body,
                "location": answer.location,
                "created_at": self._clock.now(),
            }
            for use, answer in answers
        ]
        self._records.add(rows)

    def claim(self, principal: str, key: str, fingerprint: bytes) -> Claim:
        """Claims the key, or finds the answer that it had before. Raises KeyReused or InFlight."""
        try:
            record = self._records.claim(principal, key, fingerprint, patience=PATIENCE_SECONDS)
        except OperationalError as error:
            if is_lock_timeout(error):
                raise _in_flight() from error
            raise
        if record is not None:
            return Claim(record, is_first=True)
        first = self._records.get(principal, key)
        if first is None:
            raise _in_flight()
        if first.fingerprint != fingerprint:
            raise _reused()
        return Claim(first, is_first=False)


def _standing(use: KeyUse, record: IdempotencyRecord | None, *, is_free: bool) -> Standing:
    if record is not None:
        return record if record.fingerprint == use.fingerprint else _reused()
    return None if is_free else _in_flight()


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


def _reused() -> ClearingError:
    return KeyReused("this Idempotency-Key was used for a different request; make a new key for a new request")


def _in_flight() -> ClearingError:
    return InFlight("the first request with this Idempotency-Key is still running; ask again in a moment")
