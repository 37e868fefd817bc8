"""One effect for each Idempotency-Key, however often and however simultaneously it is asked for; waiting; and receipts."""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.e2e.witness import WAIT, Witness
from tongdui import Exchange, Receipt, VerificationError

pytestmark = pytest.mark.timeout(900)


def test_a_retry_gets_the_first_answer(witness: Witness) -> None:
    member = witness.member(100)
    body, key = witness.redemption(member, 40), secrets.token_hex(8)
    first = witness.request("POST", "/v1/redemptions", body, key=key, Prefer="wait=30")
    final = witness.final(first)
    again = witness.request("POST", "/v1/redemptions", body, key=key, Prefer="wait=30")
    assert (again.status_code, again.json()) == (201, final)
    assert first.json()["id"] == final["id"]
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert witness.points(member) == 60


def test_a_retry_that_was_signed_anew_has_no_second_effect(witness: Witness) -> None:
    """A client that lost its memory signs with another nonce; the key says that it is the same request."""
    member = witness.member(100)
    key = secrets.token_hex(8)
    answers = [
        witness.request("POST", "/v1/redemptions", witness.redemption(member, 40), key=key, Prefer="wait=30")
        for _ in range(3)
    ]
    assert {answer.json()["id"] for answer in answers} == {witness.final(answers[0])["id"]}
    assert witness.points(member) == 60


def test_a_refusal_is_final_for_its_key(witness: Witness) -> None:
    member = witness.member(10)
    body, key = witness.redemption(member, 40), secrets.token_hex(8)
    first = witness.request("POST", "/v1/redemptions", body, key=key)
    witness.fuel.client.issuances.create(program="FUEL", member=member, points=90, wait=WAIT).settled()
    again = witness.request("POST", "/v1/redemptions", body, key=key)
    assert first.json()["code"] == again.json()["code"] == "insufficient_points"
    assert witness.points(member) == 100


def test_the_same_key_for_something_else(witness: Witness) -> None:
    member = witness.member(100)
    key = secrets.token_hex(8)
    witness.final(witness.request("POST", "/v1/redemptions", witness.redemption(member, 40), key=key))
    before = witness.everything(member)
    other = witness.request("POST", "/v1/redemptions", witness.redemption(member, 41), key=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert witness.everything(member) == before


def test_no_key_at_all(witness: Witness) -> None:
    member = witness.member(100)
    before = witness.everything(member)
    answer = httpx.post(
        f"{witness.network.url}/v1/redemptions",
        json=witness.redemption(member, 40),
        headers={"Authorization": f"Bearer {witness.fuel.api_key}"},
        timeout=60,
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_missing")
    assert witness.everything(member) == before


def test_twenty_at_the_same_time_have_one_effect(witness: Witness) -> None:
    member = witness.member(1_000)
    body, key = witness.redemption(member, 7), secrets.token_hex(8)

    def ask(_: int) -> httpx.Response:
        return witness.request("POST", "/v1/redemptions", body, key=key, Prefer="wait=30")

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(ask, range(20)))
    good = [answer for answer in answers if answer.status_code in (201, 202)]
    rest = {answer.json()["code"] for answer in answers if answer not in good}
    assert good
    assert rest <= {"idempotency_in_flight"}
    assert len({answer.json()["id"] for answer in good}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in good) == 1
    assert witness.final(ask(0))["state"] == "settled"
    assert witness.points(member) == 993


def test_twenty_tills_that_want_the_same_points(witness: Witness) -> None:
    """Twenty different requests for points that suffice for three."""
    member = witness.member(30)
    bodies = [witness.redemption(member, 10) for _ in range(20)]
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda body: witness.request("POST", "/v1/redemptions", body), bodies))
    assert sorted(answer.status_code for answer in answers) == [202] * 3 + [422] * 17
    assert {answer.json()["code"] for answer in answers if answer.status_code == 422} == {"insufficient_points"}
    finals = [witness.final(answer) for answer in answers if answer.status_code == 202]
    assert [final["state"] for final in finals] == ["settled"] * 3
    assert witness.points(member) == 0


