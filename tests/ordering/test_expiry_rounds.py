"""The rounds that expire points and remind of them: run by hand, twice, late, and against what they must not touch."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from clearing.kit.clock import MovableClock
from clearing.kit.errors import Refused
from clearing.kit.events.models import Event
from clearing.kit.identity import SECONDS_A_DAY, day_at
from clearing.ledger.accounts.repository import AccountKey
from clearing.ledger.journal.models import Block
from clearing.ordering.expiry import rounds
from clearing.ordering.expiry.rounds import ExpiryRound, ReminderRound
from clearing.ordering.orders.finalisation import OrderFinalisation
from clearing.ordering.orders.kinds.expire import ExpireRequest
from clearing.ordering.orders.kinds.issue import IssueRequest
from clearing.ordering.orders.models import Instruction, Order, OrderState
from tests.ordering.test_holds import capture, hold
from tests.support.chainless import ChainlessNetwork
from tests.support.entry_history import EntryHistory
from tests.support.harness import Harness
from tongdui.orders import Kind

TODAY = 20_000


@pytest.fixture(autouse=True)
def today(clock: MovableClock) -> Callable[[int], None]:
    """Moves the network to another day. The chain keeps its own clock."""

    def set_day(day: int) -> None:
        clock.move(timedelta(days=day - day_at(clock.unix(), 28_800)))

    set_day(TODAY)
    return set_day


class Story:
    """A member whose history is written into the database."""

    def __init__(self, chainless: ChainlessNetwork) -> None:
        self.chainless = chainless
        self.history = EntryHistory(day=TODAY - 50)
        self.member = chainless.member()
        self.address, _ = chainless.account(self.member)

    def write(self) -> None:
        """Writes the history, once."""
        self.chainless.post(self.history)

    def close_a_block(self) -> None:
        """The projector has come to a block of today."""
        day = self.chainless.today()
        with self.chainless.database.session.begin() as session:
            session.add(
                Block(
                    number=day, hash=b"h" * 32, parent_hash=b"p" * 32, timestamp=day * SECONDS_A_DAY - 28_800, day=day
                )
            )

    def expire(self) -> None:
        ExpiryRound(self.chainless.database, self.chainless.settings, self.chainless.keyring).run()

    def available(self) -> int:
        return self.chainless.available(self.member)

    def burnt(self) -> list[int]:
        """Points of the expire instructions that were accepted, in order."""
        with self.chainless.database.session.begin() as session:
            query = select(Instruction.points).where(Instruction.kind == int(Kind.EXPIRE))
            return list(session.scalars(query.order_by(Instruction.order_seq)))

    def events(self, kind: str) -> list[Event]:
        with self.chainless.database.session.begin() as session:
            return list(session.scalars(select(Event).where(Event.type == kind).order_by(Event.seq)))

    def fail_orders(self) -> None:
        """Every open order ends without effect, as the sequencer would end it."""
        with self.chainless.database.session.begin() as session:
            orders = session.scalars(select(Order).where(Order.state == OrderState.ACCEPTED)).all()
            OrderFinalisation(session).withdraw(orders, OrderState.EXPIRED, "deadline_passed", "test")


@pytest.fixture
def story(chainless: ChainlessNetwork) -> Story:
    return Story(chainless)


# -------------------------------------------------------------------- expiry


def test_points_are_burnt_on_their_day_and_not_before_and_once(story: Story, today: Callable[[int], None]) -> None:
    story.history.issue(story.address, 100, TODAY + 1)
    story.history.issue(story.address, 50, TODAY + 2)
    story.history.issue(story.address, 30)
    story.write()
    story.expire()
    assert (story.burnt(), story.available()) == ([], 180)
    today(TODAY + 1)
    for _ in range(3):
        story.expire()
    assert (story.burnt(), story.available()) == ([100], 80)
    today(TODAY + 2)
    story.expire()
    assert (story.burnt(), story.available()) == ([100, 50], 30)
    with story.chainless.database.session.begin() as session:
        references = set(session.scalars(select(Instruction.reference)))
    assert references == {f"expiry:{day}:{story.address}:1" for day in (TODAY + 1, TODAY + 2)}


def test_points_that_an_order_has_taken_do_not_expire_under_it(story: Story, today: Callable[[int], None]) -> None:
    story.history.issue(story.address, 100, TODAY + 1)
    story.write()
    story.chainless.redeem(story.member, 70, "FUEL")
    today(TODAY + 1)
    assert story.available() == 0
    story.expire()
    assert (story.burnt(), story.available()) == ([30], 0)


def test_points_whose_day_has_come_cannot_be_used_though_no_round_has_run(
    story: Story, today: Callable[[int], None]
) -> None:
    story.expire()
    story.history.issue(story.address, 100, TODAY + 1)
    story.history.issue(story.address, 30)
    story.write()
    assert story.available() == 130
    today(TODAY + 1)
    assert story.available() == 30
    with pytest.raises(Refused, match="30 points available"):
        story.chainless.redeem(story.member, 31, "FUEL")
    with pytest.raises(Refused, match="30 points available"):
        hold(story.chainless, story.member, 31)
    story.chainless.redeem(story.member, 10, "FUEL")
    story.chainless.accept(1, [ExpireRequest(member=story.member, points=60, program="FUEL")])
    assert story.available() == 20
    story.expire()
    assert (story.burnt(), story.available()) == ([60, 30], 20)
    story.close_a_block()  # a block of an earlier day would have taken the order's ten out of the hundred
    story.expire()
    assert (story.burnt(), story.available()) == ([60, 30, 10], 20)


def test_points_that_a_hold_has_taken_do_not_expire_under_it(story: Story, today: Callable[[int], None]) -> None:
    story.history.issue(story.address, 100, TODAY + 1)
    story.write()
    held = hold(story.chainless, story.member, 70, seconds=2 * SECONDS_A_DAY)
    today(TODAY + 1)
    assert story.available() == 0
    capture(story.chainless, held, 70)
    story.expire()
    assert (story.burnt(), story.available()) == ([30], 0)


def test_an_expiry_that_came_to_nothing_is_tried_again_the_next_day(story: Story, today: Callable[[int], None]) -> None:
    story.history.issue(story.address, 100, TODAY)
    story.history.day = TODAY
    story.history.issue(story.address, 30)
    story.write()
    story.expire()
    story.fail_orders()
    assert story.available() == 30  # though no round has run since, and nothing sets them aside
    story.expire()
    assert story.available() == 30  # reserved, and its reference is free: burnt again at once
    assert story.burnt() == [100, 100]


def test_points_of_yesterday_that_the_projector_brings_after_the_round_expire_too(story: Story) -> None:
    early = Story(story.chainless)
    early.history.issue(early.address, 10, TODAY)
    early.write()
    story.expire()
    story.history = early.history.after(TODAY - 1)
    story.history.issue(story.address, 100, TODAY)
    story.history.issue(story.address, 30)
    story.write()
    assert story.available() == 30
    story.expire()
    assert (story.burnt(), story.available()) == ([10, 100], 30)


def test_points_of_yesterday_that_a_reorganisation_brings_after_todays_round_expire_at_the_next(story: Story) -> None:
    other = Story(story.chainless)
    other.history.day = TODAY
    other.history.issue(other.address, 10)
    other.write()
    story.expire()
    story.history = other.history.after(TODAY - 1)
    story.history.issue(story.address, 100, TODAY)
    story.write()
    story.expire()
    assert (story.burnt(), story.available()) == ([100], 0)


def test_what_a_refund_gives_back_too_late_expires_too(story: Story, today: Callable[[int], None]) -> None:
    story.history.issue(story.address, 100, TODAY - 1)
    spent = story.history.burn(Kind.REDEEM, story.address, 100)
    story.history.day = TODAY
    story.history.reverse(spent, 40)
    story.write()
    story.expire()
    assert (story.burnt(), story.available()) == ([40], 0)


def test_a_merchant_that_signs_for_itself_is_notified_once_and_its_points_are_not_spent_meanwhile(story: Story) -> None:
    story.chainless.take_key_away(1)
    story.history.issue(story.address, 100, TODAY)
    story.history.issue(story.address, 50, TODAY + 9)
    story.write()
    for _ in range(3):
        story.expire()
    (event,) = story.events("points.expiry_due")
    assert event.merchant_number == 1
    assert event.data["due"] == [{"member": story.member, "address": story.address, "program": "FUEL", "points": 100}]
    assert (story.burnt(), story.available()) == ([], 50)


def test_an_expire_order_uses_the_points_that_were_reserved_and_no_others(story: Story) -> None:
    story.history.issue(story.address, 100, TODAY)
    story.history.issue(story.address, 50, TODAY + 9)
    story.write()
    expiry = [ExpireRequest(member=story.member, points=101, program="FUEL")]
    with pytest.raises(Refused) as refusal:
        story.chainless.accept(1, expiry)
    assert (refusal.value.code, refusal.value.errors[0].pointer) == ("not_expired", "/points")
    story.chainless.accept(1, [ExpireRequest(member=story.member, points=60, program="FUEL")])
    story.expire()
    assert (story.burnt(), story.available()) == ([60, 40], 50)
    with pytest.raises(Refused, match="0 points have expired"):
        story.chainless.accept(1, [ExpireRequest(member=story.member, points=1, program="FUEL")])


def test_a_round_that_is_stopped_between_its_transactions_goes_on_and_burns_everything_once(
    chainless: ChainlessNetwork, today: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    stories = [Story(chainless) for _ in range(6)]
    history = stories[0].history
    for story in stories[:5]:
        history.issue(story.address, 100, TODAY + 1)
    history.issue(stories[5].address, 100, TODAY + 2)
    stories[0].write()
    today(TODAY + 1)
    monkeypatch.setattr(rounds, "_CHUNK", 2)
    monkeypatch.setattr(rounds, "_PAGE", 3)
    sweep, calls = ExpiryRound._sweep, []

    def stop(self: ExpiryRound, session: Session, merchant_number: int, accounts: list[AccountKey]) -> None:
        calls.append(accounts)
        if len(calls) % 3 == 2:
            raise KeyboardInterrupt  # what came before is committed,
        sweep(self, session, merchant_number, accounts)
        if len(calls) % 3 == 0:
            raise KeyboardInterrupt  # and this is not

    monkeypatch.setattr(ExpiryRound, "_sweep", stop)
    stops = 0
    while True:
        try:
            stories[0].expire()
        except KeyboardInterrupt:
            stops += 1
            assert stops < 20
        else:
            break
    assert stops >= 3
    assert stories[0].burnt() == [100] * 5
    assert [story.available() for story in stories] == [0] * 5 + [100]
    calls.clear()
    stories[0].expire()
    assert calls == []  # nothing is due any more, and the sixth never was


def test_expired_points_leave_the_chain(harness: Harness, today: Callable[[int], None]) -> None:
    member = harness.member()
    actual = (int(time.time()) + 28_800) // SECONDS_A_DAY
    today(actual)
    day = harness.network.date_of(actual + 1)
    harness.accept(1, [IssueRequest(member=member, points=70, program="FUEL", expires_on=day)])
    harness.issue(member, 30)
    harness.settle()
    today(actual + 1)
    for _ in range(2):
        ExpiryRound(harness.database, harness.settings, harness.keyring).run()
        harness.settle()
    harness.check()
    assert harness.call("balanceOf", harness.account(member)[0], 1) == 30
    assert harness.available(member) == 30


# -------------------------------------------------------------------- reminders


def test_members_merchants_are_reminded_once_thirty_seven_and_one_days_ahead(
    story: Story, today: Callable[[int], None]
) -> None:
    story.history.issue(story.address, 100, TODAY + 30)
    story.history.issue(story.address, 20, TODAY + 30)
    story.history.issue(story.address, 5)
    story.write()
    for day in range(TODAY, TODAY + 31):
        today(day)
        for _ in range(2):
            ReminderRound(story.chainless.database, story.chainless.settings).run()
    reminders = [(event.data["days"], event.data["points"], event.subject) for event in story.events("points.expiring")]
    assert reminders == [(30, 120, story.member), (7, 120, story.member), (1, 120, story.member)]


def test_reminders_of_days_without_a_worker_are_made_up_for(story: Story, today: Callable[[int], None]) -> None:
    for day in (8, 9, 10):
        story.history.issue(story.address, day, TODAY + day)
    story.write()
    ReminderRound(story.chainless.database, story.chainless.settings).run()
    today(TODAY + 3)
    ReminderRound(story.chainless.database, story.chainless.settings).run()
    events = story.events("points.expiring")
    assert [(event.data["points"], event.data["days"]) for event in events] == [(8, 5), (9, 6), (10, 7)]


def test_nobody_is_reminded_of_points_that_are_spent(story: Story) -> None:
    story.history.issue(story.address, 100, TODAY + 7)
    story.history.burn(Kind.REDEEM, story.address, 100)
    story.write()
    ReminderRound(story.chainless.database, story.chainless.settings).run()
    assert story.events("points.expiring") == []
