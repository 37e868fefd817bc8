"""That an agreement's time is over is told once, to both merchants."""

from __future__ import annotations

import secrets
from dataclasses import asdict, replace
from typing import Any

import pytest
from sqlalchemy import select

from clearing.kit.events.models import Event
from clearing.kit.ids import new_id
from clearing.parties.agreements.expiry import any_over, tell_of_expired
from clearing.parties.agreements.models import Agreement, AgreementState
from clearing.parties.names import Names
from clearing.runtime.jobs import definitions
from clearing.runtime.jobs.context import Context
from scripts.bench.plans import statements
from tests.support.chainless import ChainlessNetwork
from tests.support.harness import TERMS


def agreement(network: ChainlessNetwork, state: AgreementState, *, ends_at: int, **changes: Any) -> str:
    terms = replace(TERMS, document=secrets.token_bytes(32), valid_until=ends_at + 1_000, **changes)
    number = None if state is AgreementState.PROPOSED else secrets.randbelow(10**6) + 10
    stored = Agreement(
        id=new_id("agr"), number=number, state=state, digest=secrets.token_bytes(32), ends_at=ends_at, **asdict(terms)
    )
    with network.database.session.begin() as session:
        session.add(stored)
    return stored.id


def told(network: ChainlessNetwork) -> list[tuple[str, str, int | None]]:
    with network.database.reading() as session:
        query = select(Event).where(Event.type.in_(("agreement.expired", "agreement.lapsed"))).order_by(Event.seq)
        return [(event.type, event.subject, event.merchant_number) for event in session.scalars(query)]


def tell(network: ChainlessNetwork) -> int:
    with network.database.session.begin() as session:
        return tell_of_expired(session, Names(session), 100)


def test_both_merchants_are_told_once_of_what_is_over(chainless: ChainlessNetwork) -> None:
    now = chainless.database.clock.unix()
    expired = agreement(chainless, AgreementState.ACTIVE, ends_at=now)
    lapsed = agreement(chainless, AgreementState.PROPOSED, ends_at=now + 500, accept_by=now - 1)
    with chainless.database.reading() as session:
        assert any_over(session)
    assert (tell(chainless), tell(chainless)) == (2, 0)
    assert sorted(told(chainless)) == sorted(
        (kind, subject, merchant)
        for kind, subject in (("agreement.expired", expired), ("agreement.lapsed", lapsed))
        for merchant in (1, 2)
    )
    with chainless.database.reading() as session:
        assert not any_over(session)


@pytest.mark.parametrize(
    ("state", "left", "accept_by"),
    [
        (AgreementState.ACTIVE, 60, 0),  # its time is not over
        (AgreementState.SUPERSEDED, 0, 0),  # its end was told with its successor
        (AgreementState.TERMINATED, 0, 0),
        (AgreementState.PROPOSED, 0, 0),  # terms without a deadline
        (AgreementState.PROPOSED, 500, 60),
        (AgreementState.WITHDRAWN, 500, -60),
    ],
)
def test_nobody_is_told_of_anything_else(
    chainless: ChainlessNetwork, state: AgreementState, left: int, accept_by: int
) -> None:
    now = chainless.database.clock.unix()
    agreement(chainless, state, ends_at=now + left, accept_by=now + accept_by if accept_by else 0)
    with chainless.database.reading() as session:
        assert not any_over(session)
    assert (tell(chainless), told(chainless)) == (0, [])


def test_that_many_end_together_does_not_read_all_agreements_for_each(chainless: ChainlessNetwork) -> None:
    """What each has superseded is named, and names are looked up anew after an agreement was changed."""
    now = chainless.database.clock.unix()
    tell(chainless)

    def reads_of_all(ended: int) -> int:
        for _ in range(ended):
            agreement(chainless, AgreementState.ACTIVE, ends_at=now, supersedes=1)
        with statements(chainless.database) as sent:
            assert tell(chainless) == ended
        return sum("FROM agreements" in statement and "WHERE" not in statement for statement, _ in sent)

    assert reads_of_all(1) == reads_of_all(6) > 0


def test_the_job_tells_of_some_in_each_transaction_until_all_are_told(
    chainless: ChainlessNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = chainless.database.clock.unix()
    expired = [agreement(chainless, AgreementState.ACTIVE, ends_at=now) for _ in range(5)]
    shared = Context.of(chainless.settings)
    monkeypatch.setattr(definitions, "context", lambda: shared)
    monkeypatch.setattr(definitions, "_AGREEMENTS_PER_TRANSACTION", 2)
    with statements(shared.database) as sent:
        assert definitions.tell_of_expired_agreements() == 5
    assert sum(statement.startswith("INSERT INTO events") for statement, _ in sent) >= 3
    assert definitions.tell_of_expired_agreements() == 0
    assert sorted(subject for _, subject, _ in told(chainless)) == sorted(expired * 2)
    shared.close()
