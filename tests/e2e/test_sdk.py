"""The SDK against a whole embedded network: real chain, real gateway, real signatures."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

import tongdui
from clearing.runtime.embedded.network import EmbeddedNetwork
from tongdui import (
    AsyncClient,
    Client,
    Exchange,
    InsufficientPointsError,
    Issue,
    LocalSigner,
    Outcome,
    Receipt,
    Redeem,
    testing,
    yuan,
)
from tongdui._cli import main
from tongdui.till import TillImport, TillResult, TillSheet, read_till

ROOT = Path(__file__).parents[2]
DATA = ROOT / "scripts" / "demo" / "data"
SCOPES = ("issue", "redeem", "exchange", "agree", "members", "settle", "read")
WAIT = 60.0
pytestmark = pytest.mark.timeout(900)


@dataclass
class Party:
    """A merchant that signs for itself."""

    merchant: tongdui.Merchant
    signer: LocalSigner
    api_key: str
    client: Client


@dataclass
class Participants:
    """A gas station and a cinema in a network of their own."""

    network: EmbeddedNetwork
    operator: Client
    treasury: Client
    parties: dict[str, Party] = field(default_factory=dict)

    def join(self, code: str, name: str, lifetime_days: int | None = 365) -> Party:
        signer = LocalSigner.generate()
        merchant = self.operator.merchants.create(name=name, signer_address=signer.address, wait=WAIT)
        assert merchant.status == "active"
        testing.lend(self.operator, self.treasury, merchant, yuan(100))
        program = self.operator.programs.create(
            merchant=merchant, code=code, name=name, default_lifetime_days=lifetime_days, wait=WAIT
        )
        assert program.status == "active"
        secret = testing.first_key(self.operator, self.treasury, merchant, SCOPES)
        client = Client(
            self.network.url,
            secret,
            signer=signer,
            rpc_url=self.network.rpc_url,
            contract=self.network.settings.contract,
            chain_id=self.network.settings.chain_id,
        )
        self.parties[code] = Party(merchant, signer, secret, client)
        return self.parties[code]


@pytest.fixture(scope="module")
def participants(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Participants]:
    with EmbeddedNetwork(tmp_path_factory.mktemp("network")) as network:
        operator = Client(network.url, network.api_keys["operator"])
        treasury = Client(network.url, network.api_keys["treasury"])
        participants = Participants(network, operator, treasury)
        station, cinema = participants.join("FUEL", "Station"), participants.join("CINE", "Cinema")
        proposed = station.client.agreements.propose(
            source_program="FUEL",
            target_program="CINE",
            rate="9/10",
            unit_price_micros=yuan("0.01"),
            fee_bps=50,
            max_points=5_000,
            daily_cap=100_000,
            valid_until=datetime.now(UTC) + timedelta(days=30),
        )
        assert proposed.signed_by == ("source",)
        assert cinema.client.agreements.sign(proposed, wait=WAIT).state == "active"
        deposit = testing.deposit(treasury, operator, station.merchant, yuan(500), "BANK-1")
        assert deposit.state == "posted"
        yield participants


@pytest.fixture
def station(participants: Participants) -> Party:
    return participants.parties["FUEL"]


def member_with(station: Party, external_id: str, points: int) -> tongdui.Member:
    member = station.client.members.create(external_id=external_id)
    station.client.issuances.create(program="FUEL", member=member, points=points, wait=WAIT).settled()
    return member


def available(client: Client, member: tongdui.Member) -> dict[str, int]:
    return {account.program: account.available for account in client.members.accounts(member)}


def test_the_network_is_healthy(participants: Participants) -> None:
    assert set(_until_healthy(participants).checks) == {
        "database",
        "migrations",
        "chain",
        "sequencer",
        "projector",
        "signer",
        "reconciliation",
    }


def test_a_dry_run_says_what_the_entry_will_say(station: Party) -> None:
    client = station.client
    member = member_with(station, "rehearsal", 1_000)
    wanted = Exchange(source_program="FUEL", target_program="CINE", member=member, points=105)
    before = (client.members.accounts(member), client.positions.get(station.merchant))
    dry = client.exchanges.dry_run(wanted)
    in_order = client.orders.dry_run([wanted, Redeem(program="FUEL", member=member, points=3)])
    assert (client.members.accounts(member), client.positions.get(station.merchant)) == before
    entry = client.exchanges.create(
        source_program="FUEL", target_program="CINE", member=member, points=105, wait=WAIT
    ).settled()
    posted = Outcome(
        points=entry.points, out=entry.out, settled_micros=entry.settled_micros, fee_micros=entry.fee_micros
    )
    assert dry.outcome == posted
    assert in_order.outcomes == (posted, Outcome(points=3, out=0, settled_micros=0, fee_micros=0))
    assert (dry.result.state, dry.result.id) == ("accepted", "exc_" + "0" * 26)
    with pytest.raises(InsufficientPointsError):
        client.exchanges.dry_run(Exchange(source_program="FUEL", target_program="CINE", member=member, points=2_000))


def test_points_are_issued_exchanged_redeemed_and_proven(
    participants: Participants, station: Party, tmp_path: Path
) -> None:
    client = station.client
    member = member_with(station, "story", 1_000)
    before = client.positions.get(station.merchant)

    exchange = client.exchanges.create(
        source_program="FUEL", target_program="CINE", member=member, points=105, wait=WAIT
    )
    entry = exchange.settled()
    assert (entry.points, entry.out, entry.settled_micros, entry.fee_micros) == (105, 94, 940_000, 4_700)
    assert available(client, member) == {"FUEL": 895, "CINE": 94}
    after = client.positions.get(station.merchant)
    assert before.position_micros - after.position_micros == 944_700

    quote = client.quotes.create(source_program="FUEL", target_program="CINE", points=200)
    quoted = client.exchanges.create(quote=quote, member=member, points=200, wait=WAIT)
    assert quoted.settled().out == quote.out == 180
    redeemed = client.redemptions.create(program="FUEL", member=member, points=95, reference="till-9", wait=WAIT)
    assert redeemed.settled().points == 95
    assert available(client, member) == {"FUEL": 600, "CINE": 274}

    receipt = client.entries.receipt(exchange)
    trusted: dict[str, Any] = {
        "rpc_url": participants.network.rpc_url,
        "contract": participants.network.settings.contract,
    }
    receipt.verify(**trusted, chain_id=participants.network.settings.chain_id)
    asyncio.run(receipt.averify(**trusted))
    path = receipt.save(tmp_path / "receipt.json")
    command = ["verify", str(path), "--rpc", trusted["rpc_url"], "--contract", trusted["contract"]]
    assert main(command) == 0
    path.write_text(path.read_text().replace('"points": 105', '"points": 106'))
    assert main(command) == 1
    with pytest.raises(tongdui.VerificationError) as caught:
        Receipt.load(path).verify(**trusted)
    assert caught.value.check == "leaf"

    found = client.exchanges.list(member=member)
    assert [m.id for m in found] == [quoted.id, exchange.id]
    assert [e.leaf for e in client.entries.list(member=member, page_size=1)][-2] == entry.leaf
    assert any(event.type == "order.settled" for event in client.events.list(page_size=200))


def test_an_order_of_several_takes_effect_as_a_whole(station: Party) -> None:
    member = station.client.members.create(external_id="bulk")
    agreement = next(iter(station.client.agreements.list()))
    order = station.client.orders.create(
        [
            Issue(program="FUEL", member=member, points=100, reference="bulk-1"),
            Exchange(agreement=agreement, member=member, points=100),
        ],
        atomic=True,
        wait=WAIT,
    )
    issued, exchanged = order.settled()
    assert (issued.points, exchanged.out) == (100, 90)


def test_a_member_is_linked_to_another_merchant(participants: Participants, station: Party) -> None:
    member = member_with(station, "linked", 10)
    code = station.client.members.create_link_code(member)
    cinema = participants.parties["CINE"].client
    same = cinema.members.create(external_id="C-1", link_code=code.code)
    assert (same.id, same.address, same.external_id) == (member.id, member.address, "C-1")
    assert cinema.members.get("external:C-1").id == member.id


def test_a_members_code_is_made_looked_up_and_taken_back(participants: Participants, station: Party) -> None:
    member = member_with(station, "consents", 10)
    cinema = participants.parties["CINE"].client
    code = station.client.members.create_code(member, points=10, program="FUEL", expires_in=60)
    assert code.code is not None
    assert code.qr is not None
    assert (code.code in str(code), code.state) == (False, "live")
    assert cinema.members.by_code(code.qr, program="FUEL", points=10).address == member.address
    with pytest.raises(tongdui.MemberCodeError, match="over_member_code"):
        cinema.members.by_code(code.code, program="FUEL", points=11)
    assert station.client.members.void_code(member, code).state == "void"
    assert station.client.members.get_code(member, code.id).state == "void"
    assert cinema.members.by_code(code.qr, program="FUEL", points=10).id == member.id, "the first answer stays"
    with pytest.raises(tongdui.MemberCodeError, match="member_code_invalid"):
        cinema.members.by_code(code.qr, program="FUEL", points=9)


def test_refusals_have_their_own_exceptions(participants: Participants, station: Party) -> None:
    client = station.client
    member = member_with(station, "refusals", 50)
    with pytest.raises(tongdui.InsufficientPointsError) as short:
        client.redemptions.create(program="FUEL", member=member, points=51)
    assert [e.pointer for e in short.value.errors] == ["/points"]
    assert short.value.request_id
    with pytest.raises(tongdui.NotFoundError):
        client.issuances.create(program="FUEL", member="external:nobody", points=1)
    with pytest.raises(tongdui.NotFoundError):
        client.issuances.create(program="NOPE", member=member, points=1)
    with pytest.raises(tongdui.ForbiddenError, match="not_program_merchant"):
        client.issuances.create(program="CINE", member=member, points=1)
    client.issuances.create(program="FUEL", member=member, points=1, reference="once", wait=WAIT).settled()
    with pytest.raises(tongdui.DuplicateReferenceError) as twice:
        client.issuances.create(program="FUEL", member=member, points=1, reference="once")
    assert [e.pointer for e in twice.value.errors] == ["/reference"]
    with pytest.raises(tongdui.AgreementError, match="over_instruction_cap"):
        client.exchanges.create(source_program="FUEL", target_program="CINE", member=member, points=5_001)
    with pytest.raises(tongdui.AgreementError, match="below_minimum"):
        client.exchanges.create(source_program="FUEL", target_program="CINE", member=member, points=10, min_out=10)
    with pytest.raises(tongdui.AuthenticationError):
        Client(participants.network.url, "tdk_nobody_x").network.get()
    with pytest.raises(tongdui.ForbiddenError):
        client.merchants.create(name="Me too", managed_key=True)


def test_liquidity_ends_somewhere(participants: Participants) -> None:
    """A merchant without deposit may owe its credit limit of 100 yuan, and not one micro more."""
    poor, cinema = participants.join("POOR", "Poor"), participants.parties["CINE"]
    proposed = poor.client.agreements.propose(
        source_program="POOR",
        target_program="CINE",
        unit_price_micros=yuan(1),
        max_points=1_000,
        daily_cap=1_000,
        valid_until=datetime.now(UTC) + timedelta(days=1),
    )
    cinema.client.agreements.sign(proposed, wait=WAIT)
    member = poor.client.members.create(external_id="P-1")
    poor.client.issuances.create(program="POOR", member=member, points=200, wait=WAIT).settled()
    with pytest.raises(tongdui.InsufficientLiquidityError):
        poor.client.exchanges.create(agreement=proposed, member=member, points=101)
    poor.client.exchanges.create(agreement=proposed, member=member, points=100, wait=WAIT).settled()
    assert poor.client.positions.get(poor.merchant).liquidity_micros == 0


def test_a_stranger_cannot_sign_for_the_station(participants: Participants, station: Party) -> None:
    """With the station's API key, but another merchant's signing key."""
    cinema = participants.parties["CINE"]
    merchant = station.merchant.id
    with Client(participants.network.url, station.api_key, signer=cinema.signer, merchant=merchant) as thief:
        member = station.client.members.create(external_id="victim")
        with pytest.raises(tongdui.AuthorizationError, match="wrong_signer"):
            thief.issuances.create(program="FUEL", member=member, points=1)


@pytest.mark.parametrize(("seconds", "code"), [(-5, "deadline_passed"), (10**6, "deadline_too_far")])
def test_deadlines_have_limits(participants: Participants, station: Party, seconds: int, code: str) -> None:
    with Client(participants.network.url, station.api_key, signer=station.signer, deadline_seconds=seconds) as client:
        member = client.members.create(external_id="deadline")
        with pytest.raises(tongdui.AuthorizationError, match=code):
            client.issuances.create(program="FUEL", member=member, points=1)


def test_a_restart_with_the_same_key_pays_once(participants: Participants) -> None:
    """The points do not expire: at midnight the same sale would become another request, with another day to sign."""
    shop = participants.join("KEEP", "Shop", lifetime_days=None)
    member = shop.client.members.create(external_id="restart")
    found = []
    for _ in range(2):
        with Client(participants.network.url, shop.api_key, signer=shop.signer) as client:
            movement = client.issuances.create(
                program="KEEP", member=member, points=7, reference="r-1", idempotency_key="restart-1", wait=WAIT
            )
            found.append(movement.settled().leaf)
    assert found[0] == found[1]
    assert available(shop.client, member) == {"KEEP": 7}


def test_a_replayed_nonce_is_refused_and_not_used_again(station: Party) -> None:
    client = station.client
    member = client.members.create(external_id="nonce")
    movement = client.issuances.create(program="FUEL", member=member, points=1, wait=WAIT)
    used = client.orders.get(movement.order).nonce
    assert used is not None
    free = client._submitter.nonces._free
    free.appendleft(used)
    with pytest.raises(tongdui.NonceUsedError):
        client.issuances.create(program="FUEL", member=member, points=2)
    client.issuances.create(program="FUEL", member=member, points=4, wait=WAIT).settled()
    assert available(client, member)["FUEL"] == 5


def test_a_proposal_survives_the_gateways_defaults(participants: Participants, station: Party) -> None:
    """valid_from and document are chosen by the gateway; the client checks and signs them all the same."""
    proposed = station.client.agreements.propose(
        source_program="FUEL",
        target_program="CINE",
        rate=Fraction(1, 3),
        unit_price_micros=0,
        max_points=1,
        daily_cap=1,
        valid_until=datetime.now(UTC) + timedelta(days=1, microseconds=5),
        lifetime_days=10,
    )
    assert (proposed.rate, proposed.state) == (Fraction(1, 3), "proposed")


def test_a_round_that_would_make_points_is_refused(participants: Participants) -> None:
    with pytest.raises(tongdui.AgreementError, match="rate_cycle"):
        participants.parties["CINE"].client.agreements.propose(
            source_program="CINE",
            target_program="FUEL",
            rate="3/2",
            unit_price_micros=1,
            max_points=10,
            daily_cap=10,
            valid_until=datetime.now(UTC) + timedelta(days=1),
        )


def test_the_async_client_issues_many_at_once(participants: Participants, station: Party) -> None:
    member = station.client.members.create(external_id="async")

    async def issue() -> int:
        async with AsyncClient(participants.network.url, station.api_key, signer=station.signer) as client:
            movements = await asyncio.gather(
                *(client.issuances.create(program="FUEL", member=member, points=n, wait=WAIT) for n in range(1, 31))
            )
            return sum(m.settled().points for m in movements)

    assert asyncio.run(issue()) == sum(range(1, 31))
    assert available(station.client, member)["FUEL"] == sum(range(1, 31))


def test_a_managed_merchant_needs_no_signer(participants: Participants) -> None:
    merchant = participants.operator.merchants.create(name="Managed", managed_key=True, wait=WAIT)
    participants.operator.programs.create(merchant=merchant, code="EASY", name="Easy", wait=WAIT)
    secret = testing.first_key(participants.operator, participants.treasury, merchant, SCOPES)
    with Client(participants.network.url, secret) as client:
        member = client.members.create(external_id="E-1")
        movement = client.issuances.create(program="EASY", member=member, points=3, wait=WAIT)
        assert movement.settled().points == 3
        proposed = client.agreements.propose(
            source_program="EASY",
            target_program="CINE",
            unit_price_micros=1,
            max_points=10,
            daily_cap=10,
            valid_until=datetime.now(UTC) + timedelta(days=1),
        )
    assert proposed.signed_by == ("source",)


# --- the till


def test_a_day_at_the_pump_is_issued_once(
    participants: Participants, station: Party, tmp_path: Path, monkeypatch: Any
) -> None:
    """Through the command, as a station would run it each night; the second run issues nothing.

    One of the day's returns is of something that was bought on an earlier day, so both runs ask for attention.
    """
    sheet = read_till(DATA / "fuel_day.csv")
    keystore = station.signer.save_keystore(tmp_path / "station.json", "secret")
    environment = {
        "TONGDUI_URL": participants.network.url,
        "TONGDUI_API_KEY": station.api_key,
        "TONGDUI_KEYSTORE": str(keystore),
        "TONGDUI_KEYSTORE_PASSWORD": "secret",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    command = ["till", "import", str(DATA / "fuel_day.csv"), "--program", "FUEL", "--timeout", "300"]
    assert main(command) == 1
    assert main(command) == 1
    assert _issued(station, sheet.sales) == {sale.reference: sale.points for sale in sheet.sales}


def test_a_gateway_that_dies_in_the_middle_of_an_import_issues_once(participants: Participants, tmp_path: Path) -> None:
    party = participants.join("KILL", "Killed")
    rows = [f"2026-04-15 08:00:00,K{n},C-{n % 7},95#,1,L,{n}.00" for n in range(1, 601)]
    path = tmp_path / "day.csv"
    path.write_text("time,sale number,customer,article,quantity,unit,amount\n" + "\n".join(rows))
    sheet = read_till(path)
    told: list[tuple[str, int]] = []

    def kill_at_some_moments(what: str, done: int, _total: int) -> None:
        told.append((what, done))
        if len(told) in {1, 2, 3, 5}:
            participants.network.children["gateway"].kill()

    result = _stubborn(party.client, sheet, kill_at_some_moments)
    assert len(told) >= 3, "the gateway was not killed often enough"
    _until_healthy(participants)
    again = TillImport(party.client, "KILL").run(sheet)
    assert (len(again.issued), len(again.already), again.needs_attention) == (0, 600, False)
    assert len(result.issued) + len(result.already) == 600
    _eventually(lambda: len(_issued(party, sheet.sales)) == 600, "not all of them settled")
    assert _issued(party, sheet.sales) == {f"till:2026-04-15:K{n}": n for n in range(1, 601)}


def test_a_real_shops_export_is_imported_whole(participants: Participants) -> None:
    shared = Path(os.environ.get("TONGDUI_SHARED_DATA") or ROOT / ".." / "shared" / "data")
    path = shared / "online_retail.csv"
    if not path.exists():
        pytest.skip("online_retail.csv is not here; see TONGDUI_SHARED_DATA")
    market = participants.join("MART", "Supermarket", lifetime_days=None)  # the sales are of 2010
    sheet = read_till(path, "online_retail")
    result = TillImport(market.client, "MART", timeout=300).run(sheet)
    assert (len(result.issued), result.points) == (61, 24_603)
    assert [(taken.source.number, taken.points) for taken in result.due] == [("C536506", 25)]
    assert {lost.source.number for lost in result.unmatched} == {"C536379", "C536383", "C536391"}
    by_customer: dict[str, int] = {}
    for sale in sheet.sales:
        by_customer[sale.customer] = by_customer.get(sale.customer, 0) + sale.points
    for customer, points in by_customer.items():
        (account,) = market.client.members.accounts(f"external:{customer}")
        assert (account.program, account.posted) == ("MART", points)


def _issued(party: Party, sales: Any) -> dict[str, int]:
    """What the gateway knows to have been issued for these sales; a reference that was issued twice would raise."""
    wanted = {sale.reference for sale in sales}
    found: dict[str, int] = {}
    for movement in party.client.issuances.list(state="settled", page_size=200):
        if movement.reference in wanted:
            assert movement.reference not in found
            found[movement.reference] = movement.settled().points
    return found


def _stubborn(client: Client, sheet: TillSheet, on_progress: Any) -> TillResult:
    """Runs an import again for as long as the gateway is too often away."""
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline:
        try:
            return TillImport(client, "KILL", timeout=300).run(sheet, on_progress)
        except (tongdui.APIConnectionError, tongdui.ServerError):
            time.sleep(1)
    raise AssertionError("it never got through")


def _until_healthy(participants: Participants) -> tongdui.Health:
    seen: list[tongdui.Health] = []

    def is_ok() -> bool:
        with suppress(tongdui.APIConnectionError, tongdui.APIError):
            seen.append(participants.operator.health.get())
            return seen[-1].status == "ok"
        return False

    _eventually(is_ok, "the network did not come back")
    return seen[-1]


def _eventually(holds: Callable[[], bool], otherwise: str, seconds: float = 180) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.2)
