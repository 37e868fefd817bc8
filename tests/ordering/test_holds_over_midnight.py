"""Points that die while they are held: the hold keeps them, a capture takes them, and whatever ends the hold lets them expire."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select

from clearing.kit.clock import MovableClock
from clearing.kit.errors import Refused
from clearing.kit.identity import SECONDS_A_DAY
from clearing.ledger.accounts.repository import AccountRepository
from clearing.ledger.availability.models import Hold, HoldState
from clearing.ledger.lots.service import LotService
from clearing.ordering.expiry.rounds import ExpiryRound, ReminderRound
from clearing.ordering.holds.service import HoldService
from clearing.ordering.orders.kinds.exchange import ExchangeRequest
from clearing.ordering.orders.kinds.expire import ExpireRequest
from clearing.ordering.orders.kinds.issue import IssueRequest
from clearing.ordering.orders.models import Instruction
from scripts.dev.services import Anvil
from tests.ordering.test_expiry_rounds import TODAY, Story
from tests.ordering.test_holds import capture, hold, release
from tests.support.chainless import ChainlessNetwork
from tests.support.harness import Harness
from tongdui.encoding import word
from tongdui.orders import Kind

DAYS = SECONDS_A_DAY


@pytest.fixture
def today(clock: MovableClock, chainless: ChainlessNetwork) -> Callable[[int], None]:
    """Moves the network to a day, at noon."""

    def set_day(day: int) -> None:
        noon = chainless.network.begin_of(day) + timedelta(hours=12)
        clock.move(noon - clock.now())

    set_day(TODAY)
    return set_day


@pytest.fixture
def story(chainless: ChainlessNetwork, today: Callable[[int], None]) -> Story:
    """A member with 100 points that die tomorrow and 50 that never do."""
    story = Story(chainless)
    story.history.issue(story.address, 100, TODAY + 1)
    story.history.issue(story.address, 50)
    story.write()
    story.expire()
    return story


def links(story: Story, kind: Kind = Kind.REDEEM) -> list[bytes]:
    with story.chainless.database.session.begin() as session:
        query = select(Instruction.link).where(Instruction.kind == int(kind)).order_by(Instruction.order_seq)
        return list(session.scalars(query))


def begin_day(story: Story, day: int, today: Callable[[int], None]) -> None:
    """The day's round has run, and a block of the day is known."""
    today(day)
    story.close_a_block()
    story.expire()


def test_a_hold_keeps_the_points_that_die_and_a_capture_says_when_they_were_held(
    story: Story, today: Callable[[int], None]
) -> None:
    held = hold(story.chainless, story.member, 70, 3 * DAYS)
    today(TODAY + 1)
    assert story.available() == 50  # no round has run yet
    begin_day(story, TODAY + 1, today)
    assert (story.burnt(), story.available()) == ([30], 50)
    begin_day(story, TODAY + 2, today)
    assert (story.burnt(), story.available()) == ([30], 50)
    capture(story.chainless, held, 70)
    assert links(story) == [word(TODAY)]
    assert story.available() == 50
    story.expire()  # the order is pending: the dead points are about to be taken by it
    assert (story.burnt(), story.available()) == ([30], 50)


def test_an_order_that_comes_from_no_hold_says_no_day(story: Story) -> None:
    story.chainless.redeem(story.member, 5, "FUEL")
    assert links(story) == [word(0)]


def test_a_hold_is_captured_before_the_days_round_has_run(story: Story, today: Callable[[int], None]) -> None:
    held = hold(story.chainless, story.member, 120, 3 * DAYS)
    today(TODAY + 1)
    assert story.available() == 30
    capture(story.chainless, held, 120)
    assert story.available() == 30
    story.expire()
    assert (story.burnt(), story.available()) == ([], 30)


