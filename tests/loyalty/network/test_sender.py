"""Wishes become movements, each once: what settles, what is refused, and what happens when somebody else was faster."""

from __future__ import annotations

import time
from datetime import date, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from loyalty.network.client import network_client
from loyalty.network.models import OrderState, OutgoingOrder, WishState
from loyalty.network.sender import Sender
from loyalty.network.wishes import IssueWish, WishService
from tests.loyalty.network.world import World
from tongdui import APIConnectionError, FieldError, IssuanceCapError, Order, PreparedOrder


def test_a_wish_settles_and_knows_its_leaf(world: World) -> None:
    member = world.station.member()
    world.wish("1", member, 200, expires_on=date(2031, 1, 1), facts={"why": "40.0 L x 5"})
    world.settle()
    (wish,) = world.wishes()
    (movement,) = world.station.movements(member)
    assert wish.state is WishState.SETTLED
    assert movement.entry is not None
    assert (wish.movement, wish.leaf, wish.tx_hash, wish.block_number) == (
        movement.id,
        movement.entry.leaf,
        movement.entry.tx_hash,
        movement.entry.block_number,
    )
    assert (movement.points, movement.expires_on, movement.reference) == (200, date(2031, 1, 1), wish.reference)
    assert movement.metadata == {"why": "40.0 L x 5", "loyalty_wish": wish.id}
    assert world.station.client.entries.receipt(movement).entry.points == 200


def test_many_wishes_are_one_order(world: World) -> None:
    member = world.station.member()
    for number in range(40):
        world.wish(str(number), member, 1 + number)
    world.settle(world.sender(order_size=50))
    assert world.station.posted(member) == sum(range(1, 41))
    assert len(world.orders()) == 1
    assert len({movement.order for movement in world.station.movements(member)}) == 1


def test_the_bytes_are_forgotten_once_all_is_decided(world: World) -> None:
    world.wish("1", world.station.member())
    world.settle()
    assert [(order.state, order.content) for order in world.orders()] == [(OrderState.DONE, None)]


def test_a_return_takes_back_pro_rata_once_the_issue_has_settled(world: World) -> None:
    member = world.station.member()
    world.wish("sale", member, 200)
    world.take_back("return-1", "sale", 50)
    world.settle()
    world.settle()  # the reversal was not sent before its original had settled
    world.take_back("return-2", "sale", 150)
    world.settle()
    assert world.states() == [WishState.SETTLED] * 3
    assert world.station.posted(member) == 0
    issue, first, second = world.station.movements(member)
    assert [one.reverses for one in (first, second)] == [issue.id, issue.id]
    assert issue.entry is not None


def test_an_unknown_member_costs_only_its_own_wishes(world: World) -> None:
    member = world.station.member()
    for number in range(8):
        world.wish(str(number), "external:NOBODY" if number in {2, 7} else member, 5)
    world.settle()
    refused = [wish for wish in world.wishes() if wish.state is WishState.REFUSED]
    assert [wish.reference for wish in refused] == [world.reference("2"), world.reference("7")]
    assert {wish.refusal for wish in refused} == {"not_found"}
    assert world.station.posted(member) == 30


def test_what_the_gateway_points_at_is_refused_and_the_rest_goes_on(world: World) -> None:
    member = world.station.member()
    world.wish("good", member, 5)
    world.wish("late", member, 7, expires_on=date(2020, 1, 1))
    world.settle()
    good, late = world.wishes()
    assert (good.state, late.state) == (WishState.SETTLED, WishState.REFUSED)
    assert late.refusal_detail
    assert world.station.posted(member) == 5


def test_a_movement_that_the_network_has_already_is_adopted(world: World) -> None:
    """As after the programme's database was restored from a copy of yesterday."""
    member = world.station.member()
    world.station.client.issuances.create(
        program="FUEL", member=member, points=10, reference=world.reference("1"), wait=60
    )
    world.wish("1", member)
    world.wish("2", member, 3)
    world.settle()
    first, second = world.wishes()
    assert (first.state, second.state) == (WishState.SETTLED, WishState.SETTLED)
    assert world.station.posted(member) == 13


@pytest.mark.parametrize("other", ["points", "member"])
def test_another_movement_under_our_reference_is_refused(world: World, other: str) -> None:
    member, stranger = world.station.member(), world.station.member()
    world.station.client.issuances.create(
        program="FUEL",
        member=stranger if other == "member" else member,
        points=11 if other == "points" else 10,
        reference=world.reference("1"),
        wait=60,
    )
    world.wish("1", member)
    world.settle()
    (wish,) = world.wishes()
    assert (wish.state, wish.refusal) == (WishState.REFUSED, "duplicate_reference")


def test_a_gateway_that_does_not_answer_is_asked_again_with_the_same_bytes(world: World) -> None:
    member = world.station.member()
    world.wish("1", member)
    sender = world.sender()
    answered = sender.submit
    sent: list[bytes] = []

    def lost(prepared: PreparedOrder) -> Order:
        sent.append(prepared.content)
        order = answered(prepared)
        if len(sent) == 1:
            raise APIConnectionError("the answer was lost")
        return order

    sender.submit = lost  # type: ignore[method-assign]
    assert sender.step()
    (order,) = world.orders()
    assert (order.state, order.failures, order.failure) == (OrderState.SIGNED, 1, "the answer was lost")
    world.clock.ahead += timedelta(seconds=5)
    world.settle(sender)
    assert len(sent) == 2
    assert sent[0] == sent[1]
    assert world.station.posted(member) == 10


