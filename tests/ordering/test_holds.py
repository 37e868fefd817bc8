"""Holds: points set aside count at once, are used at most once, and are free again the moment their time is over."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

import pytest
from sqlalchemy import func, select

from clearing.kit.clock import SYSTEM_CLOCK
from clearing.kit.errors import NotFound, Refused
from clearing.kit.events.models import Event
from clearing.ledger.availability.models import Hold, HoldState
from clearing.ledger.availability.repository import HoldFilter, HoldRepository
from clearing.ledger.journal.effects import Effects
from clearing.ledger.journal.models import Rejection
from clearing.ordering.holds.service import HoldEnded, HoldService
from clearing.ordering.orders.finalisation import Decision, OrderFinalisation
from clearing.ordering.orders.models import Order, OrderState
from clearing.ordering.orders.service import OrderService
from clearing.parties.agreements.usability import NamedAgreement
from clearing.parties.merchants.models import Merchant
from tests.support.chainless import ChainlessNetwork
from tests.support.harness import Harness
from tongdui.orders import Kind

T = TypeVar("T")


def hold(chainless: Harness, member: str, points: int, seconds: int = 600, *, program: str = "FUEL") -> str:
    with chainless.database.session.begin() as session:
        merchant = session.get_one(Merchant, 1)
        return (
            HoldService(session, network=chainless.network)
            .create(
                merchant,
                NamedAgreement(source_program=program, program_field="program"),
                member=member,
                member_code=None,
                points=points,
                seconds=seconds,
                most_seconds=604_800,
                reference=None,
                actor="test",
            )
            .id
        )


def capture(
    chainless: Harness,
    hold_id: str,
    points: int,
    kind: Kind = Kind.REDEEM,
    *,
    merchant: int = 1,
    agreement: str | None = None,
) -> str:
    fields = {"target_program": "CINE"} if kind is Kind.EXCHANGE else {}
    fields |= {"agreement": agreement} if agreement is not None else {}
    with chainless.database.session.begin() as session:
        orders = OrderService(
            session, network=chainless.network, keyring=chainless.keyring, settings=chainless.settings
        )
        found = session.get_one(Merchant, merchant)
        service = HoldService(session, network=chainless.network)
        order = service.capture(
            found, hold_id, kind, points=points, fields=fields, orders=orders, authorization=None, actor="test"
        )
        return order.id


def release(chainless: Harness, hold_id: str) -> None:
    with chainless.database.session.begin() as session:
        HoldService(session, network=chainless.network).release(session.get_one(Merchant, 1), hold_id, actor="test")


def available(chainless: Harness, member: str) -> int:
    return chainless.available(member)


def read(chainless: Harness, hold_id: str) -> Hold:
    with chainless.database.session.begin() as session:
        return session.get_one(Hold, hold_id)


def let_pass(chainless: Harness, hold_id: str) -> None:
    """The hold's time is over. Nobody has been told."""
    with chainless.database.session.begin() as session:
        session.get_one(Hold, hold_id).expires_at = SYSTEM_CLOCK.now() - timedelta(seconds=1)


@pytest.fixture
def member(chainless: ChainlessNetwork) -> str:
    """A member with 100 points of FUEL."""
    member = chainless.member()
    chainless.give(member, 100)
    return member


def test_points_on_hold_cannot_be_spent_or_held_again(chainless: ChainlessNetwork, member: str) -> None:
    hold(chainless, member, 70)
    assert available(chainless, member) == 30
    with pytest.raises(Refused, match="30 points available, 31 are needed"):
        chainless.redeem(member, 31, "FUEL")
    with pytest.raises(Refused, match="30 points available, 31 are needed"):
        hold(chainless, member, 31)
    chainless.redeem(member, 30, "FUEL")
    with pytest.raises(Refused, match="0 points available"):
        hold(chainless, member, 1)


def test_points_that_a_pending_order_uses_cannot_be_held(chainless: ChainlessNetwork, member: str) -> None:
    chainless.redeem(member, 80, "FUEL")
    with pytest.raises(Refused) as refusal:
        hold(chainless, member, 21)
    assert (refusal.value.code, refusal.value.errors[0].pointer) == ("insufficient_points", "/points")
    hold(chainless, member, 20)


def test_a_hold_is_captured_in_part_and_the_rest_is_free_at_once(chainless: ChainlessNetwork, member: str) -> None:
    held = hold(chainless, member, 70)
    order = capture(chainless, held, 45)
    assert available(chainless, member) == 55
    ended = read(chainless, held)
    assert (ended.state, ended.captured, ended.order_id) == (HoldState.CAPTURED, 45, order)


def test_captured_holds_settle_on_chain_as_what_they_became(harness: Harness) -> None:
    member = harness.member()
    harness.issue(member, 200)
    harness.settle()
    orders = [
        capture(harness, hold(harness, member, 100), 100, Kind.EXCHANGE),
        capture(harness, hold(harness, member, 100), 60),
    ]
    harness.settle()
    assert [harness.order(order).state for order in orders] == [OrderState.SETTLED] * 2
    assert available(harness, member) == 40
    assert harness.available(member, 2) == 90
    harness.check()


def test_a_hold_knows_whether_its_order_is_pending_also_after_its_block_fell_out(
    chainless: ChainlessNetwork, member: str
) -> None:
    held = hold(chainless, member, 70)
    order = chainless.order(capture(chainless, held, 70))
    assert read(chainless, held).drawing
    key, day = (order.merchant_number, order.nonce), chainless.today()
    with chainless.database.session.begin() as session:
        decisions = {key: Decision(accepted=1)}
        # The journal says which orders a block decided, and a line of it is enough.
        session.add(
            Rejection(block_number=7, log_index=0, merchant=key[0], nonce=key[1], item=1, reason="member_unknown")
        )
        midnight = chainless.network.begin_of(day)
        OrderFinalisation(session).settle(
            decisions, block_number=7, effects=Effects(), day=day, due={}, midnight=midnight
        )
    assert not read(chainless, held).drawing
    with chainless.database.session.begin() as session:
        OrderFinalisation(session).reopen(7, effects=Effects(), day=day)
    assert read(chainless, held).drawing
    assert available(chainless, member) == 30