@pytest.mark.parametrize("ended", ["released", "lapsed", "tidied"])
def test_dead_points_that_a_hold_sets_free_cannot_be_used_and_are_burnt_by_the_next_round(
    story: Story, today: Callable[[int], None], clock: MovableClock, ended: str
) -> None:
    held = hold(story.chainless, story.member, 70, DAYS + 600)
    begin_day(story, TODAY + 1, today)
    if ended == "released":
        release(story.chainless, held)
    else:
        clock.move(timedelta(minutes=30))
    if ended == "tidied":
        with story.chainless.database.session.begin() as session:
            assert HoldService(session, network=story.chainless.network).tidy(10) == 1
    assert (story.burnt(), story.available()) == ([30], 50)
    with pytest.raises(Refused, match="50 points available"):
        story.chainless.redeem(story.member, 51, "FUEL")
    story.expire()
    assert (story.burnt(), story.available()) == ([30, 70], 50)
    story.expire()
    assert (story.burnt(), story.available()) == ([30, 70], 50)


def test_what_a_capture_in_part_leaves_of_dead_points_expires(story: Story, today: Callable[[int], None]) -> None:
    held = hold(story.chainless, story.member, 70, 3 * DAYS)
    begin_day(story, TODAY + 1, today)
    capture(story.chainless, held, 45)
    assert story.available() == 50
    story.expire()
    assert (story.burnt(), story.available()) == ([30, 25], 50)


def test_dead_points_come_back_from_a_captured_order_that_came_to_nothing_and_expire(
    story: Story, today: Callable[[int], None]
) -> None:
    held = hold(story.chainless, story.member, 70, 3 * DAYS)
    begin_day(story, TODAY + 1, today)
    capture(story.chainless, held, 70)
    story.fail_orders()  # the burning of thirty points, too
    assert story.available() == 50
    with story.chainless.database.session.begin() as session:
        assert (session.get_one(Hold, held).state, session.get_one(Hold, held).drawing) == (HoldState.CAPTURED, False)
    story.expire()
    assert (story.burnt(), story.available()) == ([30, 100], 50)


def test_dead_points_come_back_from_an_older_order_that_came_to_nothing_and_expire(
    story: Story, today: Callable[[int], None]
) -> None:
    story.chainless.redeem(story.member, 120, "FUEL")
    begin_day(story, TODAY + 1, today)
    assert (story.burnt(), story.available()) == ([30], 0)  # it will take the fifty, and seventy dead ones
    story.fail_orders()
    assert story.available() == 50
    story.expire()
    assert (story.burnt(), story.available()) == ([30, 100], 50)


def test_holds_of_two_days_each_keep_what_was_alive_on_their_own(
    chainless: ChainlessNetwork, today: Callable[[int], None]
) -> None:
    story = Story(chainless)
    story.history.issue(story.address, 60, TODAY + 1)
    story.history.issue(story.address, 60, TODAY + 2)
    story.history.issue(story.address, 10)
    story.write()
    first = hold(chainless, story.member, 50, 5 * DAYS)
    begin_day(story, TODAY + 1, today)
    assert (story.burnt(), story.available()) == ([10], 70)
    second = hold(chainless, story.member, 30, 5 * DAYS)
    begin_day(story, TODAY + 2, today)
    assert (story.burnt(), story.available()) == ([10, 30], 10)
    release(chainless, first)
    assert story.available() == 10
    story.expire()
    assert (story.burnt(), story.available()) == ([10, 30, 50], 10)
    capture(chainless, second, 30)
    assert links(story) == [word(TODAY + 1)]
    assert story.available() == 10


def test_a_merchant_cannot_burn_what_a_hold_keeps_and_can_once_it_ends(
    story: Story, today: Callable[[int], None]
) -> None:
    held = hold(story.chainless, story.member, 70, 3 * DAYS)
    begin_day(story, TODAY + 1, today)
    with pytest.raises(Refused) as refusal:
        story.chainless.accept(1, [ExpireRequest(member=story.member, points=1, program="FUEL")])
    assert refusal.value.code == "not_expired"  # thirty are being burnt, and seventy are the hold's
    release(story.chainless, held)
    story.chainless.accept(1, [ExpireRequest(member=story.member, points=70, program="FUEL")])
    assert (story.burnt(), story.available()) == ([30, 70], 50)
    story.expire()
    assert (story.burnt(), story.available()) == ([30, 70], 50)


