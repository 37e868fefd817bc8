"""The timed work by itself: each piece run by hand, twice, late, and against what it must not touch."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from clearing.kit.clock import now
from clearing.kit.errors import Refused
from clearing.kit.events.models import Event
from clearing.kit.idempotency.models import IdempotencyRecord
from clearing.kit.identity import SECONDS_A_DAY, NetworkIdentity
from clearing.ledger.accounts.repository import AccountRepository
from clearing.ledger.journal.effects import Effects
from clearing.ledger.settlement.models import Position
from clearing.ordering.expiry.rounds import ExpiryRound, ReminderRound
from clearing.ordering.expiry.service import set_aside
from clearing.ordering.orders.finalisation import Reservations, withdraw
from clearing.ordering.orders.models import Instruction, Order, OrderState
from clearing.ordering.orders.requests import InstructionRequest
from clearing.ordering.quotes.models import Quote
from clearing.oversight.liquidity.models import Level
from clearing.oversight.liquidity.service import LiquidityService, Thresholds
from clearing.oversight.statements import service as statements
from clearing.oversight.statements.models import Statement
from clearing.oversight.statements.service import StatementService, recomputed
from clearing.parties.agreements.models import Agreement
from clearing.parties.members.models import LinkCode, Member
from clearing.pipeline.projection import apply_sums
from clearing.runtime.jobs import cleaning
from scripts.dev.services import Anvil
from tests.ordering.test_holds import capture, hold
from tests.support.books import Books
from tests.support.harness import Harness
from tests.support.ledger import ROUTES, Ledger, store
from tongdui.orders import Kind

TODAY = 20_000


@pytest.fixture(autouse=True)
def today(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """The network's day. Orders and the chain keep their own clocks."""

    def set_day(day: int) -> None:
        monkeypatch.setattr(NetworkIdentity, "today", lambda _: day)

    set_day(TODAY)
    return set_day


class Story:
    """A ledger whose points are on the books."""

    def __init__(self, books: Books) -> None:
        self.books = books
        self.ledger = Ledger(day=TODAY - 50)
        self.member = books.member()
        self.address, _ = books.account(self.member)

    def tell(self) -> None:
        """Writes the ledger down, once."""
        with self.books.database.session.begin() as session:
            store(session, self.ledger)
            entries = [entry for entry, _ in self.ledger.entries]
            originals = {entry.leaf(): entry for entry in entries}
            effects = Effects.of(entries, ROUTES, originals)
            effects.micros.clear()
            apply_sums(session, effects, Reservations())

    def expire(self) -> None:
        ExpiryRound(self.books.database, self.books.settings, self.books.keyring).run()

    def available(self) -> int:
        with self.books.database.session.begin() as session:
            account = AccountRepository(session).get(self.address, 1)
            key = (account.address, account.program)
            return account.available - set_aside(session, self.books.network, {key: account.available}).get(key, 0)

    def burnt(self) -> list[int]:
        """Points of the expire instructions that were accepted, in order."""
        with self.books.database.session.begin() as session:
            query = select(Instruction.points).where(Instruction.kind == int(Kind.EXPIRE))
            return list(session.scalars(query.order_by(Instruction.order_seq)))

    def events(self, kind: str) -> list[Event]:
        with self.books.database.session.begin() as session:
            return list(session.scalars(select(Event).where(Event.type == kind).order_by(Event.seq)))

    def fail_orders(self) -> None:
        """Every open order ends without effect, as the sequencer would end it."""
        with self.books.database.session.begin() as session:
            orders = session.scalars(select(Order).where(Order.state == OrderState.ACCEPTED)).all()
            for order in orders:
                withdraw(session, order, OrderState.EXPIRED, "deadline_passed", "test")
            apply_sums(session, Effects(), Reservations.of(session, orders))


@pytest.fixture
def story(books: Books) -> Story:
    return Story(books)


# -------------------------------------------------------------------- expiry


def test_points_are_burnt_on_their_day_and_not_before_and_once(story: Story, today: Callable[[int], None]) -> None:
    story.ledger.issue(story.address, 100, TODAY + 1)
    story.ledger.issue(story.address, 50, TODAY + 2)
    story.ledger.issue(story.address, 30)
    story.tell()
    story.expire()
    assert (story.burnt(), story.available()) == ([], 180)
    today(TODAY + 1)
    for _ in range(3):
        story.expire()
    assert (story.burnt(), story.available()) == ([100], 80)
    today(TODAY + 2)
    story.expire()
    assert (story.burnt(), story.available()) == ([100, 50], 30)
    with story.books.database.session.begin() as session:
        references = set(session.scalars(select(Instruction.reference)))
    assert references == {f"expiry:{day}:{story.address}:1" for day in (TODAY + 1, TODAY + 2)}


