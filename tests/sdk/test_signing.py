"""Orders and agreements that are signed on the caller's machine, and what the client refuses to sign."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

import tongdui
from tests.sdk.stand_in import CHAIN_ID, CONTRACT, Call, ProblemError, StandIn, day_number, today
from tongdui import AsyncClient, Client, Exchange, Issue, LocalSigner, Redeem, SigningError, format_micros, yuan
from tongdui._amounts import rate_of
from tongdui._models import NonceBlock
from tongdui._nonces import NonceFile, NonceLease
from tongdui._signing import compact
from tongdui.encoding import hex_of, keccak256, word
from tongdui.orders import full_signature, recover_signer, sign_digest, signature_bytes

UNTIL = datetime(2030, 1, 1, tzinfo=UTC)
PROPOSAL: dict[str, Any] = {
    "source_program": "FUEL",
    "target_program": "CINE",
    "rate": "9/10",
    "unit_price_micros": yuan("0.009"),
    "max_points": 1_000,
    "daily_cap": 10_000,
    "valid_until": UNTIL,
}


# --- keys


def test_a_keystore_brings_the_key_back(tmp_path: Path) -> None:
    signer = LocalSigner.generate()
    path = signer.save_keystore(tmp_path / "key.json", "correct horse")
    assert path.stat().st_mode & 0o777 == 0o600
    again = LocalSigner.from_keystore(path, "correct horse")
    assert (again.address, again.reference_salt) == (signer.address, signer.reference_salt)
    with pytest.raises(SigningError, match=r"key\.json: wrong password; give the one"):
        LocalSigner.from_keystore(path, "wrong")
    with pytest.raises(FileExistsError):
        signer.save_keystore(path, "x")


@pytest.mark.parametrize("text", ["{}", "no json", '{"version": 3, "crypto": {}}', "[]"])
def test_a_file_that_is_no_keystore_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "key.json"
    path.write_text(text)
    with pytest.raises(SigningError, match=r"key\.json is not a keystore"):
        LocalSigner.from_keystore(path, "x")


@pytest.mark.parametrize("key", ["", "12", b"\0" * 32, b"\xff" * 32, "zz" * 32])
def test_what_is_no_private_key_is_refused(key: bytes | str) -> None:
    with pytest.raises(ValueError, match="private key"):
        LocalSigner(key)


def test_a_signature_of_65_bytes_is_as_good() -> None:
    signer = LocalSigner("11" * 32)
    digest = keccak256(b"x")
    short = signer.sign(digest)
    long = full_signature(short)
    assert compact(long) == short
    assert compact(long[:64] + bytes([long[64] - 27])) == short
    assert recover_signer(digest, short) == signer.address
    with pytest.raises(ValueError, match="64 or 65"):
        compact(b"x" * 63)


def test_a_signer_that_holds_another_key_is_found_out(gateway: StandIn, station: LocalSigner) -> None:
    class Swapped(LocalSigner):
        def sign(self, digest: bytes) -> bytes:
            return LocalSigner("33" * 32).sign(digest)

    with (
        Client(gateway.url, "k", signer=Swapped("11" * 32)) as client,
        pytest.raises(tongdui.SigningError, match="but signed as"),
    ):
        client.issuances.create(program="FUEL", member="external:FC-1001", points=1)


# --- orders


def test_every_kind_is_signed_as_the_gateway_reads_it(client: Client, gateway: StandIn) -> None:
    """The stand-in rebuilds each order from its body and recovers the signer; a wrong bit anywhere would be `wrong_signer`."""
    client.issuances.create(program="FUEL", member="external:FC-1001", points=500, reference="till:1")
    client.issuances.create(program="FUEL", member="external:FC-1001", points=1, expires_on=date(2031, 2, 3))
    client.redemptions.create(program="FUEL", member="mem_FC-1001", points=7)
    client.exchanges.create(source_program="FUEL", target_program="CINE", member="mem_FC-1001", points=10)
    client.exchanges.create(agreement="agr_1", member="mem_FC-1001", points=10, min_out=9, reference="x")
    order = client.orders.create(
        [
            Issue(program="FUEL", member="mem_FC-1001", points=3, reference="till:2"),
            Redeem(program="FUEL", member="mem_FC-1001", points=2),
            Exchange(agreement="agr_1", member="mem_FC-1001", points=10),
        ],
        atomic=True,
    )
    assert [m.object for m in order.movements] == ["issuance", "redemption", "exchange"]
    assert [o.nonce for o in gateway.wires] == [100, 101, 102, 103, 104, 105]
    assert len([c for c in gateway.calls if c.path == "/v1/nonces"]) == 1


def test_the_lifetime_of_the_program_is_signed(gateway: StandIn, station: LocalSigner) -> None:
    gateway.programs["FUEL"]["default_lifetime_days"] = 365
    with Client(gateway.url, "k", signer=station) as client:
        client.issuances.create(program="FUEL", member="external:FC-1001", points=1)
    assert gateway.wires[0].instructions[0].expiry_day > 20_000


def test_a_reference_is_hidden_and_the_same_every_time(client: Client, gateway: StandIn, station: LocalSigner) -> None:
    client.issuances.create(program="FUEL", member="mem_FC-1001", points=1, reference="till:1")
    client.issuances.create(program="FUEL", member="mem_FC-1001", points=1)
    salted, none = (order.instructions[0].ref for order in gateway.wires)
    assert salted == keccak256(LocalSigner("11" * 32).reference_salt + b"till:1") != keccak256(b"till:1")
    assert none == bytes(32)


def test_a_restart_sends_the_same_body_and_gets_the_first_answer(gateway: StandIn, station: LocalSigner) -> None:
    answers = []
    for _ in range(2):
        with Client(gateway.url, "k", signer=station) as client:
            movement = client.issuances.create(
                program="FUEL", member="external:FC-1001", points=5, reference="till:9", idempotency_key="sale-9"
            )
            answers.append(movement.id)
    assert answers[0] == answers[1]
    first, second = (c.body for c in gateway.calls if c.path == "/v1/issuances")
    assert first.pop("authorization") != second.pop("authorization")
    assert first == second
    assert len(gateway.movements) == 1


def test_one_key_signs_one_nonce(client: Client, gateway: StandIn) -> None:
    """Two signed orders for the same intent can not both take effect, whatever a gateway does with them."""
    failing = [True]

    def fail(call: Call) -> None:
        if call.path == "/v1/issuances" and failing[0]:
            raise ProblemError(500, "internal_error")

    gateway.faults.append(fail)
    with pytest.raises(tongdui.ServerError):
        client.issuances.create(program="FUEL", member="mem_FC-1001", points=5, idempotency_key="k")
    failing[0] = False
    client.issuances.create(program="FUEL", member="mem_FC-1001", points=5, idempotency_key="k")
    bodies = [c.body for c in gateway.calls if c.path == "/v1/issuances"]
    assert {b["authorization"]["nonce"] for b in bodies} == {100}


def test_threads_never_share_a_nonce(client: Client, gateway: StandIn) -> None:
    def work() -> None:
        for _ in range(10):
            client.issuances.create(program="FUEL", member="mem_FC-1001", points=1)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({order.nonce for order in gateway.wires}) == 60


def test_stale_reference_data_is_renewed_once_under_the_same_nonce(client: Client, gateway: StandIn) -> None:
    client.issuances.create(program="FUEL", member="mem_FC-1001", points=1)
    gateway.programs["FUEL"]["default_lifetime_days"] = 30  # the operator changed it after the client had read it
    client.issuances.create(program="FUEL", member="mem_FC-1001", points=2)
    bodies = [c.body for c in gateway.calls if c.path == "/v1/issuances"][1:]
    assert len(bodies) == 2
    assert len({b["authorization"]["nonce"] for b in bodies}) == 1
    keys = [c.headers["idempotency-key"] for c in gateway.calls if c.path == "/v1/issuances"]
    assert len(set(keys)) == 3


def test_a_refusal_that_renewing_does_not_mend_is_raised(client: Client, gateway: StandIn) -> None:
    gateway.merchants["mer_station"]["signer"]["address"] = LocalSigner("33" * 32).address
    with pytest.raises(tongdui.SigningError, match="no merchant visible"):
        client.issuances.create(program="FUEL", member="mem_FC-1001", points=1)


def test_a_used_nonce_is_raised_and_the_next_order_takes_another(client: Client, gateway: StandIn) -> None:
    """Whoever says that it is used may have used it for this very order: nothing is signed under two nonces."""
    gateway.used.add((1, 100))
    with pytest.raises(tongdui.NonceUsedError):
        client.issuances.create(program="FUEL", member="mem_FC-1001", points=1)
    assert len([c for c in gateway.calls if c.path == "/v1/issuances"]) == 1
    client.issuances.create(program="FUEL", member="mem_FC-1001", points=1)
    assert gateway.wires[0].nonce > 100


def test_a_key_signs_one_nonce_even_after_a_restart(gateway: StandIn, station: LocalSigner, tmp_path: Path) -> None:
    """A gateway that says it never got the first order, or that its nonce was used, gets no order under another one."""
    signed: list[int] = []

    def withhold(call: Call) -> None:
        if call.path == "/v1/issuances":
            signed.append(call.body["authorization"]["nonce"])
            raise ProblemError(*((409, "nonce_used") if len(signed) == 2 else (500, "internal_error")))

    gateway.faults.append(withhold)
    for key in ("k", "k", "k", "other"):
        with (
            Client(gateway.url, "tdk", signer=station, nonce_file=tmp_path / "nonces.db") as client,
            pytest.raises(tongdui.APIError),
        ):
            client.issuances.create(program="FUEL", member="mem_FC-1001", points=5, idempotency_key=key)
    assert len(signed) == 4
    assert signed[0] == signed[1] == signed[2] != signed[3]


def test_processes_that_share_a_file_agree_on_a_keys_nonce(tmp_path: Path) -> None:
    files = [NonceFile(tmp_path / "nonces.db", "0xAB") for _ in range(2)]
    assert (files[0].bind("k", 7), files[1].bind("k", 8)) == (7, 7)
    assert NonceFile(tmp_path / "nonces.db", "0xCD").nonce_of("k") is None


def test_a_key_keeps_its_nonce_while_an_order_of_it_is_good_however_many_keys_there_are() -> None:
    now = [0.0]
    lease = NonceLease(20, deadline_seconds=600, now=lambda: now[0])
    lease.add(NonceBlock(first=0, count=50_000))
    assert lease.take("sale-1") == 0
    for number in range(20_000):
        lease.take(f"other-{number}")
    now[0] = 4_000.0
    assert lease.take("sale-1") == 0  # and signs an order that is good for another ten minutes
    now[0] = 5_000.0
    lease.take("one more")
    assert lease.take("sale-1") == 0
    assert len(lease._by_key) == 2


def test_a_file_keeps_a_nonce_from_its_last_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, day = tmp_path / "nonces.db", 86_400
    start = time.time()

    def lease_after(days: float, deadline_seconds: int = 600) -> NonceLease:
        monkeypatch.setattr(time, "time", lambda: start + days * day)
        lease = NonceLease(20, NonceFile(path, "0xAB", deadline_seconds))
        lease.add(NonceBlock(first=int(days), count=20))
        return lease

    first = lease_after(0)
    assert first.take("k") == 0
    monkeypatch.setattr(time, "time", lambda: start + 6 * day)
    assert first.take("k") == 0  # from its memory: a use all the same
    assert lease_after(12).take("k") == 0
    assert lease_after(22, deadline_seconds=10 * day).take("k") == 0
    assert lease_after(30).take("k") == 30


def test_the_newest_agreement_between_two_programs_is_used(client: Client, gateway: StandIn) -> None:
    gateway.agreement("FUEL", "CINE", rate_num=8)
    client.exchanges.create(source_program="FUEL", target_program="CINE", member="mem_FC-1001", points=10)
    assert gateway.calls[-1].body["agreement"] == "agr_2"
    assert "source_program" not in gateway.calls[-1].body


def test_a_quote_is_signed_with_what_it_promised(client: Client, gateway: StandIn) -> None:
    quote = tongdui.Quote(
        id="quo_1",
        agreement="agr_1",
        points=10,
        points_burnt=10,
        out=9,
        settled_micros=1,
        fee_micros=0,
        rate_num=9,
        rate_den=10,
        expires_at=UNTIL,
    )
    client.exchanges.create(quote=quote, member="mem_FC-1001", points=10)
    assert gateway.wires[0].instructions[0].min_out == 9
    with pytest.raises(tongdui.SigningError, match="pass the Quote itself"):
        client.exchanges.create(quote="quo_1", agreement="agr_1", member="mem_FC-1001", points=10)


def test_an_agreement_that_is_not_in_force_yet_is_not_used(client: Client, gateway: StandIn) -> None:
    gateway.agreement("FUEL", "CINE", valid_from="2029-01-01T00:00:00Z")
    client.exchanges.create(source_program="FUEL", target_program="CINE", member="mem_FC-1001", points=10)
    assert gateway.calls[-1].body["agreement"] == "agr_1"


def test_no_agreement_is_said_before_anything_is_signed(client: Client, gateway: StandIn) -> None:
    with pytest.raises(tongdui.SigningError, match="no active agreement from CINE to FUEL"):
        client.exchanges.create(source_program="CINE", target_program="FUEL", member="mem_FC-1001", points=10)
    assert gateway.wires == []


def test_without_a_signer_the_gateway_signs(gateway: StandIn, station: LocalSigner) -> None:
    with Client(gateway.url, "k") as client:
        client.issuances.create(program="FUEL", member="mem_FC-1001", points=1, reference="r")
    body = gateway.calls[-1].body
    assert body == {"program": "FUEL", "member": "mem_FC-1001", "points": 1, "reference": "r"}


# --- what is not believed


@pytest.mark.parametrize(
    ("options", "check"),
    [
        ({"contract": "0x" + "99" * 20}, "contract"),
        ({"chain_id": 1}, "chain_id"),
    ],
)
def test_a_pinned_network_is_not_given_away(
    gateway: StandIn, station: LocalSigner, options: dict[str, Any], check: str
) -> None:
    with (
        Client(gateway.url, "k", signer=station, **options) as client,
        pytest.raises(tongdui.VerificationError) as caught,
    ):
        client.issuances.create(program="FUEL", member="mem_FC-1001", points=1)
    assert caught.value.check == check
    assert gateway.wires == []


@pytest.mark.parametrize(
    ("lie", "check"),
    [
        ({"eth_chainId": "0x1"}, "chain_id"),
        ({"eth_getCode": "0x"}, "contract"),
        ({"code": "GOLD"}, "program"),
        ({"terms": bytes(32 * 20)}, "terms.kind"),
    ],
)
def test_what_the_chain_contradicts_is_not_signed(
    gateway: StandIn, station: LocalSigner, lie: dict[str, Any], check: str
) -> None:
    gateway.chain.update(lie)
    with (
        Client(gateway.url, "k", signer=station, rpc_url=f"{gateway.url}/rpc") as client,
        pytest.raises(tongdui.VerificationError) as caught,
    ):
        client.exchanges.create(agreement="agr_1", member="mem_FC-1001", points=10)
    assert caught.value.check == check
    assert gateway.wires == []


def test_what_the_chain_confirms_is_signed(gateway: StandIn, station: LocalSigner) -> None:
    pins: dict[str, Any] = {"contract": CONTRACT.lower(), "chain_id": CHAIN_ID, "rpc_url": f"{gateway.url}/rpc"}
    with Client(gateway.url, "k", signer=station, **pins) as client:
        client.exchanges.create(agreement="agr_1", member="mem_FC-1001", points=10)
    assert not any(c.path == "/v1/merchants" for c in gateway.calls)  # who we are, the chain says


def test_a_key_that_is_nobodys_on_the_chain_signs_nothing(gateway: StandIn, station: LocalSigner) -> None:
    stranger = LocalSigner("44" * 32)
    with (
        Client(gateway.url, "k", signer=stranger, rpc_url=f"{gateway.url}/rpc") as client,
        pytest.raises(tongdui.SigningError, match="not a merchant's key"),
    ):
        client.issuances.create(program="FUEL", member="mem_FC-1001", points=1)


def test_a_members_address_may_not_change(client: Client, gateway: StandIn) -> None:
    client.members.create(external_id="FC-1001")
    gateway.members["external:FC-1001"]["address"] = "0x" + "66" * 20
    gateway.members["mem_FC-1001"]["address"] = "0x" + "66" * 20

    def moved(call: Call) -> tuple[int, Any] | None:
        if call.method == "POST" and call.path == "/v1/members":
            return 200, {"id": "mem_FC-1001", "address": "0x" + "66" * 20}
        return None

    gateway.faults.append(moved)
    with pytest.raises(tongdui.VerificationError, match="address of"):
        client.members.create(external_id="FC-1001")


@pytest.mark.parametrize(
    ("lie", "check"),
    [
        ({"points": 600_000}, "hold.points"),
        ({"program": "CINE"}, "hold.program"),
        ({"member": "mem_FC-6666"}, "hold.member"),
        ({"member": None}, "hold.member"),
        ({"taken_on": "2026-01-01"}, "hold.taken_on"),
        ({"taken_on": "2999-01-01"}, "hold.taken_on"),
    ],
    ids=str,
)
def test_a_hold_that_was_noted_differently_is_found_out(
    client: Client, gateway: StandIn, lie: dict[str, Any], check: str
) -> None:
    gateway.member("FC-6666")

    def alter(call: Call) -> tuple[int, Any] | None:
        if call.path == "/v1/holds":
            status, hold = gateway.route(call)
            return status, {**hold, **lie}
        return None

    gateway.faults.append(alter)
    with pytest.raises(tongdui.VerificationError) as caught:
        client.holds.create(program="FUEL", member="external:FC-1001", points=600)
    assert caught.value.check == check


def test_a_hold_is_captured_as_it_was_asked_for(client: Client, gateway: StandIn) -> None:
    hold = client.holds.create(program="FUEL", member="external:FC-1001", points=600)
    client.holds.capture(hold, points=425)
    (taken,) = gateway.wires[0].instructions
    assert (taken.member, taken.points) == (gateway.members["mem_FC-1001"]["address"], 425)
    assert taken.link == word(day_number(today()))  # its lots are taken as on the day of the hold


def test_a_retry_of_ones_own_may_bring_back_a_hold_of_an_earlier_day(client: Client, gateway: StandIn) -> None:
    def earlier(call: Call) -> tuple[int, Any] | None:
        if call.path != "/v1/holds":
            return None
        status, hold = gateway.route(call)
        return status, {**hold, "taken_on": (today() - timedelta(days=2)).isoformat()}

    gateway.faults.append(earlier)
    asked: dict[str, Any] = {"program": "FUEL", "member": "external:FC-1001", "points": 600}
    assert client.holds.create(**asked, idempotency_key="pump-3").taken_on == today() - timedelta(days=2)


# --- agreements


def test_two_merchants_sign_an_agreement(gateway: StandIn, station: LocalSigner) -> None:
    cinema = LocalSigner("22" * 32)
    with Client(gateway.url, "k", signer=station) as a, Client(gateway.url, "k", signer=cinema) as b:
        proposed = a.agreements.propose(**PROPOSAL)
        assert (proposed.rate, proposed.state) == (Fraction(9, 10), "proposed")
        signed = b.agreements.sign(proposed.id)
        later = a.agreements.propose(**PROPOSAL, accept_by=datetime(2029, 1, 1, tzinfo=UTC), keep_expiry=True)
    assert (later.terms["accept_by"], later.terms["keep_expiry"]) == (1_861_920_000, True)
    assert signed.state == "active"
    assert gateway.agreements[signed.id]["signers"] == [station.address, cinema.address]


@pytest.mark.parametrize(
    ("lie", "check"),
    [
        ({"rate_num": 10}, "terms.rate_num"),
        ({"unit_price_micros": 1}, "terms.unit_price_micros"),
        ({"max_points": 5}, "terms.max_points"),
        ({"daily_cap": 5}, "terms.daily_cap"),
        ({"target_program": "FUEL"}, "terms.target_program"),
        ({"source_merchant": "mer_cinema"}, "terms.source_merchant"),
        ({"initiators": ["source", "target"]}, "terms.initiators"),
        ({"valid_until": "2029-01-01T00:00:00Z"}, "terms.valid_until"),
        ({"fee_bps": 3}, "terms.fee_bps"),
        ({"lifetime_days": 3}, "terms.lifetime_days"),
        ({"accept_by": "2029-01-01T00:00:00Z"}, "terms.accept_by"),
        ({"keep_expiry": True}, "terms.keep_expiry"),
        ({"digest": "0x" + "00" * 32}, "digest"),
        ({"document": "0x" + "00" * 32}, "terms.document"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_terms_that_differ_from_what_is_shown_are_not_signed(
    client: Client, gateway: StandIn, lie: dict[str, Any], check: str
) -> None:
    gateway.agreements["agr_1"].update(state="proposed", **lie)
    with pytest.raises(tongdui.VerificationError) as caught:
        client.agreements.sign("agr_1")
    assert caught.value.check == check
    assert "signers" not in gateway.agreements["agr_1"]


def test_a_proposal_that_was_written_down_differently_is_not_signed(client: Client, gateway: StandIn) -> None:
    def alter(call: Call) -> tuple[int, Any] | None:
        if call.method == "POST" and call.path == "/v1/agreements":
            return gateway.route(Call("POST", call.path, {}, {}, {**call.body, "unit_price_micros": 999_999}))
        return None

    gateway.faults.append(alter)
    with pytest.raises(tongdui.VerificationError) as caught:
        client.agreements.propose(**PROPOSAL)
    assert caught.value.check == "proposal.unit_price_micros"


def test_terms_that_end_another_agreement_than_shown_are_not_signed(client: Client, gateway: StandIn) -> None:
    gateway.agreement("FUEL", "CINE")
    successor = gateway.agreement("FUEL", "CINE", supersedes="agr_1")
    for shown in (None, "agr_2"):
        successor.update(state="proposed", supersedes=shown)
        with pytest.raises(tongdui.VerificationError) as caught:
            client.agreements.sign(successor["id"])
        assert caught.value.check == "terms.supersedes"
    assert "signers" not in successor
    successor.update(supersedes="agr_1")
    client.agreements.sign(successor["id"])
    assert len(successor["signers"]) == 1


def test_a_proposal_that_ends_an_agreement_unasked_is_not_signed(client: Client, gateway: StandIn) -> None:
    def alter(call: Call) -> tuple[int, Any] | None:
        if call.method == "POST" and call.path == "/v1/agreements":
            return gateway.route(Call("POST", call.path, {}, {}, {**call.body, "supersedes": "agr_1"}))
        return None

    gateway.faults.append(alter)
    with pytest.raises(tongdui.VerificationError) as caught:
        client.agreements.propose(**PROPOSAL)
    assert caught.value.check == "proposal.supersedes"
    client.agreements.propose(**PROPOSAL, supersedes="agr_1")
    assert len(gateway.agreements["agr_3"]["signers"]) == 1


def test_an_agreement_of_others_is_not_signed(gateway: StandIn, station: LocalSigner) -> None:
    stranger = LocalSigner("44" * 32)
    gateway.merchant("stranger", stranger.address)
    gateway.agreements["agr_1"]["state"] = "proposed"
    with (
        Client(gateway.url, "k", signer=stranger) as client,
        pytest.raises(tongdui.SigningError, match="between merchants 1 and 2"),
    ):
        client.agreements.sign("agr_1")


def test_a_new_version_copies_what_does_not_change(client: Client, gateway: StandIn) -> None:
    new = client.agreements.supersede("agr_1", rate="4/5", daily_cap=20_000)
    sent = next(call.body for call in gateway.calls if (call.method, call.path) == ("POST", "/v1/agreements"))
    assert (new.supersedes, new.rate, new.daily_cap, new.max_points) == ("agr_1", Fraction(4, 5), 20_000, 1_000)
    assert sent["grace_seconds"] == 3_600
    assert sent["valid_until"] == "2030-01-01T00:00:00Z"
    assert not {"valid_from", "accept_by", "document", "target_merchant"} & set(sent)
    assert len(gateway.agreements[new.id]["signers"]) == 1
    until = datetime(2029, 1, 1, tzinfo=UTC)
    other = client.agreements.supersede(
        client.agreements.get("agr_1"),
        grace_seconds=0,
        valid_until=until,
        keep_expiry=True,
        initiators=["target", "source"],
    )
    assert (other.valid_until, other.keep_expiry, other.rate) == (until, True, Fraction(9, 10))
    with pytest.raises(TypeError, match="float"):
        client.agreements.supersede("agr_1", rate=0.5)  # type: ignore[arg-type]


def test_a_new_version_of_terms_that_were_never_signed_is_not_proposed(client: Client, gateway: StandIn) -> None:
    gateway.agreements["agr_1"]["unit_price_micros"] = 999_999
    with pytest.raises(tongdui.VerificationError) as caught:
        client.agreements.supersede("agr_1", rate="4/5")
    assert caught.value.check == "terms.unit_price_micros"
    assert len(gateway.agreements) == 1


def test_a_termination_is_signed_here(client: Client, gateway: StandIn, station: LocalSigner) -> None:
    ended = client.agreements.terminate("agr_1", effective_at=datetime(2027, 1, 1, tzinfo=UTC))
    assert ended.ends_at == datetime(2027, 1, 1, tzinfo=UTC)
    assert gateway.agreements["agr_1"].pop("terminated_by") == station.address
    for _ in range(2):
        client.agreements.terminate(ended, idempotency_key="at-once")
    bodies = [call.body for call in gateway.calls if call.path.endswith("/termination")][1:]
    assert bodies[0] == bodies[1], "a retry signs the same moment, and so gets the first answer"
    assert gateway.agreements["agr_1"]["terminated_by"] == station.address


def test_what_is_not_on_the_chain_or_of_others_is_not_terminated(gateway: StandIn, station: LocalSigner) -> None:
    gateway.agreement("FUEL", "CINE").update(state="proposed", number=None)
    gateway.merchant("stranger", LocalSigner("44" * 32).address)
    with (
        Client(gateway.url, "k", signer=station) as client,
        pytest.raises(tongdui.SigningError, match="not on the chain"),
    ):
        client.agreements.terminate("agr_2")
    with (
        Client(gateway.url, "k", signer=LocalSigner("44" * 32)) as client,
        pytest.raises(tongdui.SigningError, match="between merchants 1 and 2"),
    ):
        client.agreements.terminate("agr_1")
    assert not any(call.path.endswith("/termination") for call in gateway.calls)


def test_without_a_signer_the_gateway_signs_the_end(gateway: StandIn, station: LocalSigner) -> None:
    with Client(gateway.url, "k") as client:
        client.agreements.terminate("agr_1")
        assert gateway.calls[-1].body == {}
        assert client.agreements.withdraw("agr_1").state == "withdrawn"


def test_the_awaited_client_ends_agreements_too(gateway: StandIn, station: LocalSigner) -> None:
    async def end() -> None:
        async with AsyncClient(gateway.url, "k", signer=station) as client:
            assert (await client.agreements.supersede("agr_1", fee_bps=7)).fee_bps == 7
            assert (await client.agreements.terminate("agr_1")).state == "terminated"
            assert (await client.agreements.withdraw("agr_2")).state == "withdrawn"
            found = client.agreements.list(state="active", kind="exchange", program="FUEL", counterparty="mer_cinema")
            assert len([agreement async for agreement in found]) == 2

    asyncio.run(end())
    assert gateway.calls[-1].query == {
        "state": "active",
        "kind": "exchange",
        "program": "FUEL",
        "counterparty": "mer_cinema",
    }


def test_what_may_still_be_used_is_found_until_its_end(client: Client, gateway: StandIn) -> None:
    """The gateway would take it, so a client that signs does too."""
    ends = {"ends_at": "2029-01-01T00:00:00Z", "state": "terminated"}
    gateway.agreements["agr_1"].update(ends)
    member = {"source_program": "FUEL", "target_program": "CINE", "member": "mem_FC-1001"}
    client.exchanges.create(**member, points=10)
    with Client(gateway.url, "k", signer=LocalSigner("0x" + "11" * 32)) as other:
        gateway.agreements["agr_1"].update(state="active", terminates_at="2026-01-02T00:00:00Z")
        with pytest.raises(tongdui.SigningError, match="no active agreement"):
            other.exchanges.create(**member, points=10)


def test_an_agreement_shows_what_is_on_its_way_and_what_to_know(client: Client, gateway: StandIn) -> None:
    warning = {"code": "expiry_renewal", "detail": "points ...", "path": ["FUEL", "CINE", "FUEL"]}
    gateway.agreements["agr_1"].update(terminates_at="2029-01-01T00:00:00Z", warnings=[warning])
    seen = client.agreements.get("agr_1")
    assert not seen.is_final
    assert seen.warnings[0].path == ("FUEL", "CINE", "FUEL")


def test_a_naive_time_is_refused(client: Client) -> None:
    naive = datetime(2030, 1, 1)  # noqa: DTZ001 - that is the point
    with pytest.raises(ValueError, match="valid_until has no time zone"):
        client.agreements.propose(**{**PROPOSAL, "valid_until": naive})


# --- numbers


@pytest.mark.parametrize("rate", [Fraction(9, 10), (9, 10), (18, 20), "9/10", " 9 / 10 "])
def test_rates_may_be_written_in_several_ways(rate: Any) -> None:
    assert rate_of(rate) == Fraction(9, 10)


@pytest.mark.parametrize("rate", [0.9, Decimal("0.9")])
def test_a_float_rate_is_refused_with_the_cure(rate: Any) -> None:
    with pytest.raises(TypeError, match=r'Fraction\(9, 10\) or "9/10"'):
        rate_of(rate)


@pytest.mark.parametrize("rate", [0, "0", "9/0", (9, 0), "-1", "0.9", "", "1/2/3", "4294967296"])
def test_a_rate_that_is_none_is_refused(rate: Any) -> None:
    with pytest.raises(ValueError, match="rate"):
        rate_of(rate)


@pytest.mark.parametrize("rate", [None, [9, 10], (9, 10, 1), (True, 10), (0.9, 1)])
def test_a_rate_of_another_type_is_refused(rate: Any) -> None:
    with pytest.raises(TypeError, match="rate"):
        rate_of(rate)


@pytest.mark.parametrize("points", [True, 1.0, 1.5, "1", None, Decimal(1)])
def test_points_of_another_type_are_refused(client: Client, points: Any) -> None:
    with pytest.raises(TypeError, match="points must be a whole number of points"):
        client.issuances.create(program="FUEL", member="mem_FC-1001", points=points)


@pytest.mark.parametrize("points", [0, -1, 2**64])
def test_points_out_of_range_are_refused(client: Client, gateway: StandIn, points: int) -> None:
    for make in (
        lambda: client.issuances.create(program="FUEL", member="m", points=points),
        lambda: client.redemptions.create(program="FUEL", member="m", points=points),
        lambda: client.exchanges.create(agreement="a", member="m", points=points),
        lambda: client.quotes.create(agreement="a", points=points),
    ):
        with pytest.raises(ValueError, match="points must be from 1 to"):
            make()
    assert gateway.calls == []


def test_the_field_at_fault_is_named(client: Client) -> None:
    with pytest.raises(TypeError, match="min_out"):
        client.exchanges.create(agreement="a", member="m", points=1, min_out=1.5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="daily_cap"):
        client.agreements.propose(**{**PROPOSAL, "daily_cap": 0})
    with pytest.raises(TypeError, match="expires_on"):
        client.issuances.create(program="F", member="m", points=1, expires_on="2031-01-01")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="micros"):
        client.deposits.create(merchant="m", micros=1.5, bank_reference="b", reason="r")  # type: ignore[arg-type]


def test_an_exchange_must_say_by_what(client: Client) -> None:
    with pytest.raises(ValueError, match="source_program and target_program"):
        client.exchanges.create(member="m", points=1, source_program="FUEL")


@pytest.mark.parametrize(
    ("amount", "micros"),
    [
        ("12.34", 12_340_000),
        ("0.000001", 1),
        ("-3.5", -3_500_000),
        (7, 7_000_000),
        (Decimal("1E+2"), 100_000_000),
        ("1.2300000000", 1_230_000),
        ("123456789012.345678", 123_456_789_012_345_678),
    ],
)
def test_yuan_are_exact(amount: Any, micros: int) -> None:
    assert yuan(amount) == micros


@pytest.mark.parametrize("amount", ["", "1.", ".5", "1,000", "1e3", "0.0000001", "NaN", Decimal("Infinity"), "١"])
def test_what_is_no_amount_is_refused(amount: Any) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the messages differ
        yuan(amount)


def test_a_float_amount_is_refused_with_the_cure() -> None:
    with pytest.raises(TypeError, match=r'yuan\("12.34"\)'):
        yuan(12.34)  # type: ignore[arg-type]


def test_micros_are_shown_with_their_cents() -> None:
    assert [format_micros(m) for m in (12_340_000, -1, 1_234_567_000_000)] == ["12.34", "-0.000001", "1,234,567.00"]


def test_a_signature_is_read_in_any_of_its_forms() -> None:
    key = keccak256(b"some key")
    for number in range(8):  # both parities
        short = sign_digest(keccak256(bytes([number])), key)
        full = full_signature(short)
        bare = full[:64] + bytes([full[64] - 27])
        assert signature_bytes(hex_of(short)) == short
        assert signature_bytes(hex_of(full)) == short
        assert signature_bytes(hex_of(bare)) == short


# --- members of an order


def test_an_order_looks_its_members_up_together(client: Client, gateway: StandIn) -> None:
    for number in range(40):
        gateway.member(f"FC-{number}")
    items = [Issue(program="FUEL", member=f"external:FC-{number}", points=1) for number in range(40)]
    client.orders.create(items)
    asked = [(call.method, call.path) for call in gateway.calls if call.path.startswith("/v1/members")]
    assert asked == [("POST", "/v1/members/lookup")]
    gateway.calls.clear()
    client.orders.create(items)
    assert not [call for call in gateway.calls if call.path.startswith("/v1/members")], "they are known now"


def test_a_member_that_nobody_knows_is_named_before_anything_is_signed(client: Client, gateway: StandIn) -> None:
    items = [Issue(program="FUEL", member=f"external:{name}", points=1) for name in ("FC-1001", "nobody", "no one")]
    with pytest.raises(tongdui.NotFoundError, match="unknown_member"):
        client.orders.create(items)
    assert not [call for call in gateway.calls if call.path == "/v1/orders"]


def test_a_swapped_address_is_found_among_many(client: Client, gateway: StandIn) -> None:
    for name in ("FC-1", "FC-2"):
        gateway.member(name)
    client.members.lookup(["external:FC-1", "external:FC-2"])
    gateway.members["external:FC-2"]["address"] = "0x" + "66" * 20
    with pytest.raises(tongdui.VerificationError, match="address"):
        client.members.lookup(["external:FC-1", "external:FC-2"])
