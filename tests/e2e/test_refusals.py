"""Bad input over real HTTP: each kind has a code of its own, and nothing changes: not on chain, not in the read model."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.e2e.witness import WAIT, Witness
from tongdui import Agreement, LocalSigner, Member, ValidationError
from tongdui.orders import Instruction, Kind

pytestmark = pytest.mark.timeout(900)


def assert_refused(
    witness: Witness, attempt: Callable[[], httpx.Response], status: int, code: str, *members: Member, pointer: str = ""
) -> None:
    """The attempt is answered with a problem document of this code, and changes nothing."""
    before = witness.everything(*members)
    answer = attempt()
    assert answer.headers["Content-Type"] == "application/problem+json", answer.text
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code), problem
    assert problem["request_id"] == answer.headers["Request-Id"]
    assert problem["detail"]
    if pointer:
        assert pointer in [error["pointer"] for error in problem["errors"]]
    assert witness.everything(*members) == before


# -------------------------------------------------------------------- who and what


@pytest.mark.parametrize("name", ["external:nobody", "mem_00000000000000000000000000"])
def test_an_unknown_member(witness: Witness, name: str) -> None:
    body = {"program": "FUEL", "member": name, "points": 5}
    assert_refused(
        witness, lambda: witness.request("POST", "/v1/issuances", body), 404, "unknown_member", pointer="/member"
    )


def test_a_member_of_another_merchant_is_unknown_here(witness: Witness) -> None:
    stranger = witness.participants["VIP"].client.members.create(external_id="only-at-vip")
    body = {"program": "FUEL", "member": stranger.id, "points": 5}
    assert_refused(witness, lambda: witness.request("POST", "/v1/issuances", body), 404, "unknown_member", stranger)


def test_an_unknown_program(witness: Witness) -> None:
    member = witness.member(10)
    body = {"program": "NOPE", "member": member.id, "points": 5}
    assert_refused(
        witness,
        lambda: witness.request("POST", "/v1/issuances", body),
        404,
        "unknown_program",
        member,
        pointer="/program",
    )


def test_another_merchants_program(witness: Witness) -> None:
    member = witness.member(10)
    body = {"program": "CINE", "member": member.id, "points": 5}
    assert_refused(witness, lambda: witness.request("POST", "/v1/issuances", body), 403, "not_program_merchant", member)


# -------------------------------------------------------------------- how many points


@pytest.mark.parametrize(
    "points", [0, -1, 1.5, 2**64, 2**70, 1e300, "10", "ten", True, None, [5]], ids=lambda value: repr(value)[:12]
)
@pytest.mark.parametrize("path", ["issuances", "redemptions", "exchanges"])
def test_points_that_are_no_whole_number(witness: Witness, path: str, points: Any) -> None:
    member = witness.member()
    body: dict[str, Any] = {"program": "FUEL", "member": member.id, "points": points}
    if path == "exchanges":
        body = {"source_program": "FUEL", "target_program": "CINE", "member": member.id, "points": points}
    assert_refused(
        witness,
        lambda: witness.request("POST", f"/v1/{path}", body),
        422,
        "validation_failed",
        member,
        pointer="/points",
    )


def test_more_points_than_the_member_has(witness: Witness) -> None:
    member = witness.member(10)
    body = witness.redemption(member, 11)
    assert_refused(
        witness,
        lambda: witness.request("POST", "/v1/redemptions", body),
        422,
        "insufficient_points",
        member,
        pointer="/points",
    )


def test_more_money_than_the_merchant_has(witness: Witness) -> None:
    """The video platform has no deposit and a credit of one yuan; 300 of its points cost it 21.60."""
    vip = witness.participants["VIP"]
    member = vip.client.members.create(external_id="rich-member")
    vip.client.issuances.create(program="VIP", member=member, points=300, wait=WAIT).settled()
    agreement = witness.participants.agreements["VIP", "CINE"]
    wire = Instruction(Kind.EXCHANGE, member.address, 300, vip.program.number, agreement.number or 0)
    body = {"agreement": agreement.id, "member": member.id, "points": 300}
    body["authorization"] = witness.sign(wire, code="VIP")
    assert_refused(
        witness,
        lambda: witness.request("POST", "/v1/exchanges", body, code="VIP"),
        422,
        "insufficient_liquidity",
        member,
    )


# -------------------------------------------------------------------- agreements


def propose(witness: Witness, **terms: Any) -> Agreement:
    """FUEL to CINE at 1/3, signed by the gas station."""
    defaults = {"valid_until": datetime.now(UTC) + timedelta(days=2), "rate": "1/3"}
    return witness.fuel.client.agreements.propose(
        source_program="FUEL",
        target_program="CINE",
        unit_price_micros=1,
        max_points=100,
        daily_cap=100,
        **{**defaults, **terms},
    )


def propose_short(witness: Witness) -> Agreement:
    """As short as can be: an agreement must have a minute left when the gateway is asked, which may be some time from now."""
    for slack in (4, 20, 60):
        with suppress(ValidationError):
            return propose(witness, valid_until=datetime.now(UTC) + timedelta(seconds=60 + slack))
    raise AssertionError("a proposal takes more than a minute")


@pytest.fixture(scope="module", autouse=True)
def short_agreement(witness: Witness) -> Agreement:
    """An agreement that is good at the beginning of the file and ends in a minute."""
    signed = witness.participants["CINE"].client.agreements.sign(propose_short(witness), wait=WAIT)
    member = witness.member(10)
    witness.fuel.client.exchanges.create(agreement=signed, member=member, points=3, wait=WAIT).settled()
    return signed


def exchange_by(witness: Witness, member: Member, agreement: Agreement, points: int = 6) -> dict[str, Any]:
    """The body of a signed exchange."""
    wire = Instruction(Kind.EXCHANGE, member.address, points, witness.fuel.program.number, agreement.number or 0)
    authorization = witness.sign(wire)
    return {"agreement": agreement.id, "member": member.id, "points": points, "authorization": authorization}


def assert_exchange_refused(witness: Witness, agreement: Agreement, status: int, code: str) -> None:
    member = witness.member(10)
    body = exchange_by(witness, member, agreement)
    assert_refused(witness, lambda: witness.request("POST", "/v1/exchanges", body), status, code, member)


def test_an_agreement_that_only_one_side_signed(witness: Witness) -> None:
    assert_exchange_refused(witness, propose(witness), 422, "agreement_not_live")


def test_an_agreement_that_has_not_begun(witness: Witness) -> None:
    future = propose(witness, valid_from=datetime.now(UTC) + timedelta(days=1))
    signed = witness.participants["CINE"].client.agreements.sign(future, wait=WAIT)
    assert signed.state == "active"
    assert_exchange_refused(witness, signed, 422, "agreement_not_live")


def test_an_agreement_that_another_one_replaced(witness: Witness) -> None:
    cinema = witness.participants["CINE"].client
    old = cinema.agreements.sign(propose(witness), wait=WAIT)
    member = witness.member(10)
    witness.fuel.client.exchanges.create(agreement=old, member=member, points=3, wait=WAIT).settled()
    cinema.agreements.sign(propose(witness, rate="1/4", supersedes=old, grace_seconds=0), wait=WAIT)
    assert_exchange_refused(witness, old, 422, "agreement_not_live")


def test_an_agreement_for_another_program(witness: Witness) -> None:
    member = witness.member(10)
    agreement = witness.participants.agreements["FUEL", "MART"]
    body = {**exchange_by(witness, member, agreement), "source_program": "VIP"}
    assert_refused(witness, lambda: witness.request("POST", "/v1/exchanges", body), 422, "wrong_agreement", member)


def test_an_agreement_between_others_is_unknown(witness: Witness) -> None:
    assert_exchange_refused(witness, witness.participants.agreements["CINE", "MART"], 404, "unknown_agreement")


def test_an_agreement_that_the_other_side_starts(witness: Witness) -> None:
    """The supermarket is the target of FUEL to MART: it may not draw on the gas station's points by itself."""
    mart = witness.participants["MART"]
    member = witness.member(10)
    code = witness.fuel.client.members.create_link_code(member).code
    mart.client.members.create(external_id=f"M-{member.id[-6:]}", link_code=code)
    agreement = witness.participants.agreements["FUEL", "MART"]
    wire = Instruction(Kind.EXCHANGE, member.address, 5, witness.fuel.program.number, agreement.number or 0)
    body = {"agreement": agreement.id, "member": member.id, "points": 5}
    body["authorization"] = witness.sign(wire, code="MART")
    assert_refused(
        witness, lambda: witness.request("POST", "/v1/exchanges", body, code="MART"), 403, "not_initiator", member
    )


