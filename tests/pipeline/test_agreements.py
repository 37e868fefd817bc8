"""Agreements on a real chain: ended by one signature, refused when they come too late, and told to both sides."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from clearing.chain.calls.models import Call, CallState
from clearing.chain.contract import encode_call
from clearing.kit.errors import NotFound
from clearing.kit.events.models import Event
from clearing.ordering.orders.models import OrderState
from clearing.parties.agreements.models import Agreement, AgreementState
from clearing.parties.agreements.termination import TerminationService
from clearing.parties.merchants.models import Merchant
from clearing.parties.names import Names
from scripts.dev.services import Anvil
from tests.support.harness import Harness


def _terminate(harness: Harness, agreement: str, *, merchant: int = 2, effective_at: int | None = None) -> None:
    """Accepts a termination in one transaction, as the gateway does."""
    with harness.database.session.begin() as session:
        service = TerminationService(session, network=harness.network, keyring=harness.keyring, names=Names(session))
        service.terminate(session.get_one(Merchant, merchant), agreement, effective_at, None, "test")


def _agreement(harness: Harness, agreement: str) -> Agreement:
    with harness.database.reading() as session:
        return session.get_one(Agreement, agreement)


def _events(harness: Harness, agreement: str, merchant: int) -> list[tuple[str, dict[str, Any]]]:
    with harness.database.reading() as session:
        query = select(Event).where(Event.subject == agreement, Event.merchant_number == merchant).order_by(Event.seq)
        return [(event.type.removeprefix("agreement."), event.data) for event in session.scalars(query)]


def _end_on_chain(harness: Harness, number: int) -> int:
    """`validUntil` of the agreement's terms in the contract."""
    terms = harness.client.eth_call(harness.settings.contract, encode_call("agreementOf", [number]))
    return int.from_bytes(terms[9 * 32 : 10 * 32], "big")


def test_one_merchant_ends_an_agreement_on_the_chain(harness: Harness) -> None:
    member = harness.member()
    harness.issue(member, 100)
    harness.settle()
    order = harness.exchange(member, 50)
    harness.settle()
    _terminate(harness, harness.agreement)
    harness.settle()
    ended = _agreement(harness, harness.agreement)
    assert (ended.state, ended.terminates_at) == (AgreementState.TERMINATED, None)
    assert ended.ends_at == _end_on_chain(harness, 1) <= harness.database.clock.unix() + 1
    assert harness.order(order).state is OrderState.SETTLED
    for merchant in (1, 2):
        types, data = zip(*_events(harness, harness.agreement, merchant), strict=True)
        assert types == ("active", "termination_requested", "terminated")
        assert [seen["state"] for seen in data] == ["active", "active", "terminated"]
    harness.check()


def test_an_order_that_the_end_overtakes_is_rejected_and_its_points_are_free_again(harness: Harness) -> None:
    member = harness.member()
    harness.issue(member, 100)
    harness.settle()
    _terminate(harness, harness.agreement, effective_at=harness.database.clock.unix() + 60)
    order = harness.exchange(member, 50)  # accepted, because it is in time
    with harness.database.session.begin() as session:
        service = TerminationService(session, network=harness.network, keyring=harness.keyring, names=Names(session))
        service.terminate(session.get_one(Merchant, 1), harness.agreement, None, None, "test")
    with pytest.raises(NotFound, match="no agreement in force"):
        harness.exchange(member, 10)
    harness.settle()
    decided = harness.order(order)
    if decided.state is OrderState.REJECTED:  # whichever the chain saw first
        assert decided.instructions[0].reason == "agreement_not_live"
        assert harness.available(member) == 100
    else:
        assert (decided.state, harness.available(member)) == (OrderState.SETTLED, 50)
    assert _agreement(harness, harness.agreement).state is AgreementState.TERMINATED
    harness.check()


