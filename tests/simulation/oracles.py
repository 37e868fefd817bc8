"""What must be true of every schedule, whatever went wrong in it."""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from clearing.kit.events.models import Event
from clearing.ledger.accounts.models import Account
from clearing.ledger.journal.models import Batch, Entry
from clearing.ledger.settlement.models import Position
from clearing.notifications.webhooks.fanout import wants
from clearing.notifications.webhooks.models import WebhookEndpoint
from clearing.ordering.orders.models import OPEN_STATES, Instruction, Order, OrderState
from tests.simulation.merchants import Intent
from tests.simulation.network import Template
from tests.simulation.plan import HONEST, Plan
from tests.simulation.world import Violation, World
from tests.support.activity import expected_totals, stored_totals
from tongdui.audit.chain.layout import FUNDS, HEAD, balance_in, balance_slot, merchant_in, merchant_slot
from tongdui.encoding import word
from tongdui.orders import Kind
from tongdui.receipts import chain_head, merkle_root

PATIENCE = 4.0
"""Seconds of fair weather, of one block each, after which an honest order must have ended."""
WEBHOOK_PATIENCE = 15.0
"""Seconds of fair weather after which an honest merchant's event must have been tried."""


def violations_of(template: Template, plan: Plan) -> list[Violation]:
    """What must not have happened in a plan's schedule."""
    return run(World(template, plan))


def run(world: World) -> list[Violation]:
    """Runs a schedule to its end; what must not have happened in it."""
    return world.run(judge, lambda one: not untried(one))


def judge(world: World) -> None:
    """Notes everything that must not have happened."""
    with world.template.databases["oracle"].reading() as session:
        orders: dict[str, OrderState] = {row.id: row.state for row in session.execute(select(Order.id, Order.state))}
        ends = _ends(world, session)
        _once(world, session)
        for intent in world.merchants.intents:
            if intent.is_honest:
                _in_time(world, intent, orders, ends)
        still_open = [order for order, state in orders.items() if state in OPEN_STATES]
        if still_open:
            world.violate("everything ends", f"{len(still_open)} orders are still open: {still_open[:3]}")
        _entries(world, session)
    if world.reverted:
        times, orders_in = max(world.reverted.values()), len(world.reverted)
        world.violate("batches fit", f"batches with {orders_in} orders ran out of gas, with some {times} times")
        honest = {key: often for key, often in world.reverted.items() if key[0] in HONEST}
        if honest:
            world.violate(
                "nobody pays for others",
                f"{len(honest)} honest orders were in batches that ran out of gas, with some {max(honest.values())} times",
            )
    _conservation(world)
    for url, event_id, since in untried(world):
        world.violate("webhooks are tried", f"nobody has tried {event_id} of {since:.1f} s to {url}")
    _webhooks_in_time(world)


def _once(world: World, session: Session) -> None:
    """A document number has one effect, and nobody's order is there who was told that it is not."""
    wanted: dict[tuple[int, str], list[Intent]] = defaultdict(list)
    for intent in world.merchants.intents:
        wanted[intent.merchant, intent.reference].append(intent)
    found: dict[tuple[int, str], dict[str, bool]] = defaultdict(dict)
    query = select(Instruction.merchant_number, Instruction.reference, Order.id, Instruction.live).join(
        Instruction.order
    )
    for merchant, reference, order, live in session.execute(query.where(Instruction.reference.is_not(None))):
        found[merchant, reference][order] = live
    for key, intents in wanted.items():
        told = {intent.order for intent in intents if intent.order is not None}
        unsure = sum(intent.order is None and intent.refusal is None for intent in intents)
        there = found[key]
        if not told <= set(there) or len(set(there) - told) > unsure or sum(there.values()) > 1:
            world.violate(
                "exactly once", f"{key[1]} of merchant {key[0]} has the orders {there}, its clients know of {told}"
            )


def _ends(world: World, session: Session) -> dict[str, list[float]]:
    """When orders ended; more than once where a reorganisation took the end back."""
    found: dict[str, list[float]] = defaultdict(list)
    types = [f"order.{state}" for state in (OrderState.SETTLED, OrderState.REJECTED, OrderState.EXPIRED)]
    for order, ended in session.execute(select(Event.subject, Event.created_at).where(Event.type.in_(types))):
        found[order].append(world.seconds_at(ended))
    return found


def _in_time(world: World, intent: Intent, orders: dict[str, OrderState], ends: dict[str, list[float]]) -> None:
    """An honest order is accepted, ends, and does not have to wait for what others do."""
    if "queue_full" in intent.told_to_wait:
        world.violate("the full one alone waits", f"{intent.key} was told that the queue is full")
    if intent.order is None:
        if intent.refusal is None and world.weather.fair_seconds(intent.asked_at, world.scheduler.now) > PATIENCE:
            world.violate("honest orders are heard", f"{intent.key} got no answer: {intent.told_to_wait}")
        return
    state = orders.get(intent.order)
    if state is None or intent.accepted_at is None:
        return
    ended = min(ends.get(intent.order, []), default=world.scheduler.now)
    waited = world.weather.fair_seconds(intent.accepted_at, ended)
    if waited > PATIENCE:
        world.violate("honest orders end in time", f"{intent.key} waited {waited:.1f} s of fair weather")
    if state is OrderState.EXPIRED:
        world.violate("honest orders end in time", f"{intent.key} expired")


