"""What went wrong, as a sentence for people and as a problem document for programs."""

from __future__ import annotations

import sys
import traceback
from dataclasses import dataclass, field
from typing import Any

from tongdui._errors import (
    APIConnectionError,
    APIError,
    OutcomeUnknownError,
    PendingError,
    SigningError,
    TillError,
    TongduiError,
    VerificationError,
)
from tongdui.audit.findings import CannotCheck

from ._outcomes import BAD, NONE, WrongUseError
from ._output import json_for

_REFUSALS = {409, 422}
_NO_OUTCOME_CODES = {"validation_failed", "idempotency_key_reused", "idempotency_in_flight"}
"""Refusals of the request and not of what it asks for."""

_AFTER_THE_COMMAND = {"--json", "--profile"}
"""Options of every command. Who writes them before it hears where they belong."""

_INTERRUPTED = "interrupted; what was accepted stays"


@dataclass(slots=True)
class Failure:
    """Why a command has no good outcome."""

    exit_code: int
    code: str
    """Stable, for programs: the gateway's code, or one of ours."""
    sentence: str
    hints: list[str] = field(default_factory=list)
    problem: dict[str, Any] = field(default_factory=dict)
    """What else the problem document says."""
    prefix: str = "tongdui: "

    def as_text(self) -> str:
        """The lines for people."""
        return "\n".join([f"{self.prefix}{self.sentence}", *(f"  {hint}" for hint in self.hints)])

    def as_json(self) -> str:
        """The problem document, on one line."""
        document = {
            "code": self.code,
            "title": self.sentence.partition("\n")[0],
            "detail": self.sentence,
            **self.problem,
        }
        if self.hints:
            document["hints"] = self.hints
        return json_for(sys.stderr, {**document, "exit_code": self.exit_code})


def failure_of(error: BaseException) -> Failure:
    """Say what an exception means. Its notes become hints."""
    failure = _failure(error)
    failure.hints += getattr(error, "__notes__", [])
    return failure


def usage_failure(error: Any) -> Failure:
    """Say what is wrong with the command line: an error of typer, with the command's usage and the nearest spelling."""
    message = str(error.format_message())
    if message.startswith("Usage:"):  # a group without a command: the message is its help
        return Failure(NONE, "wrong_use", message, prefix="")
    possible = getattr(error, "possibilities", None)
    if possible:
        near = " or ".join(sorted(possible))
        message = f"{str(error.message).rstrip('.')}. Did you mean {near}?"
    hints = []
    if getattr(error, "option_name", None) in _AFTER_THE_COMMAND and error.ctx.parent is None:
        message = f"{error.option_name} belongs behind the command, as in `tongdui status {error.option_name}`"
    if getattr(error, "ctx", None) is not None:
        hints.append(f"see `{error.ctx.command_path} --help`")
    return Failure(NONE, "wrong_use", message, hints)


def _failure(error: BaseException) -> Failure:
    if isinstance(error, APIError):
        return _of_api(error)
    if isinstance(error, VerificationError):
        return Failure(BAD, "not_valid", str(error), problem={"check": error.check}, prefix="NOT VALID  ")
    for kind, code in _CODES.items():
        if isinstance(error, kind):
            return Failure(NONE, code, str(error))
    if isinstance(error, TongduiError):  # RejectedError: the chain said no
        return Failure(BAD, "rejected", str(error))
    if isinstance(error, OSError):
        return Failure(NONE, "file", _os_sentence(error))
    if isinstance(error, (KeyboardInterrupt, EOFError)):
        return Failure(NONE, "interrupted", _INTERRUPTED)
    from httpx import InvalidURL

    if isinstance(error, InvalidURL):
        return Failure(NONE, "wrong_use", f"that makes no URL: {error}")
    return _unexpected(error)


_CODES: dict[type[BaseException], str] = {
    WrongUseError: "wrong_use",
    CannotCheck: "cannot_check",
    OutcomeUnknownError: "outcome_unknown",
    APIConnectionError: "no_answer",
    SigningError: "signing",
    PendingError: "pending",
    TillError: "till",
    ValueError: "wrong_use",
    TypeError: "wrong_use",
}
"""Errors that mean that there is no outcome."""


def _of_api(error: APIError) -> Failure:
    refused = error.status in _REFUSALS and error.code not in _NO_OUTCOME_CODES
    problem = {
        "type": error.type or "about:blank",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "errors": [
            {name: value for name in ("pointer", "parameter", "detail") if (value := getattr(fault, name))}
            for fault in error.errors
        ],
        "request_id": error.request_id,
    }
    return Failure(BAD if refused else NONE, error.code, str(error), problem=problem)


def _os_sentence(error: OSError) -> str:
    return f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error)


def _unexpected(error: BaseException) -> Failure:
    failure = Failure(NONE, "internal_error", f"this is a fault of the command: {type(error).__name__}: {error}")
    if sys.flags.dev_mode:
        failure.hints.append("".join(traceback.format_exception(error)).rstrip())
    else:
        failure.hints.append("what was accepted stays; please report it, with what PYTHONDEVMODE=1 shows")
    return failure
