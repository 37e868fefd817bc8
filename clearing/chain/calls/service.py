"""Requests privileged calls in the caller's transaction. The sequencer signs and sends them later."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from clearing.chain.calls.models import Call
from clearing.chain.contract import encode_call
from clearing.kit.wakeups.channels import Channel, notify


def request_call(session: Session, role: str, function: str, arguments: list[Any], subject: str) -> Call:
    """Requests `function(arguments)`, signed by the key of `role`, on behalf of the resource `subject`.

    Encodes the call already now, so that arguments that do not fit fail here and not in the daemon.
    """
    encode_call(function, arguments)
    call = Call(role=role, function=function, arguments=arguments, subject=subject)
    session.add(call)
    session.flush()
    notify(session, Channel.REQUESTED)
    return call