# -------------------------------------------------------------------- signatures, deadlines, nonces


def stranger(_witness: Witness) -> LocalSigner:
    return LocalSigner.generate()


def another_merchant(witness: Witness) -> LocalSigner:
    return witness.participants["CINE"].signer


@pytest.mark.parametrize("whose", [stranger, another_merchant])
def test_the_wrong_signer(witness: Witness, whose: Callable[[Witness], LocalSigner]) -> None:
    member = witness.member(10)
    body = witness.redemption(member, 5, signer=whose(witness))
    assert_refused(
        witness,
        lambda: witness.request("POST", "/v1/redemptions", body),
        422,
        "wrong_signer",
        member,
        pointer="/authorization/signature",
    )


def test_a_request_that_was_changed_after_signing(witness: Witness) -> None:
    member = witness.member(10)
    body = {**witness.redemption(member, 5), "points": 6}
    assert_refused(witness, lambda: witness.request("POST", "/v1/redemptions", body), 422, "wrong_signer", member)


def test_no_signature_from_a_merchant_that_holds_its_own_key(witness: Witness) -> None:
    member = witness.member(10)
    body = {"program": "FUEL", "member": member.id, "points": 5}
    assert_refused(witness, lambda: witness.request("POST", "/v1/redemptions", body), 422, "signature_required", member)