def test_a_hold_is_captured_once_and_not_beyond_its_points(chainless: ChainlessNetwork, member: str) -> None:
    held = hold(chainless, member, 40)
    with pytest.raises(Refused) as refusal:
        capture(chainless, held, 41)
    assert refusal.value.code == "over_hold"
    capture(chainless, held, 40)
    with pytest.raises(HoldEnded, match="the hold is captured"):
        capture(chainless, held, 1)
    with pytest.raises(HoldEnded, match="the hold is captured"):
        release(chainless, held)
    assert available(chainless, member) == 60


def test_a_refused_capture_leaves_the_hold_as_it_was(chainless: ChainlessNetwork, member: str) -> None:
    held = hold(chainless, member, 50)
    with pytest.raises(Refused, match="fewer than the minimum"):
        capture(chainless, held, 1, Kind.EXCHANGE)
    assert read(chainless, held).state is HoldState.PENDING
    assert available(chainless, member) == 50
    capture(chainless, held, 50)


def test_a_released_hold_frees_its_points_and_may_be_released_again(chainless: ChainlessNetwork, member: str) -> None:
    held = hold(chainless, member, 100)
    release(chainless, held)
    release(chainless, held)
    assert read(chainless, held).state is HoldState.RELEASED
    with pytest.raises(HoldEnded, match="the hold is released"):
        capture(chainless, held, 1)
    chainless.redeem(member, 100, "FUEL")


def test_a_hold_is_over_when_its_time_is_even_if_no_sweeper_ever_runs(chainless: ChainlessNetwork, member: str) -> None:
    held = hold(chainless, member, 100)
    let_pass(chainless, held)
    assert available(chainless, member) == 100
    with pytest.raises(HoldEnded, match="the hold is expired"):
        capture(chainless, held, 1)
    chainless.redeem(member, 100, "FUEL")
    with chainless.database.session.begin() as session:
        assert [found.id for found in _list(session, HoldState.EXPIRED)] == [held]
        assert _list(session, HoldState.PENDING) == []


def test_the_sweeper_records_each_lapsed_hold_once(chainless: ChainlessNetwork, member: str) -> None:
    held = hold(chainless, member, 60)
    hold(chainless, member, 40)
    let_pass(chainless, held)
    for expected in (1, 0):
        with chainless.database.session.begin() as session:
            assert HoldService(session, network=chainless.network).tidy(100) == expected
    with chainless.database.session.begin() as session:
        events = session.scalars(select(Event).where(Event.type == "hold.expired")).all()
        assert [(event.subject, event.merchant_number) for event in events] == [(held, 1)]
    assert available(chainless, member) == 60


def test_only_the_programs_own_merchant_holds_its_points_and_sees_the_hold(
    chainless: ChainlessNetwork, member: str
) -> None:
    with pytest.raises(NotFound) as refusal:
        hold(chainless, member, 10, program="CINE")
    assert refusal.value.code == "unknown_agreement"
    held = hold(chainless, member, 10)
    with pytest.raises(NotFound):
        capture(chainless, held, 10, merchant=2)


def test_of_fifty_concurrent_holds_and_redemptions_exactly_the_covered_ones_succeed(
    chainless: ChainlessNetwork, member: str
) -> None:
    outcomes = at_once(
        [lambda: hold(chainless, member, 10)] * 25 + [lambda: chainless.redeem(member, 10, "FUEL")] * 25,
    )
    assert sum(outcome is not None for outcome in outcomes) == 10
    assert available(chainless, member) == 0


def test_of_ten_concurrent_captures_of_one_hold_one_succeeds(chainless: ChainlessNetwork, member: str) -> None:
    held = hold(chainless, member, 100)
    outcomes = at_once([lambda: capture(chainless, held, 60)] * 10)
    assert sum(outcome is not None for outcome in outcomes) == 1
    assert available(chainless, member) == 40
    with chainless.database.session.begin() as session:
        assert session.scalar(select(func.count()).select_from(Order)) == 1


def test_captures_and_other_orders_of_one_member_do_not_lock_each_other_out(
    chainless: ChainlessNetwork, member: str
) -> None:
    holds = [hold(chainless, member, 5) for _ in range(10)]

    def captured(hold_id: str) -> Callable[[], str]:
        return lambda: capture(chainless, hold_id, 5)

    outcomes = at_once([*map(captured, holds), *[lambda: chainless.redeem(member, 5, "FUEL")] * 10])
    assert None not in outcomes
    assert available(chainless, member) == 0


def at_once(actions: list[Callable[[], str]]) -> list[str | None]:
    """What the actions return when they all run at the same time; None for those that were refused."""
    outcomes: list[str | None] = []

    def run(action: Callable[[], str]) -> None:
        try:
            outcomes.append(action())
        except (Refused, HoldEnded):
            outcomes.append(None)

    threads = [threading.Thread(target=run, args=(action,)) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == len(actions), "an action failed in an unexpected way"
    return outcomes


def _list(session: object, state: HoldState) -> list[Hold]:
    repository = HoldRepository(session)  # type: ignore[arg-type]
    wanted = HoldFilter(merchant=1, state=state)
    return list(repository.list(wanted, [(1, 1)], at=SYSTEM_CLOCK.now(), after=None, limit=10))