def _entries(world: World, session: Session) -> None:
    """Each settled instruction has one entry, and there is no other entry."""
    settled = (
        select(func.count())
        .select_from(Instruction)
        .join(Instruction.order)
        .where(Order.state == OrderState.SETTLED, Instruction.refused.is_(None))
    )
    entries, instructions = session.scalar(select(func.count()).select_from(Entry)), session.scalar(settled)
    if entries != instructions:
        world.violate("exactly once", f"{instructions} instructions were settled, with {entries} entries")


def _conservation(world: World) -> None:
    """The read model is the contract's state, and adds up."""
    storage = world.chain.head.storage
    with world.template.databases["oracle"].reading() as session:
        reserved = _reserved(session)
        accounts = select(Account.address, Account.program, Account.posted, Account.reserved, Account.expiring)
        for address, program, points, *promised in session.execute(accounts):
            posted = balance_in(storage.get(balance_slot(address, program), 0), program)
            if points != posted:
                world.violate(
                    "conservation", f"{address} has {posted} points of program {program} on chain, {points} here"
                )
            if tuple(promised) != reserved.get((address, program), (0, 0)):
                world.violate("conservation", f"{address} has {promised[0]} points reserved for nothing")
        money = 0
        for merchant, micros in session.execute(select(Position.merchant_number, Position.position)):
            on_chain = merchant_in(storage.get(merchant_slot(merchant), 0)).position
            money += micros
            if micros != on_chain:
                world.violate("conservation", f"merchant {merchant} has {on_chain} micros on chain, {micros} here")
        if money != storage.get(FUNDS, 0):
            world.violate("conservation", f"positions are {money} micros, {storage.get(FUNDS, 0)} at the bank")
        if stored_totals(session) != expected_totals(session):
            world.violate("conservation", "the totals of activity are not those of the entries")
        _journal(world, session)


def _reserved(session: Session) -> dict[tuple[str, int], tuple[int, int]]:
    """By account: what open orders reserve, and what open expire orders will burn."""
    found: dict[tuple[str, int], tuple[int, int]] = defaultdict(lambda: (0, 0))
    query = (
        select(
            Instruction.draws_address,
            Instruction.draws_program,
            Instruction.kind,
            Instruction.reserves,
            Instruction.points,
        )
        .join(Instruction.order)
        .where(Order.state.in_(OPEN_STATES), Instruction.draws_address.is_not(None))
    )
    for address, program, kind, reserves, points in session.execute(query):
        before = found[address, program]
        found[address, program] = (before[0] + reserves, before[1] + (points if kind == Kind.EXPIRE else 0))
    return found


def _journal(world: World, session: Session) -> None:
    """Every root is that of its entries, and the head is the chain's."""
    leaves: dict[int, list[bytes]] = defaultdict(list)
    columns = Entry.__table__.columns
    for row in session.execute(select(*columns).order_by(Entry.batch, Entry.index)):
        if _leaf(tuple(row)) != row.leaf:
            world.violate("journal", f"entry {row.index} of batch {row.batch} is not what its leaf says")
        leaves[row.batch].append(row.leaf)
    head = bytes(32)
    batches = session.execute(select(Batch.number, Batch.root).order_by(Batch.number))
    for expected, (number, root) in enumerate(batches, start=1):
        if number != expected or _root(tuple(leaves[expected])) != root:
            world.violate("journal", f"batch {number} is out of order, or its root is not that of its entries")
        head = chain_head(head, expected, len(leaves[expected]), root)
    if head != word(world.chain.head.storage.get(HEAD, 0)):
        world.violate("journal", "the head is not the contract's")


@lru_cache(maxsize=4_096)
def _leaf(columns: tuple[Any, ...]) -> bytes:
    """The leaf that an entry should have. Schedules of one family share most of their entries."""
    return Entry(**dict(zip(Entry.__table__.columns.keys(), columns, strict=True))).wire().leaf()


_root = lru_cache(maxsize=4_096)(merkle_root)


def untried(world: World) -> list[tuple[str, str, float]]:
    """Events that honest merchants' endpoints want and that were never sent: URL, event, when it happened."""
    return [one for one in _wanted(world) if one[:2] not in world.attempts]


def _webhooks_in_time(world: World) -> None:
    for url, event_id, since in _wanted(world):
        tried = world.attempts.get((url, event_id))
        if tried is not None and (waited := world.weather.fair_seconds(since, tried)) > WEBHOOK_PATIENCE:
            world.violate("webhooks are tried in time", f"{event_id} waited {waited:.1f} s for its first try at {url}")


def _wanted(world: World) -> list[tuple[str, str, float]]:
    if not world.plan.listens:
        return []
    with world.template.databases["oracle"].reading() as session:
        events = session.scalars(select(Event).where(Event.type.like("order.%"))).all()
        endpoints = [one for one in session.scalars(select(WebhookEndpoint)) if one.url not in world.mute]
        return [
            (endpoint.url, event.id, world.seconds_at(event.created_at))
            for endpoint in endpoints
            for event in events
            if wants(endpoint, event)
        ]
