"""Batches learn how much of the sure estimate of gas they need, where it keeps orders out; one that needs more is no harm."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import func, select

from clearing.kit.config import Settings
from clearing.ledger.journal.models import Batch
from clearing.ordering.orders import limits
from clearing.ordering.orders.kinds.exchange import ExchangeRequest
from clearing.ordering.orders.models import QueuedOrder
from clearing.pipeline.capacity import BatchCapacity, sure_gas_of
from tests.support.harness import Harness
from tongdui.orders import Kind

ITEMS = 10
GAS = 700_000
"""By the sure estimate, one order of ten exchanges; in truth, two."""


def batches(harness: Harness) -> int:
    with harness.database.session.begin() as session:
        return session.scalar(select(func.count()).select_from(Batch)) or 0


def exchange_all(harness: Harness, members: list[str], orders: int) -> int:
    """Makes orders of everybody's exchange and settles them; in how many batches."""
    requests = [ExchangeRequest(member=m, points=10, source_program="FUEL", target_program="CINE") for m in members]
    ids = [harness.accept(1, requests) for _ in range(orders)]
    before = batches(harness)
    harness.settle()
    assert {harness.order(order).state for order in ids} == {"settled"}
    return batches(harness) - before


def test_orders_share_a_batch_once_it_is_known_what_they_need(harness: Harness) -> None:
    members = [harness.member() for _ in range(ITEMS)]
    for member in members:
        harness.issue(member, 10_000)
    harness.settle()
    exchange_all(harness, members, 1)
    harness.settings.batch_max_gas = GAS
    harness.restart()
    assert exchange_all(harness, members, 2) == 2, "nothing was learned yet"
    for _ in range(4):
        exchange_all(harness, members, 2)
    assert exchange_all(harness, members, 2) == 1
    harness.check()


def test_a_batch_that_needs_more_than_was_learned_fails_and_its_orders_settle(harness: Harness) -> None:
    members = [harness.member() for _ in range(ITEMS)]
    for member in members:
        harness.issue(member, 10_000)
    harness.settle()
    harness.settings.batch_max_gas = GAS
    harness.restart()
    capacity = harness.sequencer._batches.capacity
    for _ in range(16):
        capacity.learn(100, 1)  # as if batches had needed almost nothing
    assert exchange_all(harness, members, 12) > 1, "all twelve together do not fit"
    harness.check()


def test_what_was_learned_is_forgotten_when_a_batch_fails(harness: Harness) -> None:
    settings, queue = harness.settings, [_order(harness.settings) for _ in range(3)]
    capacity = BatchCapacity(settings)
    gas = sure_gas_of(queue[:1])
    assert len(capacity.choose(queue, gas)) == 1
    assert capacity.is_tight
    for _ in range(3):
        capacity.learn(100, 30)
    assert len(capacity.choose(queue, gas)) == 1, "three batches are too few"
    capacity.learn(100, 30)
    assert len(capacity.choose(queue, gas)) == 2, "39 percent of two orders, but not of three"
    assert capacity.is_tight
    capacity.learn(100, 90)
    assert len(capacity.choose(queue, gas)) == 1, "one of the last needed almost all"
    for _ in range(16):
        capacity.learn(100, 30)
    assert len(capacity.choose(queue, gas)) == 2
    capacity.batch_failed()
    capacity.batch_succeeded()
    assert len(capacity.choose(queue, gas)) == 1
    assert not capacity.careful
    capacity.choose(queue[:1], gas)
    assert not capacity.is_tight, "nothing had to stay out"


def _order(settings: Settings) -> QueuedOrder:
    kinds = Counter({int(Kind.EXCHANGE): 300})
    assert limits.fits_alone(kinds, settings.batch_max_gas)

    class Row:
        size = 300

    return QueuedOrder(Row(), bytes(300), kinds)  # type: ignore[arg-type]
