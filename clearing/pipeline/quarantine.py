"""Quarantine for rare events that cannot be decoded or applied, so that they stop nobody. They can be retried later.

Only registrations, agreements, limits and money go into quarantine. Entries never do.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import structlog
from eth_abi.exceptions import DecodingError
from sqlalchemy.exc import DataError, IntegrityError, InvalidRequestError
from sqlalchemy.orm import Session

from clearing.chain import contract
from clearing.chain.client import Log
from clearing.kit import metrics
from clearing.kit.events.recorder import EventRecorder
from clearing.ledger.activity.recorder import ActivityRecorder
from clearing.ledger.journal.models import ChainEvent, QuarantinedEvent
from clearing.ledger.journal.repository import BlockRepository, ChainEventRepository, QuarantineRepository
from clearing.ledger.settlement.repository import PositionRepository
from clearing.parties.merchants.repository import MerchantRepository
from clearing.pipeline.registry_events import (
    Arguments,
    apply_event,
    apply_registration,
    lock_registrations,
    merchants_paid,
)
from tongdui.encoding import bytes_of, hex_of

log = structlog.get_logger(__name__)

UNREADABLE = (LookupError, ValueError, TypeError, ArithmeticError, AttributeError, DecodingError)
"""What decoding raises when a log is not what its topic says."""

_INAPPLICABLE = (*UNREADABLE, InvalidRequestError, IntegrityError, DataError)
"""What applying raises when the database lacks what the event is about. A lost connection is not among them: that is no fault of
the event."""


def apply_or_quarantine(
    session: Session,
    block_number: int,
    day: int,
    item: Log,
    event: contract.ContractEvent,
    *,
    is_registration: bool = False,
) -> bool:
    """Applies an event of a block of this day (or only its first step) and returns True; where that fails, undoes its changes, puts
    it into quarantine and returns False."""
    try:
        with session.begin_nested():
            undo = apply_registration(session, event) if is_registration else apply_event(session, event)
            _keep(session, block_number, day, item.index, event, undo)
    except _INAPPLICABLE as error:
        quarantine_event(session, quarantined_event(block_number, item, event.name, error))
        return False
    return True


def quarantined_event(block_number: int, item: Log, name: str | None, error: Exception) -> QuarantinedEvent:
    """The row of an event that could not be decoded or applied."""
    return QuarantinedEvent(
        block_number=block_number,
        log_index=item.index,
        name=name,
        topics=[hex_of(topic) for topic in item.topics],
        data=item.data,
        tx_hash=item.tx_hash,
        error=_text_of(error),
    )


def quarantine_event(session: Session, quarantined: QuarantinedEvent) -> None:
    """Stores an event in quarantine and lets the operator know."""
    QuarantineRepository(session).add(quarantined)
    data = {
        "block": quarantined.block_number,
        "log_index": quarantined.log_index,
        "name": quarantined.name,
        "error": quarantined.error,
    }
    subject = hex_of(quarantined.tx_hash)
    EventRecorder(session).record("chain.event_quarantined", subject, actor="projector", data=data)
    metrics.EVENTS_QUARANTINED.inc()
    log.error("event quarantined", **data)


def retry_quarantined(session: Session) -> tuple[int, int]:
    """Retries the events in quarantine, oldest first: how many were applied, and how many failed again."""
    applied = failed = 0
    waiting = QuarantineRepository(session).list()
    _lock(session, waiting)
    for quarantined in waiting:
        try:
            with session.begin_nested():
                _release(session, quarantined)
        except _INAPPLICABLE as error:
            quarantined.error = _text_of(error)
            failed += 1
        else:
            applied += 1
    return applied, failed


def _lock(session: Session, waiting: Sequence[QuarantinedEvent]) -> None:
    """Locks all that the events may change, in the order in which everybody locks it."""
    events = []
    for quarantined in waiting:
        with suppress(*UNREADABLE):
            events.append(_decoded(quarantined))
    lock_registrations(session, events)
    if paid := merchants_paid(events):
        PositionRepository(session).lock_all(MerchantRepository(session).known(paid))


def _decoded(quarantined: QuarantinedEvent) -> contract.ContractEvent:
    topics = tuple(bytes_of(topic) for topic in quarantined.topics)
    event = contract.decode_log(Log(topics, quarantined.data, quarantined.log_index, quarantined.tx_hash))
    if event is None:
        raise LookupError("the contract has no such event")
    return event


def _release(session: Session, quarantined: QuarantinedEvent) -> None:
    """Applies an event in quarantine and takes it out."""
    event = _decoded(quarantined)
    block = BlockRepository(session).by_number(quarantined.block_number)
    assert block is not None, "an event leaves the quarantine with its block"
    _keep(session, block.number, block.day, quarantined.log_index, event, apply_event(session, event))
    QuarantineRepository(session).remove(quarantined)


def _keep(
    session: Session, block_number: int, day: int, log_index: int, event: contract.ContractEvent, undo: Arguments
) -> None:
    """Stores an applied event with what it replaced."""
    ActivityRecorder(session).add_bank_event(event.name, event.arguments, day)
    applied = ChainEvent(
        block_number=block_number, log_index=log_index, name=event.name, arguments=event.arguments, undo=undo
    )
    ChainEventRepository(session).add(applied)


def _text_of(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
