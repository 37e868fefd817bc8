"""Takes blocks back that fell out of the chain, newest first, and queues again what they contained."""

from __future__ import annotations

import structlog
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from clearing.chain.client import ChainClient
from clearing.kit import metrics
from clearing.kit.database import Database
from clearing.kit.events.models import Event
from clearing.kit.identity import day_at
from clearing.kit.ids import new_id
from clearing.ledger.journal.effects import Effects
from clearing.ledger.journal.models import Batch, Block, ChainEvent, Entry, PoisonEvent, Rejection
from clearing.ledger.journal.repository import BlockRepository
from clearing.ordering.orders.finalisation import Reservations, reopen
from clearing.ordering.orders.models import Order
from clearing.pipeline.projection import apply_sums, effects_of, inherit_uses
from clearing.pipeline.registry_events import revert_event
from clearing.pipeline.repository import TransactionRepository
from clearing.pipeline.submission import reopen_calls
from tongdui.encoding import hex_of

log = structlog.get_logger(__name__)


def roll_back_to_chain(database: Database, client: ChainClient, utc_offset_seconds: int) -> int:
    """Takes blocks back until the newest one is in the chain again; how many. Each one in a transaction of its own."""
    taken = 0
    while True:
        with database.session.begin() as session:
            block = BlockRepository(session).last()
            if block is None or client.block_hash(block.number) == block.hash:
                return taken
            take_back(session, block, day_at(block.timestamp, utc_offset_seconds))
        taken += 1


def take_back(session: Session, block: Block, day: int) -> None:
    """Undoes everything that `project_block` did for this block of this day."""
    metrics.BLOCKS_REMOVED.inc()
    log.warning("block fell out of the chain", block=block.number, hash=hex_of(block.hash))
    rows = session.scalars(select(Entry).where(Entry.block_number == block.number).order_by(Entry.batch, Entry.index))
    effects = effects_of(session, [row.wire() for row in rows])
    backwards = Effects()
    for account, points in effects.points.items():
        backwards.points[account] = -points
    for merchant, micros in effects.micros.items():
        backwards.micros[merchant] = -micros
    for agreement, points in effects.uses.items():
        backwards.uses[agreement] = -points
    apply_sums(session, backwards, _reopen_orders(session, block.number), day)
    for table in (Entry, Rejection, Batch, PoisonEvent):
        session.execute(delete(table).where(table.block_number == block.number))
    _revert_events(session, block.number, day)
    reopen_calls(session, block.number)
    TransactionRepository(session).unsettle(block.number)
    session.delete(block)
    session.add(
        Event(
            id=new_id("evt"),
            type="chain.block_removed",
            subject=hex_of(block.hash),
            actor="projector",
            data={"block": block.number},
        )
    )


def _reopen_orders(session: Session, block_number: int) -> Reservations:
    """Orders that the block had made final wait again; what they set aside again, negative (to be un-released)."""
    query = select(Order).where(Order.block_number == block_number).order_by(Order.seq).with_for_update()
    orders = session.scalars(query).all()
    for order in orders:
        reopen(session, order)
    return Reservations.of(session, orders).negated()


def _revert_events(session: Session, block_number: int, day: int) -> None:
    query = select(ChainEvent).where(ChainEvent.block_number == block_number).order_by(ChainEvent.log_index.desc())
    events = session.scalars(query).all()
    inherit_uses(session, events, day, -1)
    for event in events:
        revert_event(session, event.name, event.arguments, event.undo)
        session.delete(event)
