"""Refusals. Each class is a kind of problem with a stable code; the gateway turns it into an RFC 9457 problem document.

ClearingError
├── InvalidRequest (422)        the request is wrong in itself
├── Unauthenticated (401)       we do not know who is calling
├── NotFound (404)
├── Forbidden (403)
├── Conflict (409)
├── Refused (422)               the request is well-formed, but the state of the network forbids it
└── Unavailable (503)           try again later
    └── RateLimited (429)       you have asked too often
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from sqlalchemy.orm import Session

Pointer = Callable[[str], str]
"""Makes the JSON pointer of a request's field from the field's name."""


def pointer_into(place: str) -> Pointer:
    """Pointers to the fields of what stands at `place` (a JSON pointer; empty for the whole body)."""
    return lambda field: f"{place}/{field}"


@dataclass(frozen=True, slots=True)
class FieldError:
    """One wrong field: `pointer` is a JSON pointer into the request's body, or empty where a parameter beside it is wrong."""

    pointer: str
    detail: str
    parameter: str | None = None
    """The name of the query parameter, path parameter or header that is wrong."""


class ClearingError(Exception):
    """A refusal with a stable `code`. `detail` says what is wrong and what to do about it."""

    status = 500
    code = "internal_error"

    def __init__(self, detail: str, *, code: str | None = None, errors: tuple[FieldError, ...] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or type(self).code
        self.errors = errors
        self._counting: Callable[[Session], None] | None = None

    def counted_by(self, count: Callable[[Session], None]) -> Self:
        """The same refusal, with what must be written although the refusal undoes everything else: that somebody has tried.

        It is for refusals that are final for the request's idempotency key: then the count stands beside the recorded answer, once.
        """
        self._counting = count
        return self

    @property
    def counts(self) -> bool:
        """Whether there is something that must be written."""
        return self._counting is not None

    def count(self, session: Session) -> None:
        """Writes what must stay. Call it after the effect is rolled back, in the transaction that records the refusal.

        It may raise another refusal, which then takes this one's place.
        """
        if self._counting is not None:
            self._counting(session)

    @classmethod
    def at(cls, pointer: str, detail: str, *, code: str | None = None) -> ClearingError:
        """A refusal that one field of the body caused."""
        return cls(detail, code=code, errors=(FieldError(pointer, detail),))


class InvalidRequest(ClearingError):
    """The request is wrong in itself: correct it before you send it again."""

    status = 422
    code = "validation_failed"

    @classmethod
    def of_parameter(cls, name: str, detail: str) -> ClearingError:
        """A refusal that one query parameter, path parameter or header caused."""
        return cls(f"{name}: {detail}", errors=(FieldError("", detail, name),))


class Unauthenticated(ClearingError):
    """We do not know who is calling, or do not believe it."""

    status = 401
    code = "unauthenticated"


class NotFound(ClearingError):
    """There is no such resource, or the caller may not know of it."""

    status = 404
    code = "not_found"

    @classmethod
    def of(cls, noun: str, detail: str, pointer: str | None = None) -> ClearingError:
        """A missing resource: the request's own one, or the one that the body named at `pointer` (code `unknown_<noun>`)."""
        return cls(detail) if pointer is None else cls.at(pointer, detail, code=f"unknown_{noun}")


class Forbidden(ClearingError):
    """We know the caller, but it may not do this."""

    status = 403
    code = "forbidden"


class Conflict(ClearingError):
    """The request collides with something that exists."""

    status = 409
    code = "conflict"


class Refused(ClearingError):
    """The state of the network forbids it. This answer is final for the request's idempotency key."""

    status = 422
    code = "refused"


class Unavailable(ClearingError):
    """Not now. Try again in `retry_after` seconds."""

    status = 503
    code = "unavailable"

    def __init__(
        self, detail: str, *, code: str | None = None, errors: tuple[FieldError, ...] = (), retry_after: int = 1
    ) -> None:
        super().__init__(detail, code=code, errors=errors)
        self.retry_after = retry_after


class RateLimited(Unavailable):
    """You have asked too often. Try again in `retry_after` seconds, with the same idempotency key."""

    status = 429
    code = "rate_limited"