def test_a_program_that_is_unknown_is_refused(world: World) -> None:
    member = world.station.member()
    with world.database.session.begin() as session:
        WishService(session).wish(IssueWish(reference=world.reference("x"), program="NONE", member=member, points=1))
    world.settle()
    assert [(wish.state, wish.refusal) for wish in world.wishes()] == [(WishState.REFUSED, "not_found")]


def signed_by_hand(world: World, *, nonce: int | None = None) -> OutgoingOrder:
    """An order that a sender has signed and kept, and then died."""
    sender = world.sender()
    work = sender.orders.take()
    assert work is not None
    work.order.nonce = nonce
    kept = sender.orders.keep_signed(work, sender.prepare(work, work.wishes))
    world.clock.ahead += timedelta(seconds=world.settings.lease + 1)
    return kept.order


def test_an_order_whose_deadline_is_over_is_given_free_and_sent_in_another_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = world.station.member()
    world.wish("1", member)
    with monkeypatch.context() as patch:
        patch.setattr(world.client._submitter.gateway, "now", lambda: time.time() - 3_600)
        signed_by_hand(world)
    world.settle()
    first, second = world.orders()
    assert (first.network_order, first.state, second.state) == (None, OrderState.DONE, OrderState.DONE)
    assert world.station.posted(member) == 10


def test_an_order_whose_nonce_is_used_waits_until_its_bytes_are_void(world: World) -> None:
    member = world.station.member()
    world.wish("1", member)
    world.settle()
    (first,) = world.orders()
    world.wish("2", member, 5)
    signed_by_hand(world, nonce=first.nonce)
    sender = world.sender()
    assert sender.step()
    assert not sender.step()
    assert world.states() == [WishState.SETTLED, WishState.SENDING]
    world.clock.ahead += timedelta(seconds=world.settings.order_lifetime + 120)
    world.settle(sender)
    assert world.states() == [WishState.SETTLED, WishState.SETTLED]
    assert len(world.orders()) == 3
    assert world.station.posted(member) == 15


def test_refused_wishes_are_signed_anew_with_the_same_nonce(world: World) -> None:
    member = world.station.member()
    world.wish("good", member, 5)
    world.wish("late", member, 7, expires_on=date(2020, 1, 1))
    nonce = signed_by_hand(world).nonce
    world.settle()
    (order,) = world.orders()
    assert (order.version, order.nonce) == (2, nonce)
    assert world.station.posted(member) == 5


@pytest.mark.parametrize("programme_url", ["sqlite"], indirect=True)
def test_an_order_that_is_too_large_is_halved(world: World) -> None:
    member = world.station.member()
    with world.database.session.begin() as session:
        for number in range(180):
            wanted = IssueWish(
                reference=world.reference(str(number)),
                program="FUEL",
                member=member,
                points=1,
                facts={"receipt": "x" * 6_800},
            )
            WishService(session).wish(wanted)
    world.settle()
    assert len(world.orders()) == 2
    assert world.station.posted(member) == 180


def test_what_says_not_now_refuses_nothing(world: World) -> None:
    """Points over the cap of the day: tomorrow they fit. (The operator's command that sets a cap takes effect a day later.)"""
    member = world.station.member()
    world.wish("1", member)
    sender = world.sender()
    submit, answers = sender.submit, []

    def over_the_cap(prepared: PreparedOrder) -> Order:
        answers.append(prepared)
        if len(answers) == 1:
            at = FieldError("/instructions/0/points", "6 points are left today")
            raise IssuanceCapError(status=422, code="over_issuance_cap", detail="too many", errors=[at])
        return submit(prepared)

    sender.submit = over_the_cap  # type: ignore[method-assign]
    assert sender.step()
    assert not sender.step()
    (order,) = world.orders()
    assert (order.state, order.failures, world.states()) == (OrderState.CLAIMED, 1, [WishState.SENDING])
    world.clock.ahead += timedelta(seconds=5)
    world.settle(sender)
    assert world.station.posted(member) == 10
    assert answers[0].nonce == answers[1].nonce


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"api_key": SecretStr("tdk_wrong")}, "unauthenticated"),
        ({"gateway_url": "{url}/nowhere"}, "not_found"),
        ({"gateway_url": "http://127.0.0.1:9"}, "refused"),
        ({"contract": "0x" + "11" * 20}, "contract"),
    ],
    ids=["key", "path", "gateway", "contract"],
)
def test_wrong_settings_refuse_nothing(world: World, wrong: dict[str, Any], says: str) -> None:
    """Whoever puts them right finds everything as it was."""
    member = world.station.member()
    world.wish("1", member)
    update = {
        name: value.format(url=world.station.network.url) if isinstance(value, str) else value
        for name, value in wrong.items()
    }
    settings = world.settings.model_copy(update=update)
    with network_client(settings) as client:
        assert Sender(world.database, client, settings).step()
    assert world.states() == [WishState.SENDING]
    (order,) = world.orders()
    assert says in str(order.failure).lower()
    world.clock.ahead += timedelta(seconds=5)
    world.settle()
    assert world.station.posted(member) == 10
