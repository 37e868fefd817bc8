"""Refusals, each with a stable code and one sentence that says what is wrong and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class FieldFault:
    """One field that is wrong: a JSON pointer to it, and what is wrong."""

    pointer: str
    detail: str


class Refusal(Exception):
    """The programme does not do what it was asked to do; nothing has happened.

    `pointer` is a JSON pointer to the field at fault, `parameter` the name of a query parameter or header; both may be empty.
    `faults` has the fields where several are wrong at once.
    """

    status: ClassVar[int] = 500

    def __init__(
        self, code: str, detail: str, *, pointer: str = "", parameter: str = "", faults: tuple[FieldFault, ...] = ()
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.pointer = pointer
        self.parameter = parameter
        self.faults = faults


class Malformed(Refusal):
    """The request itself is wrong."""

    status = 422


class Unknown(Refusal):
    """There is no such thing."""

    status = 404


class Contradiction(Refusal):
    """It contradicts what is so already."""

    status = 409


class NotSignedIn(Refusal):
    """Nobody knows who calls."""

    status = 401


class NotAllowed(Refusal):
    """The caller's role may not do this."""

    status = 403


class TooLarge(Refusal):
    """The request is larger than anything that can be meant."""

    status = 413


class NotNow(Refusal):
    """It may succeed a little later."""

    status = 503