def test_a_termination_outlives_a_reorganisation(lone_harness: Harness, own_chain: Anvil) -> None:
    harness = lone_harness
    before = harness.client.head()
    end = harness.database.clock.unix() + 3_600
    _terminate(harness, harness.agreement, effective_at=end)
    harness.settle()
    assert _agreement(harness, harness.agreement).ends_at == _end_on_chain(harness, 1) == end
    own_chain.reorganise(harness.client.head() - before)
    harness.projector.step()
    pending = _agreement(harness, harness.agreement)
    assert (pending.state, pending.terminates_at, pending.usable_until) == (AgreementState.ACTIVE, end, end)
    assert pending.ends_at == pending.valid_until
    harness.settle()
    ended = _agreement(harness, harness.agreement)
    assert (ended.state, ended.ends_at, ended.terminates_at) == (AgreementState.TERMINATED, end, None)
    assert _end_on_chain(harness, 1) == end
    harness.check()


def test_a_termination_that_the_contract_refuses_changes_nothing(harness: Harness) -> None:
    _terminate(harness, harness.agreement)
    with harness.database.session.begin() as session:
        call = session.scalars(select(Call).where(Call.function == "terminateAgreement")).one()
        call.arguments = [*call.arguments[:3], "0x" + "11" * 64 + "1b"]  # as if the key had been revoked meanwhile
    harness.settle()
    kept = _agreement(harness, harness.agreement)
    assert (kept.state, kept.terminates_at) == (AgreementState.ACTIVE, None)
    assert kept.reason is not None
    assert kept.reason.startswith("BadSignature")
    assert _events(harness, harness.agreement, 1)[-1][0] == "termination_failed"
    member = harness.member()
    harness.issue(member, 100)
    harness.settle()
    order = harness.exchange(member, 50)
    harness.settle()
    assert harness.order(order).state is OrderState.SETTLED
    harness.check()


def test_terms_that_reach_the_chain_after_their_accept_by_fail_and_hold_up_nobody(harness: Harness) -> None:
    late = harness.agree(2, accept_by=harness.database.clock.unix() - 60)
    in_time = harness.agree(3, accept_by=harness.database.clock.unix() + 3_600)
    harness.settle()
    failed, active = _agreement(harness, late), _agreement(harness, in_time)
    assert (failed.state, failed.number) == (AgreementState.FAILED, None)
    assert failed.reason is not None
    assert "BadTerms" in failed.reason
    assert "acceptBy" in failed.reason
    assert (active.state, active.number) == (AgreementState.ACTIVE, 2)
    assert harness.call("agreementCount") == 2
    for merchant in (1, 2):
        ((last, data),) = _events(harness, late, merchant)
        assert (last, data["state"], data["reason"]) == ("failed", "failed", failed.reason)
    with harness.database.reading() as session:
        states = {call.state for call in session.scalars(select(Call))}
    assert states == {CallState.DONE, CallState.FAILED}
    harness.check()


def test_an_agreement_for_ever_that_was_registered_past_this_gateway(harness: Harness) -> None:
    """Its end is beyond every calendar, and nobody here has proposed it."""
    agreement = harness.agree(2, valid_until=2**40 - 1)
    with harness.database.session.begin() as session:
        session.delete(session.get_one(Agreement, agreement))
    harness.settle()
    with harness.database.reading() as session:
        found = session.scalars(select(Agreement).where(Agreement.number == 2)).one()
    assert (found.state, found.ends_at, found.proposer) == (AgreementState.ACTIVE, 2**40 - 1, None)
    ((last, data),) = _events(harness, found.id, 1)
    assert (last, data["valid_until"], data["proposed_by"]) == ("active", "9999-12-31T23:59:59Z", None)


def test_a_successor_and_its_predecessor_know_each_other(harness: Harness) -> None:
    new = harness.agree(2, supersedes=1, grace_seconds=600)
    harness.settle()
    old = _agreement(harness, harness.agreement)
    assert (old.state, old.superseded_by) == (AgreementState.SUPERSEDED, 2)
    assert old.ends_at == _end_on_chain(harness, 1)
    last, data = _events(harness, harness.agreement, 2)[-1]
    assert (last, data["superseded_by"]) == ("superseded", new)
    _terminate(harness, harness.agreement, merchant=1)
    harness.settle()
    assert _agreement(harness, harness.agreement).state is AgreementState.TERMINATED
    assert _agreement(harness, new).state is AgreementState.ACTIVE
