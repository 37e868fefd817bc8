"""A program's cap of a day's issues: refused early where blocks say so, rejected by the chain otherwise."""

from __future__ import annotations

from itertools import pairwise

import pytest

from clearing.chain.calls.service import request_call
from clearing.kit.errors import Refused
from clearing.kit.events.repository import EventRepository
from clearing.ordering.orders.models import OrderState
from clearing.parties.programs.models import Program
from scripts.dev.services import Anvil
from tests.support.harness import Harness

CAP_NOTICE_DAYS = 2


def _cap(harness: Harness, points: int) -> None:
    with harness.database.session.begin() as session:
        request_call(session, "operator", "setIssuanceCap", [1, points], "")
    harness.settle()


def _known(harness: Harness) -> tuple[int, int, int | None]:
    with harness.database.reading() as session:
        program = session.get_one(Program, 1)
        return program.issuance_cap, program.next_issuance_cap, program.next_cap_day


def test_issues_over_the_cap_are_refused_early_or_by_the_chain(lone_harness: Harness, own_chain: Anvil) -> None:
    harness, member = lone_harness, lone_harness.member()
    harness.issue(member, 500)  # before there is a cap: it does not count
    harness.settle()
    before = harness.client.head()
    _cap(harness, 100)

    with pytest.raises(Refused) as refusal:
        harness.issue(member, 101)
    assert (refusal.value.code, refusal.value.errors[0].pointer) == ("over_issuance_cap", "/points")
    first, second = harness.issue(member, 60), harness.issue(member, 41)  # no block says yet that it is too much
    harness.settle()
    assert harness.order(first).state is OrderState.SETTLED
    assert (harness.order(second).state, harness.order(second).reason) == (OrderState.REJECTED, "over_issuance_cap")
    with pytest.raises(Refused, match="40 points are left"):
        harness.issue(member, 41)

    own_chain.reorganise(harness.client.head() - before)
    harness.settle()
    assert _known(harness) == (100, 0, None)
    with pytest.raises(Refused, match="40 points are left"):
        harness.issue(member, 41)
    last = harness.issue(member, 40)
    harness.settle()
    assert harness.order(last).state is OrderState.SETTLED
    harness.check()


def test_a_higher_cap_is_known_before_it_counts(lone_harness: Harness) -> None:
    harness, member = lone_harness, lone_harness.member()
    _cap(harness, 100)
    _cap(harness, 0)
    assert _known(harness) == (100, 0, harness.today() + CAP_NOTICE_DAYS)
    with pytest.raises(Refused):
        harness.issue(member, 101)
    _cap(harness, 300)
    assert _known(harness) == (100, 300, harness.today() + CAP_NOTICE_DAYS)
    _cap(harness, 90)
    assert _known(harness) == (90, 0, None)
    with harness.database.reading() as session:
        events = EventRepository(session).list(type="program.issuance_cap_changed", limit=10)
        changes = [(event.data["before"], event.data["after"]) for event in events]
    both = [
        {"issuance_cap": now, "next_issuance_cap": then}
        for now, then in ((0, 0), (100, 100), (100, 0), (100, 300), (90, 90))
    ]
    assert changes == list(pairwise(both))[::-1]
