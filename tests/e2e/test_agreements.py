"""The life of an agreement on a real network, by merchants that sign for themselves: proposed, replaced, ended."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest

import tongdui
from clearing.runtime.embedded.network import EmbeddedNetwork
from tongdui import Agreement, AgreementError, Client, ConflictError
from tongdui.testing import Network, Participant

WAIT = 60.0
_GRACE_SECONDS = 15
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    directory = tmp_path_factory.mktemp("network")
    with EmbeddedNetwork(directory, worker=False) as running:
        keys = running.api_keys
        roles = (Client(running.url, keys[role]) for role in ("operator", "treasury", "auditor"))
        found = Network(running.url, running.rpc_url, directory, keys, *roles)
        yield found
        found.close()


@pytest.fixture(scope="module")
def station(network: Network) -> Participant:
    return network.join("FUEL")


@pytest.fixture(scope="module")
def cinema(network: Network) -> Participant:
    return network.join("CINE")


def _member(station: Participant, external_id: str) -> tongdui.Member:
    member = station.client.members.create(external_id=external_id)
    station.client.issuances.create(program="FUEL", member=member, points=1_000, wait=WAIT).settled()
    return member


def _event_types(client: Client, agreement: Agreement) -> list[str]:
    return [event.type for event in client.events.list() if event.subject == agreement.id][::-1]


def test_a_new_version_takes_over_and_the_old_one_keeps_its_promises_for_the_grace(
    network: Network, station: Participant, cinema: Participant
) -> None:
    old = network.agree(station, cinema, rate="9/10")
    member = _member(station, "graceful")
    quote = station.client.quotes.create(agreement=old, points=10)
    proposal = station.client.agreements.supersede(old, rate="1/2", grace_seconds=_GRACE_SECONDS)
    assert [seen.id for seen in cinema.client.agreements.list(state="proposed")] == [proposal.id]
    new = cinema.client.agreements.sign(proposal, wait=WAIT)
    assert (new.state, new.rate, new.supersedes, new.max_points) == ("active", Fraction(1, 2), old.id, old.max_points)
    seen = cinema.client.agreements.get(old.id)
    assert (seen.state, seen.superseded_by) == ("superseded", new.id)
    assert seen.ends_at is not None

    promised = station.client.exchanges.create(quote=quote, member=member, points=10, wait=WAIT)
    assert (promised.agreement, promised.settled().out) == (old.id, 9)
    by_name = station.client.exchanges.create(
        source_program="FUEL", target_program="CINE", member=member, points=10, wait=WAIT
    )
    assert (by_name.agreement, by_name.settled().out) == (new.id, 5)

    time.sleep(max(0.0, (seen.ends_at - datetime.now(UTC)).total_seconds() + 1))
    with pytest.raises(AgreementError, match="agreement_not_live"):
        station.client.exchanges.create(agreement=old, member=member, points=10)
    assert station.client.exchanges.create(agreement=new, member=member, points=10, wait=WAIT).settled().out == 5
    assert _event_types(cinema.client, new) == [
        f"agreement.{action}" for action in ("proposed", "signed", "signed", "accepted", "active")
    ]


def test_one_side_ends_an_agreement_and_nothing_goes_through_any_more(
    network: Network, station: Participant, cinema: Participant
) -> None:
    agreement = network.agree(station, cinema, rate="1/4")
    member = _member(station, "ended")
    station.client.exchanges.create(agreement=agreement, member=member, points=4, wait=WAIT).settled()
    ended = cinema.client.agreements.terminate(agreement, wait=WAIT)
    assert (ended.state, ended.terminates_at) == ("terminated", None)
    assert ended.ends_at is not None
    assert abs(ended.ends_at - datetime.now(UTC)) < timedelta(minutes=1)
    with pytest.raises(AgreementError, match="agreement_not_live"):
        station.client.exchanges.create(agreement=agreement, member=member, points=4)
    assert _event_types(station.client, agreement)[-2:] == [
        "agreement.termination_requested",
        "agreement.terminated",
    ]
    with pytest.raises(ConflictError, match="agreement_ended"):
        station.client.agreements.terminate(agreement)


def test_an_agreement_ends_at_the_moment_that_was_signed(
    network: Network, station: Participant, cinema: Participant
) -> None:
    agreement = network.agree(station, cinema, rate="1/5")
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(days=2)
    ended = station.client.agreements.terminate(agreement, effective_at=end, wait=WAIT)
    assert (ended.state, ended.ends_at) == ("terminated", end)
    member = _member(station, "ending")
    assert station.client.exchanges.create(agreement=agreement, member=member, points=5, wait=WAIT).settled().out == 1
    with pytest.raises(AgreementError, match="agreement_ends_earlier"):
        cinema.client.agreements.terminate(agreement, effective_at=end + timedelta(days=1))
    assert cinema.client.agreements.terminate(agreement, wait=WAIT).is_final


def test_a_proposal_is_withdrawn_or_declined(station: Participant, cinema: Participant) -> None:
    for party, state in ((station, "withdrawn"), (cinema, "declined")):
        proposal = station.client.agreements.propose(
            source_program="FUEL",
            target_program="CINE",
            unit_price_micros=1,
            max_points=1,
            daily_cap=1,
            valid_until=datetime.now(UTC) + timedelta(days=1),
        )
        assert party.client.agreements.withdraw(proposal).state == state
        with pytest.raises(ConflictError, match="agreement_not_proposed"):
            cinema.client.agreements.sign(proposal)


def test_points_that_could_renew_their_expiry_are_warned_of(station: Participant, cinema: Participant) -> None:
    back = cinema.client.agreements.propose(
        source_program="CINE",
        target_program="FUEL",
        unit_price_micros=1,
        lifetime_days=365,
        max_points=1,
        daily_cap=1,
        valid_until=datetime.now(UTC) + timedelta(days=1),
    )
    (warning,) = station.client.agreements.get(back.id).warnings
    assert (warning.code, warning.path) == ("expiry_renewal", ("CINE", "FUEL", "CINE"))