@pytest.mark.parametrize(("seconds", "code"), [(-1, "deadline_passed"), (90_000, "deadline_too_far")])
def test_a_deadline_that_is_over_or_too_far(witness: Witness, seconds: int, code: str) -> None:
    member = witness.member(10)
    body = witness.redemption(member, 5, deadline=int(time.time()) + seconds)
    assert_refused(
        witness,
        lambda: witness.request("POST", "/v1/redemptions", body),
        422,
        code,
        member,
        pointer="/authorization/deadline",
    )


def test_a_replayed_nonce(witness: Witness) -> None:
    member = witness.member(10)
    nonce = witness.nonce()
    first = witness.request("POST", "/v1/redemptions", witness.redemption(member, 2, nonce=nonce))
    assert witness.final(first)["state"] == "settled"
    again = witness.redemption(member, 3, nonce=nonce)
    assert_refused(
        witness,
        lambda: witness.request("POST", "/v1/redemptions", again),
        409,
        "nonce_used",
        member,
        pointer="/authorization/nonce",
    )
    assert witness.points(member) == 8


def test_the_very_same_order_again_under_another_key(witness: Witness) -> None:
    member = witness.member(10)
    body = witness.redemption(member, 2)
    assert witness.final(witness.request("POST", "/v1/redemptions", body))["state"] == "settled"
    assert_refused(witness, lambda: witness.request("POST", "/v1/redemptions", body), 409, "nonce_used", member)


def test_a_nonce_that_was_never_reserved(witness: Witness) -> None:
    member = witness.member(10)
    body = witness.redemption(member, 2, nonce=2**40)
    assert_refused(witness, lambda: witness.request("POST", "/v1/redemptions", body), 422, "nonce_not_reserved", member)


def test_the_books_balance_after_all_that(witness: Witness) -> None:
    witness.assert_books_balance()


# -------------------------------------------------------------------- what ends by itself


@pytest.mark.slow
def test_an_agreement_whose_time_is_over(witness: Witness, short_agreement: Agreement) -> None:
    """The last test of the file: most of the minute has passed meanwhile."""
    assert short_agreement.valid_until is not None
    time.sleep(max(0.0, (short_agreement.valid_until - datetime.now(UTC)).total_seconds() + 0.5))
    assert_exchange_refused(witness, short_agreement, 422, "agreement_not_live")
