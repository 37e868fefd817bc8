"""Events as the gateway's webhooks would bring them: the same body, signed in the same way (Standard Webhooks)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import random
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

import httpx

from tongdui._delivery import backoff
from tongdui._flow import tls

from ._outcomes import WrongUseError
from ._profiles import directory, write_private

if TYPE_CHECKING:
    from tongdui._models import Event

_PREFIX = "whsec_"
_ANSWER_SECONDS = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One event, as a webhook tells it."""

    id: str
    type: str
    timestamp: datetime
    subject: str
    data: Mapping[str, Any]

    @classmethod
    def of(cls, event: Event) -> Message:
        """The message of an event."""
        at = event.created_at or datetime.now(UTC)
        return cls(id=event.id, type=event.type, timestamp=at, subject=event.subject or "", data=event.data)

    def body(self) -> bytes:
        """The request's body."""
        document = {
            "id": self.id,
            "type": self.type,
            "timestamp": self.timestamp.isoformat().replace("+00:00", "Z"),
            "subject": self.subject,
            "data": self.data,
        }
        return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What became of a message: the last answer's status, or why there was none."""

    message: Message
    attempts: int
    status: int | None
    failure: str | None

    @property
    def delivered(self) -> bool:
        """Whether the last answer was a good one."""
        return self.status is not None and 200 <= self.status < 300

    def document(self) -> dict[str, Any]:
        """The delivery for programs."""
        return {
            "event": self.message.id,
            "type": self.message.type,
            "subject": self.message.subject,
            "delivered": self.delivered,
            "status": self.status,
            "failure": self.failure,
            "attempts": self.attempts,
        }

    def line(self) -> str:
        """The delivery for people."""
        tries = f" ({self.attempts} attempts)" if self.attempts > 1 else ""
        return f"{self.message.type}  {self.message.id}  -> {self.status or self.failure}{tries}"


class Forwarder:
    """Sends messages to one URL, each again and again until it is accepted or `retries` are used up."""

    def __init__(self, url: str, secret: str, *, retries: int) -> None:
        self._url, self._key, self._retries = url, _key_of(secret), retries
        # Most are for this very machine, which no proxy reaches.
        self._http = httpx.Client(timeout=_ANSWER_SECONDS, verify=tls(), trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def send(self, message: Message) -> Delivery:
        """Send a message; returns what became of it."""
        attempt = 0
        while True:
            status, failure = self._attempt(message)
            attempt += 1
            delivery = Delivery(message=message, attempts=attempt, status=status, failure=failure)
            if delivery.delivered or attempt > self._retries:
                return delivery
            time.sleep(backoff(attempt - 1, None, random.random()))  # noqa: S311 - it only spreads attempts

    def _attempt(self, message: Message) -> tuple[int | None, str | None]:
        body, at = message.body(), int(time.time())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "tongdui-cli",
            "webhook-id": message.id,
            "webhook-timestamp": str(at),
            "webhook-signature": signature(self._key, message.id, at, body),
        }
        try:
            return self._http.post(self._url, content=body, headers=headers).status_code, None
        except httpx.HTTPError as error:
            return None, str(error) or type(error).__name__


def signature(key: bytes, message_id: str, at: int, body: bytes) -> str:
    """Sign a message as Standard Webhooks do.

    Args:
        key: The secret's bytes.
        message_id: The header `webhook-id`.
        at: The header `webhook-timestamp`.
        body: The request's body.

    Returns:
        The header `webhook-signature`.
    """
    digest = hmac.new(key, f"{message_id}.{at}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def own_secret() -> str:
    """The secret of this machine's user: made once, so that `listen` and `trigger` sign alike and a restart changes nothing."""
    path = directory() / "webhook-secret"
    try:
        kept = path.read_text(encoding="utf-8", errors="replace").strip()
    except FileNotFoundError:
        secret = _PREFIX + base64.b64encode(secrets.token_bytes(24)).decode()
        write_private(path, secret + "\n")
        return secret
    try:
        _key_of(kept)
    except WrongUseError:
        raise WrongUseError(f"{path} holds no secret: remove it, and the next run makes a new one") from None
    return kept


def _key_of(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not key:
        raise WrongUseError(f"the secret must be {_PREFIX} and base64, as the gateway makes it")
    return key
