"""Rules of idempotency keys: a key has one effect, and every repetition gets the first answer.

What was refused had no effect, so nothing is kept of it: sent again, it is judged again.
"""

from __future__ import annotations

import re
from datetime import timedelta
from hashlib import sha256

from sqlalchemy.orm import Session

from loyalty.http.idempotency.models import IdempotencyRecord
from loyalty.http.idempotency.repository import IdempotencyRepository
from loyalty.kit.database import clock_of, lock
from loyalty.kit.errors import Malformed

HEADER = "Idempotency-Key"
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_PIECE = 500


class IdempotencyService:
    """Idempotency keys in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._records = IdempotencyRepository(session)

    def first_answer(self, caller: str, key: str, request: bytes) -> IdempotencyRecord:
        """The record of the key: with the first answer, or with the status 0 if this is the first request. Nobody else can use the
        key until the transaction ends. Raises Malformed if it was used for another request."""
        lock(self._session, f"idempotency:{caller}:{key}")
        fingerprint = sha256(request).digest()
        record = self._records.get(caller, key)
        if record is None:
            record = IdempotencyRecord(caller=caller, key=key, fingerprint=fingerprint, status=0, body=b"")
            self._records.add(record)
        elif record.fingerprint != fingerprint:
            raise Malformed(
                "idempotency_key_reused",
                f"this {HEADER} was used for a different request; make a new key for a new request",
                parameter=HEADER,
            )
        return record

    def clean_up(self, days: int) -> int:
        """Forgets some of the answers that are older than so many days; how many."""
        return self._records.remove_before(clock_of(self._session).now() - timedelta(days=days), _PIECE)


def checked(key: str | None) -> str:
    """The key of a request that changes something. Raises Malformed without one."""
    if key is None:
        detail = f"a request that changes something needs an {HEADER}: any text that you use for this request only"
        raise Malformed("idempotency_key_missing", detail, parameter=HEADER)
    if not _KEY.fullmatch(key):
        raise Malformed("idempotency_key_invalid", f"{HEADER} has 1 to 255 visible ASCII characters", parameter=HEADER)
    return key
