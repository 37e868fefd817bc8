"""Rare events that cannot be decoded or applied: set aside, told, and applied later, so that they stop nobody.

Only registrations, agreements, limits and money can be set aside. Entries never are.
"""

from __future__ import annotations

import structlog
from eth_abi.exceptions import DecodingError
from sqlalchemy import select
from sqlalchemy.exc import DataError, IntegrityError, InvalidRequestError
from sqlalchemy.orm import Session

from clearing.chain import contract
from clearing.chain.client import Log
from clearing.kit import metrics
from clearing.kit.events.models import Event
from clearing.kit.ids import new_id
from clearing.ledger.journal.models import ChainEvent, PoisonEvent
from clearing.pipeline.registry_events import apply_event
from tongdui.encoding import bytes_of, hex_of

log = structlog.get_logger(__name__)

UNREADABLE = (LookupError, ValueError, TypeError, ArithmeticError, AttributeError, DecodingError)
"""What decoding raises when a log is not what its topic says."""

_INAPPLICABLE = (*UNREADABLE, InvalidRequestError, IntegrityError, DataError)
"""What applying raises when the database has not what the event is about. A lost connection is none of these: it is no poison."""


def apply_or_set_aside(session: Session, block_number: int, item: Log, event: contract.ContractEvent) -> bool:
    """Applies an event, or sets it aside where that fails; whether it was applied. What it had changed until then is undone."""
    try:
        with session.begin_nested():
            undo = apply_event(session, event)
            session.add(
                ChainEvent(
                    block_number=block_number,
                    log_index=item.index,
                    name=event.name,
                    arguments=event.arguments,
                    undo=undo,
                )
            )
    except _INAPPLICABLE as error:
        set_aside(session, poison_event(block_number, item, event.name, error))
        return False
    return True


def poison_event(block_number: int, item: Log, name: str | None, error: Exception) -> PoisonEvent:
    """The row of an event that could not be applied."""
    return PoisonEvent(
        block_number=block_number,
        log_index=item.index,
        name=name,
        topics=[hex_of(topic) for topic in item.topics],
        data=item.data,
        tx_hash=item.tx_hash,
        error=f"{type(error).__name__}: {error}",
    )


def set_aside(session: Session, poison: PoisonEvent) -> None:
    """Stores it and tells the operator."""
    session.add(poison)
    data = {
        "block": poison.block_number,
        "log_index": poison.log_index,
        "name": poison.name,
        "error": poison.error,
    }
    session.add(
        Event(
            id=new_id("evt"),
            type="chain.event_set_aside",
            subject=hex_of(poison.tx_hash),
            actor="projector",
            data=data,
        )
    )
    metrics.EVENTS_QUARANTINED.inc()
    log.error("event set aside", **data)


def retry(session: Session) -> tuple[int, int]:
    """Tries the events that were set aside again, oldest first: how many are applied now, and how many still are not."""
    applied = failed = 0
    query = select(PoisonEvent).order_by(PoisonEvent.block_number, PoisonEvent.log_index)
    for poison in session.scalars(query).all():
        item = Log(tuple(bytes_of(topic) for topic in poison.topics), poison.data, poison.log_index, poison.tx_hash)
        try:
            with session.begin_nested():
                _apply_again(session, poison, item)
        except _INAPPLICABLE as error:
            poison.error = f"{type(error).__name__}: {error}"
            failed += 1
        else:
            applied += 1
    return applied, failed


def _apply_again(session: Session, poison: PoisonEvent, item: Log) -> None:
    event = contract.decode_log(item)
    if event is None:
        raise LookupError("the contract has no such event")
    undo = apply_event(session, event)
    session.add(
        ChainEvent(
            block_number=poison.block_number,
            log_index=poison.log_index,
            name=event.name,
            arguments=event.arguments,
            undo=undo,
        )
    )
    session.delete(poison)