# -------------------------------------------------------------------- waiting


def test_without_a_wait_the_answer_comes_at_once_and_the_state_follows(witness: Witness) -> None:
    member = witness.member(10)
    answer = witness.request("POST", "/v1/redemptions", witness.redemption(member, 5))
    assert answer.status_code == 202
    assert answer.json()["state"] in {"accepted", "submitted"}
    assert answer.json()["entry"] is None
    settled = witness.fuel.client.redemptions.wait(answer.json()["id"], WAIT)
    assert settled.settled().points == 5


def test_with_a_wait_the_answer_has_the_block(witness: Witness) -> None:
    member = witness.member(10)
    answer = witness.request("POST", "/v1/redemptions", witness.redemption(member, 5), Prefer="wait=30")
    assert answer.status_code == 201
    assert answer.headers["Preference-Applied"] == "wait=30"
    entry = answer.json()["entry"]
    assert entry["block_number"] > 0
    assert entry["tx_hash"].startswith("0x")
    assert witness.request("GET", answer.headers["Location"]).json() == answer.json()


# -------------------------------------------------------------------- receipts


@pytest.fixture(scope="module")
def receipt(witness: Witness) -> Receipt:
    """Of one exchange in a batch of several."""
    members = [witness.member(100) for _ in range(3)]
    agreement = witness.participants.agreements["FUEL", "CINE"]
    order = witness.fuel.client.orders.create(
        [Exchange(agreement=agreement, member=member, points=20) for member in members], wait=WAIT
    )
    return witness.fuel.client.entries.receipt(order.movements[1])


def verify(witness: Witness, receipt: Receipt) -> None:
    settings = witness.network.settings
    receipt.verify(rpc_url=witness.network.rpc_url, contract=settings.contract, chain_id=settings.chain_id)


def test_a_receipt_is_good_without_the_gateway(witness: Witness, receipt: Receipt) -> None:
    assert receipt.proof
    verify(witness, receipt)


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({"points": 21}, "leaf"),
        ({"out": 11}, "leaf"),
        ({"settled": 0}, "leaf"),
        ({"member": "0x" + "11" * 20}, "leaf"),
        ({"merchant": 2}, "leaf"),
    ],
)
def test_a_receipt_with_a_changed_entry_is_found_out(
    witness: Witness, receipt: Receipt, changes: dict[str, object], check: str
) -> None:
    forged = receipt.model_copy(update={"entry": receipt.entry.model_copy(update=changes)})
    with pytest.raises(VerificationError) as caught:
        verify(witness, forged)
    assert caught.value.check == check


def test_a_receipt_that_is_forged_consistently_is_found_out_by_the_chain(witness: Witness, receipt: Receipt) -> None:
    """Entry, leaf, proof and root agree with each other, but no batch has that root."""
    entry = receipt.entry.model_copy(update={"points": 1_000_000})
    leaf = "0x" + entry.wire().leaf().hex()
    forged = receipt.model_copy(update={"entry": entry, "leaf": leaf, "proof": (), "root": leaf})
    forged.check_proof()
    with pytest.raises(VerificationError) as caught:
        verify(witness, forged)
    assert caught.value.check == "root"


def test_a_receipt_that_names_another_transaction_is_found_out(witness: Witness, receipt: Receipt) -> None:
    member = witness.member()
    other = witness.fuel.client.issuances.create(program="FUEL", member=member, points=1, wait=WAIT).settled()
    with pytest.raises(VerificationError) as caught:
        verify(witness, receipt.model_copy(update={"tx_hash": other.tx_hash}))
    assert caught.value.check == "transaction"


def test_the_books_balance_after_all_that(witness: Witness) -> None:
    witness.assert_books_balance()