def test_points_that_an_order_has_taken_do_not_expire_under_it(story: Story, today: Callable[[int], None]) -> None:
    story.ledger.issue(story.address, 100, TODAY + 1)
    story.tell()
    story.books.redeem(story.member, 70, "FUEL")
    today(TODAY + 1)
    assert story.available() == 0
    story.expire()
    assert (story.burnt(), story.available()) == ([30], 0)


def test_points_whose_day_has_come_cannot_be_used_though_no_round_has_run(
    story: Story, today: Callable[[int], None]
) -> None:
    story.expire()
    story.ledger.issue(story.address, 100, TODAY + 1)
    story.ledger.issue(story.address, 30)
    story.tell()
    assert story.available() == 130
    today(TODAY + 1)
    assert story.available() == 30
    with pytest.raises(Refused, match="30 points available"):
        story.books.redeem(story.member, 31, "FUEL")
    with pytest.raises(Refused, match="30 points available"):
        hold(story.books, story.member, 31)
    story.books.redeem(story.member, 10, "FUEL")
    story.books.accept(1, [InstructionRequest(Kind.EXPIRE, story.member, 60, "FUEL")])
    assert story.available() == 20
    story.expire()
    assert (story.burnt(), story.available()) == ([60, 40], 20)


def test_points_that_a_hold_has_taken_do_not_expire_under_it(story: Story, today: Callable[[int], None]) -> None:
    story.ledger.issue(story.address, 100, TODAY + 1)
    story.tell()
    held = hold(story.books, story.member, 70)
    today(TODAY + 1)
    assert story.available() == 0
    capture(story.books, held, 70)
    story.expire()
    assert (story.burnt(), story.available()) == ([30], 0)


def test_an_expiry_that_came_to_nothing_is_tried_again_the_next_day(story: Story, today: Callable[[int], None]) -> None:
    story.ledger.issue(story.address, 100, TODAY)
    story.ledger.day = TODAY
    story.ledger.issue(story.address, 30)
    story.tell()
    story.expire()
    story.fail_orders()
    assert story.available() == 130
    story.expire()
    assert story.available() == 30  # set aside, and its reference is free: burnt again at once
    assert story.burnt() == [100, 100]


def test_points_of_yesterday_that_the_projector_brings_after_the_round_expire_too(story: Story) -> None:
    early = Story(story.books)
    early.ledger.issue(early.address, 10, TODAY)
    early.tell()
    story.expire()
    story.ledger = early.ledger.after(TODAY - 1)
    story.ledger.issue(story.address, 100, TODAY)
    story.ledger.issue(story.address, 30)
    story.tell()
    assert story.available() == 30
    story.expire()
    assert (story.burnt(), story.available()) == ([10, 100], 30)


def test_points_of_yesterday_that_a_reorganisation_brings_after_todays_round_expire_at_the_next(story: Story) -> None:
    other = Story(story.books)
    other.ledger.day = TODAY
    other.ledger.issue(other.address, 10)
    other.tell()
    story.expire()
    story.ledger = other.ledger.after(TODAY - 1)
    story.ledger.issue(story.address, 100, TODAY)
    story.tell()
    story.expire()
    assert (story.burnt(), story.available()) == ([100], 0)


def test_what_a_refund_gives_back_too_late_expires_too(story: Story, today: Callable[[int], None]) -> None:
    story.ledger.issue(story.address, 100, TODAY - 1)
    spent = story.ledger.burn(Kind.REDEEM, story.address, 100)
    story.ledger.day = TODAY
    story.ledger.reverse(spent, 40)
    story.tell()
    story.expire()
    assert (story.burnt(), story.available()) == ([40], 0)


def test_a_merchant_that_signs_for_itself_is_told_once_and_its_points_are_not_spent_meanwhile(story: Story) -> None:
    story.books.take_key_away(1)
    story.ledger.issue(story.address, 100, TODAY)
    story.ledger.issue(story.address, 50, TODAY + 9)
    story.tell()
    for _ in range(3):
        story.expire()
    (event,) = story.events("points.expiry_due")
    assert event.merchant_number == 1
    assert event.data["due"] == [{"member": story.member, "address": story.address, "program": "FUEL", "points": 100}]
    assert (story.burnt(), story.available()) == ([], 50)


def test_an_expire_order_uses_the_points_that_were_set_aside_and_no_others(story: Story) -> None:
    story.ledger.issue(story.address, 100, TODAY)
    story.ledger.issue(story.address, 50, TODAY + 9)
    story.tell()
    expiry = [InstructionRequest(Kind.EXPIRE, story.member, 101, "FUEL")]
    with pytest.raises(Refused) as refusal:
        story.books.accept(1, expiry)
    assert (refusal.value.code, refusal.value.errors[0].pointer) == ("not_expired", "/points")
    story.books.accept(1, [InstructionRequest(Kind.EXPIRE, story.member, 60, "FUEL")])
    story.expire()
    assert (story.burnt(), story.available()) == ([60, 40], 50)
    with pytest.raises(Refused, match="0 points have expired"):
        story.books.accept(1, [InstructionRequest(Kind.EXPIRE, story.member, 1, "FUEL")])


