"""What the operator can do: pause, resume, cancel, and turn orders away while the queue is full."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from clearing.kit.errors import Conflict, NotFound, RateLimited, Unavailable
from clearing.kit.events.models import Event
from clearing.ledger.accounts.models import Account
from clearing.ledger.journal.models import Entry
from clearing.ledger.settlement.models import Position
from clearing.ordering.orders.kinds.issue import IssueRequest
from clearing.ordering.orders.models import OrderState
from clearing.oversight.operations.service import OperationsService
from tests.support.harness import Harness


def test_a_paused_sequencer_batches_nothing_until_it_is_resumed(harness: Harness) -> None:
    sent = harness.issue(harness.member(), 100)
    harness.sequencer.sign_batch()
    assert _operate(harness, lambda service: service.pause("audit"))
    assert not _operate(harness, lambda service: service.pause("again"))
    waiting = harness.issue(harness.member(), 100)
    harness.settle()
    assert harness.order(sent).state is OrderState.SETTLED, "what was signed is still sent"
    assert harness.order(waiting).state is OrderState.ACCEPTED
    assert _operate(harness, lambda service: service.resume())
    assert not _operate(harness, lambda service: service.resume())
    harness.settle()
    assert harness.order(waiting).state is OrderState.SETTLED
    with harness.database.session.begin() as session:
        recorded = session.scalars(select(Event).where(Event.type.like("sequencing.%")).order_by(Event.seq)).all()
        assert [(event.type, event.actor) for event in recorded] == [
            ("sequencing.paused", "op"),
            ("sequencing.resumed", "op"),
        ]
    harness.check()


def test_a_cancelled_order_is_final_frees_its_points_and_money_and_never_reaches_the_chain(harness: Harness) -> None:
    member = harness.member()
    harness.issue(member, 100)
    harness.settle()
    order = harness.exchange(member, 100)
    _operate(harness, lambda service: service.cancel(order))
    cancelled = harness.order(order)
    assert (cancelled.state, cancelled.reason) == (OrderState.CANCELLED, "cancelled_by_operator")
    with harness.database.session.begin() as session:
        assert {account.reserved for account in session.scalars(select(Account))} == {0}
        assert {position.reserved for position in session.scalars(select(Position))} == {0}
        event = session.scalars(select(Event).where(Event.subject == order, Event.type == "order.cancelled")).one()
        assert event.actor == "op"
    again = harness.exchange(member, 100)
    harness.settle()
    assert (harness.order(order).state, harness.order(again).state) == (OrderState.CANCELLED, OrderState.SETTLED)
    with harness.database.session.begin() as session:
        assert len(session.scalars(select(Entry)).all()) == 2
    harness.check()


def test_a_cancelled_orders_reference_may_be_used_again(harness: Harness) -> None:
    member = harness.member()
    order = harness.issue(member, 100, reference="sale-7")
    _operate(harness, lambda service: service.cancel(order))
    again = harness.issue(member, 100, reference="sale-7")
    harness.settle()
    assert harness.order(again).state is OrderState.SETTLED
    harness.check()


def test_only_an_order_that_waits_for_a_batch_can_be_cancelled(harness: Harness) -> None:
    order = harness.issue(harness.member(), 100)
    harness.sequencer.sign_batch()
    for _ in range(2):
        with pytest.raises(Conflict, match=r"submitted|settled") as refusal:
            _operate(harness, lambda service: service.cancel(order))
        assert refusal.value.code == "order_not_waiting"
        harness.settle()
    with pytest.raises(NotFound):
        _operate(harness, lambda service: service.cancel("ord_nobodys"))
    harness.check()


def test_a_merchant_whose_share_of_the_queue_is_full_waits_alone(harness: Harness) -> None:
    """41 orders of one merchant made the gateway send everybody away."""
    harness.settings.queue_limit = 200
    members = [harness.member() for _ in range(4)]

    def issue(program: str) -> str:
        requests = [IssueRequest(member=member, points=1, program=program) for member in members]
        return harness.accept({"FUEL": 1, "CINE": 2}[program], requests)

    for _ in range(25):
        issue("FUEL")
    with pytest.raises(
        RateLimited, match="100 of your instructions are waiting for the chain, and 0 of others"
    ) as full:
        issue("FUEL")
    assert (full.value.code, full.value.status) == ("queue_share_full", 429)
    assert full.value.retry_after > 0
    for _ in range(12):
        issue("CINE")
    with pytest.raises(RateLimited, match="48 of your instructions are waiting for the chain, and 100 of others"):
        issue("CINE")
    harness.settle()
    issue("FUEL")
    harness.settle()
    harness.check()


def test_a_queue_that_is_full_of_others_orders_is_no_fault_of_the_merchants(harness: Harness) -> None:
    harness.settings.queue_limit = 3
    harness.issue(harness.member(), 1)
    harness.settings.queue_limit = 2
    request = IssueRequest(member=harness.member(), points=1, program="CINE")
    with pytest.raises(Unavailable, match="1 instructions are waiting for the chain") as refusal:
        harness.accept(2, [request])
    assert (refusal.value.code, refusal.value.status) == ("queue_full", 503)
    assert refusal.value.retry_after > 0
    harness.settle()
    harness.accept(2, [request])
    harness.settle()
    harness.check()


def _operate(harness: Harness, action: Callable[[OperationsService], Any]) -> Any:
    with harness.database.session.begin() as session:
        return action(OperationsService(session, actor="op"))
