"""Privileged calls of the contract: requested here in the caller's transaction, signed and sent by the sequencer daemon."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from clearing.chain.calls.models import Call
from clearing.chain.contract import encode_call


def request_call(session: Session, role: str, function: str, arguments: list[Any], subject: str) -> Call:
    """Asks for `function(arguments)` to be sent by the key of `role`, on behalf of the resource `subject`.

    Encodes the call now, so that arguments that the contract cannot take fail here and not in the daemon.
    """
    encode_call(function, arguments)
    call = Call(role=role, function=function, arguments=arguments, subject=subject)
    session.add(call)
    session.flush()
    return call