def test_expired_points_leave_the_chain(harness: Harness, today: Callable[[int], None]) -> None:
    member = harness.member()
    actual = (int(time.time()) + 28_800) // SECONDS_A_DAY
    today(actual)
    day = harness.network.date_of(actual + 1)
    harness.accept(1, [InstructionRequest(Kind.ISSUE, member, 70, "FUEL", expires_on=day)])
    harness.issue(member, 30)
    harness.settle()
    today(actual + 1)
    for _ in range(2):
        ExpiryRound(harness.database, harness.settings, harness.keyring).run()
        harness.settle()
    harness.check()
    with harness.database.session.begin() as session:
        account = AccountRepository(session).get(session.get_one(Member, member).address, 1)
        assert (account.posted, account.available) == (30, 30)


# -------------------------------------------------------------------- reminders


def test_members_merchants_are_reminded_once_thirty_seven_and_one_days_ahead(
    story: Story, today: Callable[[int], None]
) -> None:
    story.ledger.issue(story.address, 100, TODAY + 30)
    story.ledger.issue(story.address, 20, TODAY + 30)
    story.ledger.issue(story.address, 5)
    story.tell()
    for day in range(TODAY, TODAY + 31):
        today(day)
        for _ in range(2):
            ReminderRound(story.books.database, story.books.settings).run()
    told = [(event.data["days"], event.data["points"], event.subject) for event in story.events("points.expiring")]
    assert told == [(30, 120, story.member), (7, 120, story.member), (1, 120, story.member)]


def test_reminders_of_days_without_a_worker_are_made_up_for(story: Story, today: Callable[[int], None]) -> None:
    for day in (8, 9, 10):
        story.ledger.issue(story.address, day, TODAY + day)
    story.tell()
    ReminderRound(story.books.database, story.books.settings).run()
    today(TODAY + 3)
    ReminderRound(story.books.database, story.books.settings).run()
    events = story.events("points.expiring")
    assert [(event.data["points"], event.data["days"]) for event in events] == [(8, 5), (9, 6), (10, 7)]


def test_nobody_is_reminded_of_points_that_are_spent(story: Story) -> None:
    story.ledger.issue(story.address, 100, TODAY + 7)
    story.ledger.burn(Kind.REDEEM, story.address, 100)
    story.tell()
    ReminderRound(story.books.database, story.books.settings).run()
    assert story.events("points.expiring") == []


# -------------------------------------------------------------------- liquidity


def test_a_merchant_is_told_once_a_crossing_and_not_while_it_hovers_at_the_line(books: Books) -> None:
    thresholds = Thresholds(low_percent=20, critical_percent=5, floor=0)

    def told(position: int) -> list[str]:
        with books.database.session.begin() as session:
            session.execute(
                update(Position).where(Position.merchant_number == 1).values(position=position, credit_limit=1_000)
            )
            before = session.scalar(select(func.max(Event.seq))) or 0
        for _ in range(2):
            with books.database.session.begin() as session:
                service = LiquidityService(session, thresholds)
                assert (service.crossings() > 0) == (service.alert() > 0)
        with books.database.session.begin() as session:
            query = select(Event).where(Event.seq > before, Event.merchant_number == 1).order_by(Event.seq)
            return [event.type for event in session.scalars(query)]

    assert told(-700) == []
    assert told(-801) == ["liquidity.low"]  # 199 of 1,000 left
    assert told(-790) == []  # above the line, but not by a quarter
    assert told(-810) == []
    assert told(-960) == ["liquidity.critical"]
    assert told(-945) == []
    assert told(-930) == ["liquidity.low"]
    assert told(-740) == ["liquidity.restored"]
    assert told(-960) == ["liquidity.critical"]
    assert told(0) == ["liquidity.restored"]


def test_a_prefunded_merchant_has_a_floor() -> None:
    thresholds = Thresholds(20, 5, floor=400)
    fine = thresholds.level(400, 0, thresholds.level(10**9, 0, before=Level.FINE))
    assert [fine, thresholds.level(399, 0, fine), thresholds.level(99, 0, fine)] == ["fine", "low", "critical"]


# -------------------------------------------------------------------- statements


