"""Rolls back blocks that fell out of the chain, newest first. What they contained waits for another block."""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from sqlalchemy.orm import Session

from clearing.chain.client import ChainClient
from clearing.kit import metrics
from clearing.kit.database import Database
from clearing.kit.events.recorder import EventRecorder
from clearing.ledger.activity.recorder import ActivityRecorder
from clearing.ledger.journal.models import Block, ChainEvent
from clearing.ledger.journal.repository import BlockRepository, ChainEventRepository, EntryRepository
from clearing.ledger.journal.service import JournalService
from clearing.ledger.lots.repository import LotRepository
from clearing.ordering.orders.finalisation import OrderFinalisation
from clearing.pipeline.projection import settlement_of
from clearing.pipeline.registry_events import by_table, lock_registrations, revert_position, revert_registration
from clearing.pipeline.repository import TransactionRepository
from tongdui.encoding import hex_of

log = structlog.get_logger(__name__)


def roll_back_to_chain(database: Database, client: ChainClient) -> int:
    """Rolls back blocks until the newest one is in the chain again, each in a transaction of its own; returns how many."""
    taken = 0
    while True:
        with database.reading() as session:
            last = BlockRepository(session).last()
        if last is None or client.block_hash(last.number) == last.hash:
            return taken
        with database.session.begin() as session:
            block = BlockRepository(session).last()
            assert block is not None, "only the projector takes blocks away"
            assert block.hash == last.hash, "only the projector adds blocks"
            take_back(session, block)
        taken += 1


def take_back(session: Session, block: Block) -> None:
    """Undoes everything that `project_block` did for this block."""
    metrics.BLOCKS_REMOVED.inc()
    log.warning("block fell out of the chain", block=block.number, hash=hex_of(block.hash))
    journal, entries = JournalService(session), EntryRepository(session).of_block(block.number)
    originals = journal.originals(entries)
    effects = journal.effects_of(entries, block.day, originals)
    TransactionRepository(session).mark_unmined(block.number)
    rare = ChainEventRepository(session).of_block(block.number)
    _revert_registrations(session, rare)
    settlement = settlement_of(session, reversed(rare), (), block.day, effects.uses)
    OrderFinalisation(session).reopen(block.number, effects=effects, day=block.day, settlement=settlement)
    ActivityRecorder(session).take_back(entries, block.day, originals)
    blocks = BlockRepository(session)
    first_batch = blocks.first_batch(block.number)
    blocks.remove_content(block.number)
    if first_batch is not None:
        LotRepository(session).take_back(first_batch)
    _revert_positions(session, rare, block.day)
    blocks.remove(block)
    EventRecorder(session).record(
        "chain.block_removed", hex_of(block.hash), actor="projector", data={"block": block.number}
    )


def _revert_registrations(session: Session, events: Sequence[ChainEvent]) -> None:
    lock_registrations(session, events)
    for event in by_table(events, lambda one: one):
        revert_registration(session, event, event.undo)
    session.flush()


def _revert_positions(session: Session, events: Sequence[ChainEvent], day: int) -> None:
    repository = ChainEventRepository(session)
    for event in events:
        revert_position(session, event, event.undo)
        ActivityRecorder(session).take_bank_event_back(event.name, event.arguments, day)
        repository.remove(event)
