"""Spend, give back and transfer on a whole network: a petrol station, a cinema and a car wash, each with keys of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

import tongdui
from tongdui import AsyncClient, Client, Exchange, Redeem, Reverse, Spend, Transfer
from tongdui.testing import Acceptor, Network, Participant, network

WAIT = 60.0
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    with network(tmp_path_factory.mktemp("network")) as found:
        yield found


@pytest.fixture(scope="module")
def station(running: Network) -> Participant:
    return running.join("FUEL", default_lifetime_days=365)


@pytest.fixture(scope="module")
def cinema(running: Network) -> Participant:
    return running.join("CINE")


@pytest.fixture(scope="module")
def wash(running: Network, station: Participant) -> Acceptor:
    acceptor = running.join_acceptor("Car wash")
    running.agree_acceptance(station, acceptor, fee_bps=50)
    return acceptor


@pytest.fixture(scope="module")
def exchange_agreement(running: Network, station: Participant, cinema: Participant) -> tongdui.Agreement:
    return running.agree(station, cinema, rate="9/10", fee_bps=50)


def member_with(station: Participant, points: int, external_id: str) -> tongdui.Member:
    member = station.client.members.create(external_id=external_id)
    station.client.issuances.create(program="FUEL", member=member, points=points, wait=WAIT).settled()
    return member


def available(client: Client, member: tongdui.Member) -> dict[str, int]:
    return {account.program: account.available for account in client.members.accounts(member)}


def position(party: Acceptor) -> int:
    return party.client.positions.get(party.merchant).position_micros


def test_the_car_wash_takes_points_with_a_code_and_gives_some_back(
    running: Network, station: Participant, wash: Acceptor
) -> None:
    member = member_with(station, 2_000, "wash-1")
    (lot,) = station.client.lots.list(member, "FUEL")
    before = position(station), position(wash)
    code = station.client.members.create_code(member, points=1_000, program="FUEL").code
    assert code is not None
    quote = wash.client.quotes.create(source_program="FUEL", points=1_000)
    assert (quote.out, quote.settled_micros, quote.fee_micros) == (0, 10_000_000, 50_000)
    spend = wash.client.spends.create(points=1_000, member_code=code, quote=quote, reference="wash 17", wait=WAIT)
    entry = spend.settled()
    assert (entry.points, entry.out, entry.settled_micros, entry.fee_micros) == (1_000, 0, 10_000_000, 50_000)
    assert (position(station), position(wash)) == (before[0] - 10_050_000, before[1] + 10_000_000)
    with pytest.raises(tongdui.MemberCodeError):
        wash.client.spends.create(program="FUEL", points=1, member_code=code)

    half = wash.client.reversals.create(original_reference="wash 17", points=500, reference="back 17", wait=WAIT)
    assert half.settled().settled_micros == 5_000_000
    assert half.reverses == spend.id
    again = station.client.spends.get(spend.id)
    assert (again.reversed_points, again.reversible_points) == (500, 500)
    with pytest.raises(tongdui.ForbiddenError) as refusal:
        station.client.reversals.create(spend.id)
    assert refusal.value.code == "not_giver"
    wash.client.reversals.create(again, wait=WAIT).settled()
    assert (position(station), position(wash)) == (before[0], before[1] - 50_000), "the wash had begun it"
    (restored,) = station.client.lots.list(member, "FUEL")
    assert (restored.points, restored.expires_on) == (2_000, lot.expires_on), "the points are as before"
    for movement in (spend, half):
        wash.client.entries.receipt(movement).verify(rpc_url=running.rpc_url, contract=running.contract)


def test_a_hold_by_code_is_captured_in_part(station: Participant, wash: Acceptor) -> None:
    member = member_with(station, 800, "wash-2")
    code = station.client.members.create_code(member, points=800).code
    assert code is not None
    hold = wash.client.holds.create(program="FUEL", member_code=code, points=800)
    assert available(station.client, member)["FUEL"] == 0
    spend = wash.client.holds.capture(hold, points=300, wait=WAIT)
    assert (spend.object, spend.settled().points) == ("spend", 300)
    assert available(station.client, member)["FUEL"] == 500


def test_the_cinema_exchanges_and_redeems_at_once_and_gives_both_back(
    running: Network, station: Participant, cinema: Participant
) -> None:
    running.agree(station, cinema, rate="9/10", initiators=("source", "target"))
    member = member_with(station, 1_000, "seat-1")
    code = station.client.members.create_code(member, points=100, program="FUEL").code
    assert code is not None
    exchange = cinema.client.exchanges.create(
        source_program="FUEL", target_program="CINE", points=100, member_code=code, wait=WAIT
    )
    assert (exchange.settled().points, exchange.settled().out) == (100, 90)
    guest = cinema.client.members.create(external_id="seat 14", member=exchange.member)
    redemption = cinema.client.redemptions.create(program="CINE", member=guest, points=90, wait=WAIT)
    redemption.settled()
    with pytest.raises(tongdui.InsufficientPointsError, match="0 of the 90 points"):
        cinema.client.reversals.create(exchange)
    order = cinema.client.orders.create(
        [Reverse(movement=redemption.id), Reverse(movement=exchange, points=100)], atomic=True, wait=WAIT
    )
    assert [movement.object for movement in order.movements] == ["reversal", "reversal"]
    order.settled()
    assert available(station.client, member) == {"FUEL": 1_000, "CINE": 0}


def test_a_gift_reaches_the_child_and_is_taken_back(station: Participant) -> None:
    mother, child = member_with(station, 100, "mother"), station.client.members.create(external_id="child")
    gift = station.client.transfers.create(program="FUEL", member=mother, recipient=child, points=60, wait=WAIT)
    assert (gift.settled().points, gift.recipient) == (60, child.id)
    station.client.redemptions.create(program="FUEL", member=child, points=10, wait=WAIT).settled()
    with pytest.raises(tongdui.InsufficientPointsError, match="50 of the 60 points"):
        station.client.reversals.create(gift)
    station.client.reversals.create(gift, points=50, wait=WAIT).settled()
    assert available(station.client, mother) == {"FUEL": 90}
    assert available(station.client, child) == {"FUEL": 0}


def test_an_atomic_order_exchanges_spends_and_moves(
    station: Participant, cinema: Participant, wash: Acceptor, exchange_agreement: tongdui.Agreement
) -> None:
    member = member_with(station, 1_000, "all-at-once")
    friend = station.client.members.create(external_id="friend")
    order = station.client.orders.create(
        [
            Exchange(agreement=exchange_agreement, member=member, points=100),
            Spend(program="FUEL", target_merchant=wash.merchant, member=member, points=200),
            Transfer(program="FUEL", member=member, recipient=friend, points=300),
            Redeem(program="FUEL", member=friend, points=300),
        ],
        atomic=True,
        wait=WAIT,
    )
    order.settled()
    assert available(station.client, member) == {"FUEL": 400, "CINE": 90}
    assert available(station.client, friend) == {"FUEL": 0}


def test_the_same_without_blocking_and_with_a_managed_key(
    running: Network, station: Participant, wash: Acceptor
) -> None:
    merchant = running.operator.merchants.create(name="Shop", managed_key=True, wait=WAIT)
    secret = running.first_key(merchant, ["spend", "reverse", "agree", "read"])
    member = member_with(station, 500, "shop-1")
    code = station.client.members.create_code(member, points=500).code

    async def shop() -> None:
        async with AsyncClient(running.url, secret) as client:
            proposal = station.client.agreements.propose(
                source_program="FUEL",
                target_merchant=merchant,
                unit_price_micros=20_000,
                max_points=1_000,
                daily_cap=1_000,
                initiators=("target",),
                valid_until=station.client.agreements.list().page().data[0].valid_until,
            )
            await client.agreements.sign(proposal, wait=WAIT)
            spend = await client.spends.create(program="FUEL", points=400, member_code=code, wait=WAIT)
            assert spend.settled().settled_micros == 8_000_000
            reversal = await client.reversals.create(spend, points=100, wait=WAIT)
            assert reversal.settled().settled_micros == 2_000_000

    asyncio.run(shop())
    assert available(station.client, member) == {"FUEL": 200}
