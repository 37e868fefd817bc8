"""Daily statements: exact, complete, and made again where the chain replaced blocks."""

from __future__ import annotations

import itertools
from datetime import timedelta

from sqlalchemy import select

from clearing.kit.clock import MovableClock
from clearing.kit.identity import SECONDS_A_DAY
from clearing.ledger.settlement.models import Position
from clearing.oversight.statements.builder import recomputed
from clearing.oversight.statements.models import Statement
from clearing.oversight.statements.service import StatementService
from scripts.dev.services import Anvil
from tests.support.harness import Harness


def test_statements_lead_from_the_opening_to_the_closing_position_and_follow_each_other(
    lone_harness: Harness, own_chain: Anvil, clock: MovableClock
) -> None:
    harness = lone_harness
    harness.settings.managed_deadline = harness.settings.max_deadline = 3 * SECONDS_A_DAY  # the chain's clock will jump
    member = harness.member()
    harness.issue(member, 1_000)
    harness.settle()
    harness.exchange(member, 500)
    harness.redeem(member, 20, "FUEL")
    harness.settle()
    assert make_statements(harness) == []  # the day is not over

    own_chain.rpc("evm_increaseTime", SECONDS_A_DAY)
    clock.move(timedelta(days=1, minutes=6))
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
    clock.move(timedelta(days=1))
    second = make_statements(harness)
    check_statements(harness, second, {s.merchant_number: s.closing for s in first})
    assert next(s for s in second if s.merchant_number == 1).lines[0]["count"] == 1

    # A reorganisation replaces the last block, and its content comes in another one: the days are made again.
    own_chain.reorganise(1)
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


def test_a_day_has_no_statements_before_all_of_its_transactions_are_seen(harness: Harness, clock: MovableClock) -> None:
    harness.issue(harness.member(), 100)
    assert harness.sequencer.sign_batch()
    clock.move(timedelta(days=1, minutes=6))
    assert make_statements(harness) == []
    harness.settle()
    assert len(make_statements(harness)) == 3


def make_statements(harness: Harness) -> list[Statement]:
    """What the job does."""
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
    """Their closing positions follow from their lines and are what the merchants have now."""
    with harness.database.session.begin() as session:
        positions = {p.merchant_number: p.position for p in session.scalars(select(Position))}
    for statement in made:
        assert statement.opening == openings[statement.merchant_number]
        assert statement.closing == positions.get(statement.merchant_number, 0)
        assert statement.closing == recomputed(
            statement.lines, statement.opening, statement.deposited, statement.withdrawn
        )