def test_an_expiry_hold_grows_when_another_hold_ends(story: Story, today: Callable[[int], None]) -> None:
    held = hold(story.chainless, story.member, 70, 3 * DAYS)
    story.chainless.take_key_away(1)
    begin_day(story, TODAY + 1, today)
    assert story.available() == 50
    release(story.chainless, held)
    assert story.available() == 50
    story.expire()
    events = story.events("points.expiry_due")
    assert [event.data["due"][0]["points"] for event in events] == [30, 100]  # type: ignore[index]
    assert (story.burnt(), story.available()) == ([], 50)


def test_a_hold_of_today_ends_without_any_further_work(story: Story) -> None:
    held = hold(story.chainless, story.member, 70)
    release(story.chainless, held)
    with story.chainless.database.session.begin() as session:
        assert AccountRepository(session).due(TODAY, None, 1) == []
    assert story.available() == 150


# -------------------------------------------------------------------- transfers


def test_given_points_expire_with_whoever_has_them(chainless: ChainlessNetwork, today: Callable[[int], None]) -> None:
    giver, receiver = Story(chainless), Story(chainless)
    third = Story(chainless)
    giver.history.issue(giver.address, 100, TODAY + 1)
    giver.history.issue(receiver.address, 20)
    giver.history.transfer(giver.address, receiver.address, 60)
    giver.history.transfer(receiver.address, third.address, 25)
    giver.write()
    giver.expire()
    assert (receiver.available(), third.available()) == (55, 25)
    today(TODAY + 1)
    assert (giver.available(), receiver.available(), third.available()) == (0, 20, 0)
    giver.expire()
    assert sorted(giver.burnt()) == [25, 35, 40]
    assert (giver.available(), receiver.available(), third.available()) == (0, 20, 0)


def test_points_that_are_given_after_their_day_expire_too(
    chainless: ChainlessNetwork, today: Callable[[int], None]
) -> None:
    giver, receiver = Story(chainless), Story(chainless)
    giver.history.issue(giver.address, 100, TODAY)
    giver.history.day = TODAY
    giver.history.transfer(giver.address, receiver.address, 60)
    giver.write()
    assert (giver.available(), receiver.available()) == (0, 0)
    giver.expire()
    assert sorted(giver.burnt()) == [40, 60]


def test_whoever_was_given_points_is_reminded_of_them(
    chainless: ChainlessNetwork, today: Callable[[int], None]
) -> None:
    giver, receiver = Story(chainless), Story(chainless)
    giver.history.issue(giver.address, 100, TODAY + 7)
    giver.history.transfer(giver.address, receiver.address, 60)
    giver.write()
    ReminderRound(chainless.database, chainless.settings).run()
    events = giver.events("points.expiring")
    assert {event.subject: event.data["points"] for event in events} == {giver.member: 40, receiver.member: 60}


# -------------------------------------------------------------------- on the chain


class Night:
    """A network and its chain, a minute before midnight: a member has 300 points that die then, and 50 that never do."""

    def __init__(self, harness: Harness, chain: Anvil, clock: MovableClock) -> None:
        self.harness, self.chain, self.clock = harness, chain, clock
        self.day = harness.today()
        self.travel(harness.network.begin_of(self.day + 1) - timedelta(minutes=1) - clock.now())
        self.member = harness.member()
        tomorrow = harness.network.date_of(self.day + 1)
        dying = IssueRequest(member=self.member, points=300, program="FUEL", expires_on=tomorrow)
        self.issued = harness.accept(1, [dying])
        harness.issue(self.member, 50)
        harness.settle()

    def travel(self, time: timedelta) -> None:
        """Moves the network's clock and the chain's, and projects a block of that time. No order is sent."""
        self.clock.move(time)
        self.chain.rpc("evm_increaseTime", hex(int(time.total_seconds())))
        self.chain.rpc("evm_mine")
        while self.harness.projector.step():
            pass

    def begin_day(self) -> None:
        self.travel(timedelta(minutes=2))
        assert self.harness.today() == self.day + 1

    def expire(self) -> None:
        ExpiryRound(self.harness.database, self.harness.settings, self.harness.keyring).run()

    def lots(self) -> list[tuple[int, int]]:
        """(expiry day, points) of each of the member's lots of FUEL."""
        with self.harness.database.session.begin() as session:
            service = LotService(session, network=self.harness.network)
            return [(lot.expiry_day, lot.points) for lot in service.of(self.harness.account(self.member))]


