"""Spend, transfer and reversal on a real chain: what the gateway accepts, the contract carries out to the last point and micro."""

from __future__ import annotations

from datetime import timedelta

import pytest

from clearing.kit.clock import MovableClock
from clearing.kit.errors import Forbidden, InvalidRequest, NotFound, Refused
from clearing.ordering.orders.kinds.issue import IssueRequest
from clearing.ordering.orders.kinds.reverse import ReverseRequest
from clearing.ordering.orders.kinds.spend import SpendRequest
from clearing.ordering.orders.models import Order, OrderState
from clearing.ordering.orders.repository import OrderRepository
from clearing.parties.codes.service import MemberCodeService
from clearing.parties.merchants.models import Merchant
from scripts.dev.services import Anvil
from tests.support.harness import Harness


def settled(harness: Harness, order_id: str) -> str:
    harness.settle()
    order: Order = harness.order(order_id)
    assert order.state is OrderState.SETTLED, (order.state, order.reason)
    return order_id


def test_a_spend_pays_the_acceptor_at_once(harness: Harness) -> None:
    agreement = harness.acceptor()
    member = harness.member()
    settled(harness, harness.issue(member, 1_000))
    settled(harness, harness.spend(member, 300, agreement))
    assert harness.posted(member) == 700
    assert harness.position(3) == 1_000_000_000 + 300 * 10_000
    assert harness.position(1) == 1_000_000_000 - 300 * 10_000 - 15_000, "the issuer pays the price and half a per cent"
    harness.check()


def test_a_spend_is_given_back_in_parts_by_the_acceptor_only(harness: Harness) -> None:
    agreement = harness.acceptor()
    member = harness.member()
    settled(harness, harness.issue(member, 1_000))
    spend = settled(harness, harness.spend(member, 300, agreement))
    with pytest.raises(Forbidden) as refusal:
        harness.reverse(1, spend)
    assert refusal.value.code == "not_giver"
    settled(harness, harness.reverse(3, spend, 100))
    assert harness.posted(member) == 800
    assert harness.position(3) == 1_000_000_000 + 200 * 10_000
    with pytest.raises(Refused) as over:
        harness.reverse(3, spend, 201)
    assert (over.value.code, over.value.detail) == ("over_reversal", "200 of its 300 points are left to undo")
    settled(harness, harness.reverse(3, spend))
    assert (harness.posted(member), harness.position(3)) == (1_000, 1_000_000_000)
    with pytest.raises(Refused) as done:
        harness.reverse(3, spend)
    assert done.value.code == "over_reversal"
    harness.check()


def test_points_move_to_another_member_and_back(harness: Harness) -> None:
    mother, child = harness.member(), harness.member()
    settled(harness, harness.issue(mother, 100))
    transfer = settled(harness, harness.transfer(mother, child, 60))
    assert (harness.posted(mother), harness.posted(child)) == (40, 60)
    settled(harness, harness.redeem(child, 25, "FUEL"))
    with pytest.raises(Refused) as spent:
        harness.reverse(1, transfer)
    assert spent.value.code == "insufficient_points"
    assert spent.value.detail == "the member has 35 of the 60 points that must come back; the rest is spent"
    settled(harness, harness.reverse(1, transfer, 35))
    assert (harness.posted(mother), harness.posted(child)) == (75, 0)
    harness.check()


def test_an_exchange_is_given_back_in_parts_that_add_up(harness: Harness) -> None:
    member = harness.member()
    settled(harness, harness.issue(member, 100))
    exchange = settled(harness, harness.exchange(member, 33))
    assert (harness.posted(member), harness.posted(member, 2)) == (67, 29), "29 for 33, which cost 32.2"
    for points in (10, 7, None):
        settled(harness, harness.reverse(2, exchange, points))
        harness.check()
    assert (harness.posted(member), harness.posted(member, 2)) == (100, 0)
    assert harness.position(2) == 1_000_000_000
    assert harness.position(1) == 1_000_000_000 - 1_450, "the operator keeps its fee"


def test_reversals_that_wait_together_never_undo_too_much(harness: Harness) -> None:
    member = harness.member()
    settled(harness, harness.issue(member, 100))
    exchange = settled(harness, harness.exchange(member, 33))
    first, second = harness.reverse(2, exchange, 10), harness.reverse(2, exchange, 11)
    with pytest.raises(Refused) as over:
        harness.reverse(2, exchange, 13)
    assert over.value.detail == "12 of its 33 points are left to undo; reversals of 21 are on their way to the chain"
    third = harness.reverse(2, exchange)
    for order in (first, second, third):
        settled(harness, order)
    assert (harness.posted(member), harness.posted(member, 2)) == (100, 0)
    harness.check()


def test_an_issuance_and_a_redemption_are_undone(harness: Harness) -> None:
    member = harness.member()
    issuance = settled(harness, harness.issue(member, 100))
    redemption = settled(harness, harness.redeem(member, 40, "FUEL"))
    with pytest.raises(Refused) as spent:
        harness.reverse(1, issuance)
    assert spent.value.detail == "the member has 60 of the 100 points that must come back; the rest is spent"
    settled(harness, harness.reverse(1, redemption))
    settled(harness, harness.reverse(1, issuance))
    assert harness.posted(member) == 0
    harness.check()