def test_statements_lead_from_the_opening_to_the_closing_position_and_follow_each_other(
    lone_harness: Harness, own_chain: Anvil, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness = lone_harness
    harness.settings.managed_deadline = harness.settings.max_deadline = 3 * SECONDS_A_DAY  # the chain's clock will jump
    clock = datetime.now(UTC)
    monkeypatch.setattr(statements, "now", lambda: clock)
    member = harness.member()
    harness.issue(member, 1_000)
    harness.settle()
    harness.exchange(member, 500)
    harness.redeem(member, 20, "FUEL")
    harness.settle()
    assert make_statements(harness) == []  # the day is not over

    own_chain.rpc("evm_increaseTime", SECONDS_A_DAY)
    clock += timedelta(days=1, minutes=6)
    first = make_statements(harness)
    assert [s.merchant_number for s in first] == [0, 1, 2]
    check_statements(harness, first, {0: 0, 1: 0, 2: 0})
    fuel = next(s for s in first if s.merchant_number == 1)
    lines = {line["kind"]: (line["count"], line["points"], line["paid"], line["fees_paid"]) for line in fuel.lines}
    assert lines == {
        "issue": (1, 1_000, 0, 0),
        "exchange": (1, 500, 4_500_000, 22_500),
        "redeem": (1, 20, 0, 0),
    }
    assert fuel.deposited == 1_000_000_000
    assert make_statements(harness) == []

    harness.exchange(member, 100)
    harness.settle()
    clock += timedelta(days=1)
    second = make_statements(harness)
    check_statements(harness, second, {s.merchant_number: s.closing for s in first})
    assert next(s for s in second if s.merchant_number == 1).lines[0]["count"] == 1

    # The chain changes its mind about the last block, and what it held comes in another one: the days are told again.
    own_chain.rpc("anvil_reorg", 1, [])
    harness.settle()
    again = make_statements(harness)
    assert {s.revision for s in again} == {2}
    assert {s.merchant_number for s in again} == {0, 1, 2}
    with harness.database.session.begin() as session:
        days = sorted(set(session.scalars(select(Statement.day))))
        every = [list(session.scalars(select(Statement).where(Statement.day == day))) for day in days]
    for before, after in itertools.pairwise(every):
        assert {s.merchant_number: s.closing for s in before} == {s.merchant_number: s.opening for s in after}
    check_statements(harness, every[-1], {s.merchant_number: s.closing for s in every[-2]})


def test_a_day_is_not_told_before_all_of_its_transactions_are_seen(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = datetime.now(UTC) + timedelta(days=1, minutes=6)
    monkeypatch.setattr(statements, "now", lambda: clock)
    harness.issue(harness.member(), 100)
    assert harness.sequencer.sign_batch()
    assert make_statements(harness) == []
    harness.settle()
    assert len(make_statements(harness)) == 3


def make_statements(harness: Harness) -> list[Statement]:
    """What the task does."""
    made: list[Statement] = []
    while True:
        with harness.database.reading() as session:
            day = StatementService(session, network=harness.network).next_day()
        if day is None:
            return made
        with harness.database.session.begin() as session:
            some = StatementService(session, network=harness.network).make(day)
        assert some
        made += some


def check_statements(harness: Harness, made: list[Statement], openings: dict[int, int]) -> None:
    """They are made of what they say, and end with what the merchants have now."""
    with harness.database.session.begin() as session:
        positions = {p.merchant_number: p.position for p in session.scalars(select(Position))}
    for statement in made:
        assert statement.opening == openings[statement.merchant_number]
        assert statement.closing == positions.get(statement.merchant_number, 0)
        assert statement.closing == recomputed(
            statement.lines, statement.opening, statement.deposited, statement.withdrawn
        )


# -------------------------------------------------------------------- cleaning


def test_cleaning_removes_what_is_over_and_nothing_else(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleaning, "_ROWS", 2)
    old, fresh = now() - timedelta(days=40), now() + timedelta(days=1)
    member = books.member()
    with books.database.session.begin() as session:
        for number in range(5):
            at = old if number < 3 else fresh
            session.add(LinkCode(code_hash=bytes([number]) * 32, member_id=member, expires_at=at))
            record = IdempotencyRecord(principal="p", key=f"k{number}", fingerprint=bytes(32), status=200, body="")
            record.created_at = at
            session.add(record)
            session.add(_quote(session, number, at))
    before = now() - timedelta(days=1)
    for remove in (cleaning.remove_quotes, cleaning.remove_link_codes, cleaning.remove_idempotency_records):
        assert remove(books.database, before) == 3
        assert remove(books.database, before) == 0
    with books.database.session.begin() as session:
        for table in (Quote, LinkCode, IdempotencyRecord):
            assert session.scalar(select(func.count()).select_from(table)) == 2


def _quote(session: Session, number: int, at: datetime) -> Quote:
    agreement = session.scalars(select(Agreement.id)).one()
    return Quote(
        id=f"quo_{number}",
        merchant_number=1,
        agreement_id=agreement,
        points=1,
        points_burnt=1,
        out=1,
        settled=1,
        fee=0,
        expires_at=at,
    )