@pytest.fixture
def night(lone_harness: Harness, own_chain: Anvil, clock: MovableClock) -> Night:
    return Night(lone_harness, own_chain, clock)


def test_a_hold_over_midnight_on_the_chain(night: Night) -> None:
    harness, member = night.harness, night.member
    redeemed, exchanged, released = (hold(harness, member, points) for points in (70, 101, 40))
    night.begin_day()
    night.expire()
    harness.settle()
    assert harness.available(member) == 50
    capture(harness, redeemed, 70)
    capture(harness, exchanged, 101, Kind.EXCHANGE)  # 101 points buy 90 for 100: one stays, and it is dead
    harness.settle()
    assert night.lots() == [(night.day + 1, 41), (0, 50)]
    assert harness.available(member) == 50
    release(harness, released)
    assert harness.available(member) == 50
    night.expire()
    harness.settle()
    assert night.lots() == [(0, 50)]
    assert (harness.available(member), harness.available(member, 2)) == (50, 90)
    harness.check()


def test_a_spend_that_a_hold_becomes_takes_what_was_alive_on_its_day(night: Night) -> None:
    agreement = night.harness.acceptor()
    held = hold(night.harness, night.member, 120)
    night.begin_day()
    capture(night.harness, held, 120, Kind.SPEND, agreement=agreement)
    night.expire()
    night.harness.settle()
    assert night.lots() == [(0, 50)]
    assert night.harness.available(night.member) == 50
    night.harness.check()


def test_what_a_reversal_is_about_to_take_back_is_not_burnt_and_no_live_point_in_its_place(night: Night) -> None:
    night.harness.reverse(1, night.issued, 260)
    night.begin_day()
    night.expire()
    night.harness.settle()
    assert night.lots() == [(0, 50)]
    night.expire()  # until then, as much stays set aside as would be due if the reversal had taken live points
    assert night.harness.available(night.member) == 50
    night.harness.check()


def test_points_given_through_the_gateway_expire_with_whoever_has_them(night: Night) -> None:
    friend = night.harness.member()
    night.harness.transfer(night.member, friend, 120)
    night.harness.settle()
    night.begin_day()
    assert (night.harness.available(night.member), night.harness.available(friend)) == (50, 0)
    night.expire()
    night.harness.settle()
    assert (night.harness.posted(night.member), night.harness.posted(friend)) == (50, 0)
    night.harness.check()


def test_exchanged_points_that_keep_their_expiry_are_over_with_their_source(night: Night) -> None:
    harness, member = night.harness, night.member
    agreement = harness.agree(2, keep_expiry=True, valid_until=2**33 + 1)
    harness.settle()
    request = ExchangeRequest(member=member, points=340, agreement=agreement)
    exchanged = harness.accept(1, [request])
    harness.settle()
    assert night.lots() == [(0, 10)]
    night.begin_day()
    assert harness.available(member, 2) == 36  # 270 of 306 were made of points that are over now
    harness.reverse(2, exchanged, 40)
    night.expire()
    harness.settle()
    assert night.lots() == [(0, 50)]
    assert (harness.posted(member, 2), harness.available(member, 2)) == (
        36,
        0,
    )  # it was not sure which the reversal takes
    night.expire()
    harness.settle()
    assert (harness.posted(member, 2), harness.available(member, 2)) == (0, 0)
    harness.check()
