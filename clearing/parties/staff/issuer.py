"""Another issuer (OpenID Connect) over HTTP: what it says of itself, and how it is asked.

It may be slow, or away. What it says is looked up once an hour, by one thread while the others wait for that. That it does not
answer is remembered, too, so that nobody waits for it again at once.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from threading import Lock
from typing import Annotated, Any

import httpx
import structlog
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from pydantic import BaseModel, Field, ValidationError

from clearing.kit.clock import Clock
from clearing.kit.errors import Unauthenticated, Unavailable
from tongdui._flow import tls

log = structlog.get_logger(__name__)

_KEEP = 3_600
"""Seconds for which its word about itself is good."""
_KEEP_FAILURE = 30
"""Seconds after a failed lookup until the next."""
_RENEW_EVERY = 60
"""Seconds between two lookups because a signature fits none of its keys."""
_TIMEOUT = 3.0
"""Seconds for connecting, and for each silence."""
_PATIENCE = 4.0
"""Seconds for a whole answer, however busily it trickles."""
_LARGEST = 1_000_000
"""Bytes of an answer."""

Endpoint = Annotated[str, Field(pattern=r"^https?://[^/\s]+")]


class Metadata(BaseModel):
    """What we need of what an issuer says of itself (OpenID Connect Discovery 1.0)."""

    issuer: str
    authorization_endpoint: Endpoint
    token_endpoint: Endpoint
    jwks_uri: Endpoint
    userinfo_endpoint: Endpoint | None = None
    token_endpoint_auth_methods_supported: list[str] = ["client_secret_basic"]


@dataclass(frozen=True, slots=True)
class Issuer:
    """An issuer, as it has described itself at a moment."""

    metadata: Metadata
    keys: KeySet
    known_since: int


class IssuerDirectory:
    """The issuer with this URL. Threads share it."""

    def __init__(self, url: str, clock: Clock) -> None:
        self._url = url.rstrip("/")
        self._clock = clock
        self._lock = Lock()
        self._known: Issuer | None = None
        self._failed: tuple[int, str] | None = None
        self._renewed_at = 0

    def issuer(self) -> Issuer:
        """The issuer. Raises Unavailable if it does not say who it is, or did not a moment ago."""
        known = self._fresh()
        if known is not None:
            return known
        with self._lock:
            return self._fresh() or self._looked_up()

    def newer(self, known: Issuer) -> Issuer:
        """The issuer, looked up anew because its signature fits none of the known keys; the same one if that was done just now."""
        with self._lock:
            now = self._clock.unix()
            if self._known is not None and self._known is not known:
                return self._known  # somebody else has just looked
            if 0 <= now - self._renewed_at < _RENEW_EVERY:
                return known
            self._renewed_at = now
            return self._looked_up()

    def _fresh(self) -> Issuer | None:
        known = self._known
        return known if known is not None and 0 <= self._clock.unix() - known.known_since < _KEEP else None

    def _looked_up(self) -> Issuer:
        now = self._clock.unix()
        if self._failed is not None and 0 <= now - self._failed[0] < _KEEP_FAILURE:
            raise _unavailable(self._failed[1], retry_after=_KEEP_FAILURE - (now - self._failed[0]))
        try:
            self._known = replace(self._asked(), known_since=now)
        except Unavailable as error:
            self._failed = now, error.detail
            log.warning("the other issuer cannot be used", issuer=self._url, detail=error.detail)
            raise
        self._failed = None
        return self._known

    def _asked(self) -> Issuer:
        found = ask("GET", f"{self._url}/.well-known/openid-configuration")
        try:
            metadata = Metadata.model_validate(found)
        except ValidationError as error:
            wrong = ", ".join(sorted({str(fault["loc"][0]) for fault in error.errors()}))
            raise _unavailable(
                f"the issuer does not say what it must about itself, or not as it should: {wrong}"
            ) from error
        if metadata.issuer.rstrip("/") != self._url:
            raise _unavailable(f"the issuer calls itself {metadata.issuer}")
        keys = ask("GET", metadata.jwks_uri)
        try:
            return Issuer(metadata, KeySet.import_key_set(keys), 0)  # type: ignore[arg-type]
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise _unavailable(f"the issuer's keys cannot be read: {type(error).__name__}") from error


def ask(method: str, url: str, **options: Any) -> dict[str, Any]:
    """The JSON object that the issuer answers with. Raises Unavailable if it does not, Unauthenticated if it refuses a code."""
    try:
        status, body = _answer(method, url, **options)
        content = json.loads(body) if body else None
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, RecursionError) as error:
        raise _unavailable(f"the issuer does not answer as it should: {type(error).__name__}") from error
    if method == "POST" and 400 <= status < 500:
        _refused(status, content)
    if status != httpx.codes.OK:
        raise _unavailable(f"the issuer does not answer as it should: status {status}")
    if not isinstance(content, dict):
        raise _unavailable("the issuer does not answer as it should: no JSON object")
    return content


def _refused(status: int, content: object) -> None:
    """Tells a code that is not good any more from us, whom the issuer does not know."""
    said = content.get("error") if isinstance(content, dict) else None
    if status in (401, 403) or said in ("invalid_client", "unauthorized_client"):
        log.warning("the other issuer refuses this network", status=status, said=str(said)[:100])
        raise _unavailable("the issuer refuses this network itself; its operator has to look at TONGDUI_OIDC_CLIENT_ID")
    raise Unauthenticated("the issuer does not know this code any more; begin again", code="oidc_failed")


def _answer(method: str, url: str, **options: Any) -> tuple[int, bytes]:
    until = time.monotonic() + _PATIENCE
    body = bytearray()
    with httpx.stream(method, url, timeout=_TIMEOUT, verify=tls(), **options) as response:
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > _LARGEST:
                raise httpx.ReadError("the answer is too long")
            if time.monotonic() > until:
                raise httpx.ReadTimeout("the answer takes too long")
        return response.status_code, bytes(body)


def _unavailable(detail: str, retry_after: int = 1) -> Unavailable:
    return Unavailable(detail, code="oidc_unavailable", retry_after=retry_after)
