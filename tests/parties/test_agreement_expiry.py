"""That an agreement's time is over is told once, to both merchants."""

from __future__ import annotations

import secrets
from dataclasses import asdict, replace

import pytest
from sqlalchemy import select

from clearing.kit.events.models import Event
from clearing.kit.ids import new_id
from clearing.parties.agreements.expiry import any_over, tell_of_expired
from clearing.parties.agreements.models import Agreement, AgreementState
from clearing.parties.names import Names
from tests.support.chainless import ChainlessNetwork
from tests.support.harness import TERMS


def agreement(network: ChainlessNetwork, state: AgreementState, *, ends_at: int, accept_by: int = 0) -> str:
    terms = replace(TERMS, document=secrets.token_bytes(32), valid_until=ends_at + 1_000, accept_by=accept_by)
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
        return tell_of_expired(session, Names(session))


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
        (AgreementState.ACTIVE, 1, 0),  # its time is not over
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