def test_a_movement_is_found_by_its_reference(harness: Harness) -> None:
    member = harness.member()
    settled(harness, harness.issue(member, 100, "sale-1"))
    with pytest.raises(NotFound):
        harness.accept(1, [ReverseRequest(original_reference="sale-2")])
    settled(harness, harness.accept(1, [ReverseRequest(original_reference="sale-1", points=10)]))
    assert harness.posted(member) == 90


def test_what_is_not_settled_cannot_be_undone_yet(harness: Harness) -> None:
    member = harness.member()
    issuance = harness.issue(member, 100)
    with pytest.raises(Refused) as early:
        harness.reverse(1, issuance)
    assert early.value.code == "not_settled"
    settled(harness, issuance)
    reversal = settled(harness, harness.reverse(1, issuance, 1))
    with pytest.raises(Refused) as again:
        harness.reverse(1, reversal)
    assert again.value.code == "not_reversible"
    with pytest.raises(InvalidRequest):
        harness.accept(1, [ReverseRequest()])


def test_one_order_cannot_undo_a_movement_twice(harness: Harness) -> None:
    member = harness.member()
    issuance = harness.movement(settled(harness, harness.issue(member, 100)))
    with pytest.raises(Refused) as twice:
        harness.accept(1, [ReverseRequest(movement=issuance), ReverseRequest(movement=issuance)])
    assert twice.value.code == "over_reversal"
    order = harness.accept(1, [ReverseRequest(movement=issuance, points=points) for points in (30, 70)])
    settled(harness, order)
    assert harness.posted(member) == 0
    harness.check()


def test_an_atomic_order_may_take_back_what_it_has_just_given(harness: Harness) -> None:
    member = harness.member()
    first = harness.movement(settled(harness, harness.issue(member, 100)))
    settled(harness, harness.redeem(member, 100, "FUEL"))
    requests = [IssueRequest(member=member, points=100, program="FUEL"), ReverseRequest(movement=first)]
    settled(harness, harness.accept(1, requests, atomic=True))
    assert harness.posted(member) == 0
    harness.check()


# -------------------------------------------------------------------- the target side


def test_whoever_began_a_movement_bears_its_fee(harness: Harness) -> None:
    agreement = harness.acceptor()
    member = harness.member()
    settled(harness, harness.issue(member, 1_000))
    with harness.database.session.begin() as session:
        fuel = session.get_one(Merchant, 1)
        _, code = MemberCodeService(session).create(
            fuel, member, points=300, program=None, presenter=None, seconds=300, actor="test"
        )
    spend = settled(harness, harness.accept(3, [SpendRequest(member_code=code, points=300, agreement=agreement)]))
    assert harness.position(1) == 1_000_000_000 - 3_015_000
    for points in (100, None):
        settled(harness, harness.reverse(3, spend, points))
    assert harness.position(1) == 1_000_000_000, "the issuer has lost nothing"
    assert harness.position(3) == 1_000_000_000 - 15_000, "the acceptor bears the operator's fee"
    harness.check()


# -------------------------------------------------------------------- an original that falls out of the chain


def test_a_reversal_waits_for_an_original_that_fell_out_of_the_chain(lone_harness: Harness, own_chain: Anvil) -> None:
    harness = lone_harness
    member = harness.member()
    before = harness.client.head()
    issuance = settled(harness, harness.issue(member, 100))
    reversal = harness.reverse(1, issuance, 60)
    own_chain.rpc("evm_setAutomine", False)
    own_chain.reorganise(harness.client.head() - before)
    while harness.order(issuance).state is OrderState.SETTLED:
        harness.projector.step()
    harness.sequencer.step()
    assert harness.order(reversal).state is OrderState.ACCEPTED, "nothing proves its original now"
    with pytest.raises(Refused) as refusal:
        harness.reverse(1, issuance, 1)
    assert refusal.value.code == "not_settled"
    own_chain.rpc("evm_setAutomine", True)
    settled(harness, reversal)
    assert harness.posted(member) == 40
    harness.check()


def test_a_reversal_whose_original_never_comes_back_ends_at_its_deadline(
    lone_harness: Harness, own_chain: Anvil, clock: MovableClock
) -> None:
    harness = lone_harness
    member = harness.member()
    before = harness.client.head()
    issuance = settled(harness, harness.issue(member, 100))
    reversal = harness.reverse(1, issuance, 60)
    own_chain.rpc("evm_setAutomine", False)
    own_chain.reorganise(harness.client.head() - before)
    while harness.order(issuance).state is OrderState.SETTLED:
        harness.projector.step()
    clock.move(timedelta(seconds=harness.settings.managed_deadline + 1))
    harness.sequencer.step()
    order = harness.order(reversal)
    assert (order.state, order.reason) == (OrderState.EXPIRED, "deadline_passed")
    with harness.database.reading() as session:
        assert OrderRepository(session).reversals([harness.movement(issuance)]) == []
    harness.check()
