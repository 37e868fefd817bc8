"""How agreements end: withdrawn, declined, lapsed, terminated, superseded. And what both sides are told about them."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from clearing.chain.calls.models import Call, CallState
from clearing.kit.identity import instant
from clearing.parties.agreements.models import Agreement
from clearing.pipeline.failed_calls import fail_call_for_good
from tests.gateway.site import Party, Site, agree, later, terms, together
from tongdui.encoding import bytes_of, hex_of
from tongdui.orders import address_of_key, recover_signer, sign_digest, signature_bytes, termination_digest

NOON = datetime(2030, 6, 1, 12, tzinfo=UTC)
LATER = "2030-06-01T13:00:00Z"


def _path(agreement: Any, what: str = "") -> str:
    return f"/v1/agreements/{agreement['id']}" + (f"/{what}" if what else "")


def _events(party: Party, agreement: Any) -> list[dict[str, Any]]:
    """The party's events about an agreement, oldest first."""
    page: list[dict[str, Any]] = party.get(f"/v1/events?subject={agreement['id']}")["data"]
    return page[::-1]


def _types(party: Party, agreement: Any) -> list[str]:
    return [event["type"].removeprefix("agreement.") for event in _events(party, agreement)]


def _calls(site: Site, agreement: Any, function: str = "terminateAgreement") -> list[list[Any]]:
    with site.database.session() as session:
        found = session.scalars(select(Call).where(Call.subject == agreement["id"], Call.function == function))
        return [call.arguments for call in found]


@pytest.fixture
def own(site: Site) -> tuple[Party, bytes]:
    """A merchant that keeps its key, with a program."""
    key = secrets.token_bytes(32)
    return site.merchant(program=f"K{secrets.randbelow(10**8)}", signer_address=address_of_key(key)), key


# -------------------------------------------------------------------- before both have signed


def test_a_proposer_withdraws_and_the_other_side_declines(fuel: Party, cine: Party) -> None:
    for party, state in ((fuel, "withdrawn"), (cine, "declined")):
        proposal = fuel.post("/v1/agreements", terms(fuel, cine))
        assert proposal["proposed_by"] == "source"
        ended = party.post(_path(proposal, "withdrawal"), {})
        assert ended == {**proposal, "state": state}
        assert _types(fuel, proposal) == _types(cine, proposal) == ["proposed", state]
        cine.refused(_path(proposal, "signatures"), {}, "agreement_not_proposed", 409)
        fuel.refused(_path(proposal, "withdrawal"), {}, "agreement_not_proposed", 409)


def test_what_both_have_signed_is_not_withdrawn(site: Site, fuel: Party, cine: Party) -> None:
    proposal = fuel.post("/v1/agreements", terms(fuel, cine))
    cine.post(_path(proposal, "signatures"), {})
    fuel.refused(_path(proposal, "withdrawal"), {}, "agreement_not_proposed", 409)
    site.merchant("Stranger").refused(_path(proposal, "withdrawal"), {}, "unknown_agreement", 404)


def test_a_signature_and_a_withdrawal_at_the_same_moment_decide_once(site: Site, fuel: Party, cine: Party) -> None:
    for _ in range(5):
        proposal = fuel.post("/v1/agreements", terms(fuel, cine))
        calls = ((cine, "signatures"), (fuel, "withdrawal"))

        def act(index: int, proposal: Any = proposal, calls: Any = calls) -> int:
            party, what = calls[index]
            return site.call("POST", _path(proposal, what), {}, caller=party.id).status_code

        assert sorted(together(2, act)) == [200, 409]
        state = fuel.get(_path(proposal))["state"]
        assert len(_calls(site, proposal, "registerAgreement")) == (1 if state == "accepted" else 0)


def test_a_proposal_lapses_after_its_accept_by(site: Site, fuel: Party, cine: Party) -> None:
    with site.clock.stopped(NOON):
        proposal = fuel.post("/v1/agreements", terms(fuel, cine, accept_by=LATER))
    with site.clock.stopped(instant(proposal["terms"]["accept_by"])):
        assert fuel.get(_path(proposal))["state"] == "proposed"
        cine.refused(_path(proposal, "signatures"), {}, "accept_by_passed")
    with site.clock.stopped(instant(proposal["terms"]["accept_by"] + 1)):
        assert fuel.get(_path(proposal))["state"] == "lapsed"
        for state, expected in (("lapsed", True), ("proposed", False)):
            found = fuel.get(f"/v1/agreements?state={state}&limit=200")["data"]
            assert (proposal["id"] in [agreement["id"] for agreement in found]) is expected
        cine.refused(_path(proposal, "signatures"), {}, "accept_by_passed")
    before = instant(proposal["terms"]["accept_by"] - 61)
    with site.clock.stopped(before):
        assert cine.post(_path(proposal, "signatures"), {})["state"] == "accepted"


# -------------------------------------------------------------------- terminated


def test_either_side_ends_an_agreement_at_once(site: Site, fuel: Party, cine: Party, member: str) -> None:
    agreement = agree(fuel, cine)
    with site.clock.stopped(NOON):
        asked = cine.post(_path(agreement, "termination"), {})
        assert (asked["state"], asked["terminates_at"], asked["ends_at"]) == (
            "active",
            "2030-06-01T12:00:00Z",
            agreement["ends_at"],
        )
        # The chain may confirm it any moment, so nobody gets a promise that goes further.
        fuel.refused("/v1/quotes", {"agreement": agreement["id"], "points": 10}, "agreement_not_live")
        body = {"agreement": agreement["id"], "member": member, "points": 10}
        fuel.refused("/v1/exchanges", body, "agreement_not_live")
        assert fuel.post(_path(agreement, "termination"), {}) == asked, "what is on its way already is not sent again"
        site.confirm()
        ended = fuel.get(_path(agreement))
        fuel.refused(_path(agreement, "termination"), {}, "agreement_ended", 409)
    assert (ended["state"], ended["terminates_at"], ended["ends_at"]) == ("terminated", None, "2030-06-01T12:00:00Z")
    assert _types(fuel, agreement)[-2:] == ["termination_requested", "terminated"]
    (arguments,) = _calls(site, agreement)
    number, effective_at, merchant, signature = arguments
    assert (number, effective_at, merchant) == (agreement["number"], int(NOON.timestamp()), cine.number)
    digest = termination_digest(site.app.state.gateway.network.domain, number, effective_at)
    signer = site.get(f"/v1/merchants/{cine.id}")["signer"]["address"]
    assert recover_signer(digest, signature_bytes(signature)).lower() == signer


def test_both_sides_end_an_agreement_at_the_same_moment(site: Site, fuel: Party, cine: Party) -> None:
    agreement = agree(fuel, cine)
    seen = together(2, lambda index: (fuel, cine)[index].post(_path(agreement, "termination"), {}))
    assert seen[0] == seen[1]
    assert len(_calls(site, agreement)) == 1
    site.confirm()
    assert fuel.get(_path(agreement))["state"] == "terminated"


def test_an_agreement_with_an_end_set_works_until_then(site: Site, fuel: Party, cine: Party) -> None:
    agreement = agree(fuel, cine)
    end = NOON + timedelta(seconds=30)
    quote = {"agreement": agreement["id"], "points": 10}
    with site.clock.stopped(NOON):
        fuel.post(_path(agreement, "termination"), {"effective_at": "2030-06-01T12:00:30Z"})
        pending = fuel.post("/v1/quotes", quote)
        site.confirm()
        confirmed = fuel.post("/v1/quotes", quote)
    assert pending["expires_at"] == confirmed["expires_at"] == "2030-06-01T12:00:30Z"
    with site.clock.stopped(end):
        fuel.refused("/v1/quotes", quote, "agreement_not_live")


def test_an_end_only_moves_closer(site: Site, fuel: Party, cine: Party) -> None:
    agreement = agree(fuel, cine)
    path = _path(agreement, "termination")
    with site.clock.stopped(NOON):
        after = fuel.refused(path, {"effective_at": "2041-01-01T00:00:00Z"}, "agreement_ends_earlier")
        assert after["errors"][0]["pointer"] == "/effective_at"
        fuel.post(path, {"effective_at": "2030-06-03T00:00:00Z"})
        assert cine.post(path, {"effective_at": "2030-06-04T00:00:00Z"})["terminates_at"] == "2030-06-03T00:00:00Z"
        assert cine.post(path, {"effective_at": "2030-06-02T00:00:00Z"})["terminates_at"] == "2030-06-02T00:00:00Z"
        assert [arguments[1] for arguments in _calls(site, agreement)] == [
            int(datetime(2030, 6, day, tzinfo=UTC).timestamp()) for day in (3, 2)
        ]
        past = fuel.post(path, {"effective_at": "1969-06-02T00:00:00Z"})
    assert past["terminates_at"] == "2030-06-01T12:00:00Z"
    site.confirm()


def test_what_is_not_on_the_chain_cannot_be_terminated(site: Site, fuel: Party, cine: Party) -> None:
    proposal = fuel.post("/v1/agreements", terms(fuel, cine))
    path = _path(proposal, "termination")
    problem = fuel.refused(path, {}, "agreement_not_registered", 409)
    assert "withdraw the proposal" in problem["detail"]
    cine.post(_path(proposal, "signatures"), {})
    problem = fuel.refused(path, {}, "agreement_not_registered", 409)
    assert "wait" in problem["detail"], "its number, which the signature covers, may still change"
    site.merchant("Third").refused(path, {}, "unknown_agreement", 404)
    site.confirm()


def test_a_merchant_that_keeps_its_key_signs_the_termination(site: Site, own: tuple[Party, bytes], cine: Party) -> None:
    party, key = own
    proposal = cine.post("/v1/agreements", terms(cine, party))
    signature = hex_of(sign_digest(bytes_of(proposal["digest"]), key))
    party.post(_path(proposal, "signatures"), {"signature": signature})
    site.confirm()
    agreement = party.get(_path(proposal))
    path = _path(agreement, "termination")
    with site.clock.stopped(NOON):
        problem = party.refused(path, {}, "signature_required")
        digest = termination_digest(site.app.state.gateway.network.domain, agreement["number"], int(NOON.timestamp()))
        assert hex_of(digest) in problem["detail"]
        assert '"effective_at": "2030-06-01T12:00:00Z"' in problem["detail"]
        signed = {"signature": hex_of(sign_digest(digest, key)), "effective_at": "2030-06-01T12:00:00Z"}
        party.refused(path, {"signature": signed["signature"]}, "validation_failed")
        party.refused(path, {**signed, "effective_at": "2030-06-01T12:00:01Z"}, "wrong_signer")
        assert party.post(path, signed)["terminates_at"] == "2030-06-01T12:00:00Z"
        site.confirm()


def test_a_termination_that_the_contract_refuses_leaves_the_agreement_as_it_was(
    site: Site, fuel: Party, cine: Party
) -> None:
    agreement = agree(fuel, cine)
    with site.clock.stopped(NOON):
        fuel.post(_path(agreement, "termination"), {"effective_at": "2030-06-03T00:00:00Z"})
        fuel.post(_path(agreement, "termination"), {"effective_at": "2030-06-02T00:00:00Z"})
        for left in ("2030-06-03T00:00:00Z", None):
            with site.database.session.begin() as session:
                pending = select(Call).where(Call.subject == agreement["id"], Call.state == CallState.PENDING)
                newest = session.scalars(pending.order_by(Call.id.desc())).all()[0]
                fail_call_for_good(session, newest, "BadSignature(1)")
            seen = fuel.get(_path(agreement))
            assert (seen["state"], seen["terminates_at"], seen["reason"]) == ("active", left, "BadSignature(1)")
        fuel.post("/v1/quotes", {"agreement": agreement["id"], "points": 10})
    assert _types(cine, agreement)[-2:] == ["termination_failed"] * 2
    assert _events(cine, agreement)[-1]["data"]["reason"] == "BadSignature(1)"


def test_waiting_until_the_chain_has_ended_it(site: Site, fuel: Party, cine: Party) -> None:
    agreement = agree(fuel, cine)
    with later(lambda: agreement["id"] in site.awaited(), site.confirm):
        response = site.call("POST", _path(agreement, "termination"), {}, caller=fuel.id, headers={"Prefer": "wait=30"})
    assert response.json()["state"] == "terminated"


# -------------------------------------------------------------------- superseded


def test_in_the_grace_old_quotes_hold_and_programs_name_the_newest(
    site: Site, fuel: Party, cine: Party, member: str
) -> None:
    old = agree(fuel, cine)
    quote = fuel.post("/v1/quotes", {"agreement": old["id"], "points": 10})
    new = agree(fuel, cine, supersedes=old["id"], grace_seconds=60, rate_num=1, rate_den=2)
    seen = fuel.get(_path(old))
    assert (seen["state"], seen["superseded_by"], new["supersedes"]) == ("superseded", new["id"], old["id"])
    assert seen["ends_at"] < seen["valid_until"]
    assert fuel.post("/v1/exchanges", {"quote": quote["id"], "member": member, "points": 10})["agreement"] == old["id"]
    named = {"source_program": fuel.program, "target_program": cine.program}
    assert fuel.post("/v1/exchanges", {**named, "member": member, "points": 10})["agreement"] == new["id"]
    assert _types(cine, old)[-1] == "superseded"
    assert _events(cine, old)[-1]["data"]["superseded_by"] == new["id"]
    with site.database.session.begin() as session:
        session.execute(update(Agreement).where(Agreement.id == old["id"]).values(ends_at=1))
    fuel.refused("/v1/quotes", {"agreement": old["id"], "points": 10}, "agreement_not_live")


def test_only_what_is_on_the_chain_is_superseded(site: Site, fuel: Party, cine: Party) -> None:
    first = fuel.post("/v1/agreements", terms(fuel, cine))
    cine.post(_path(first, "signatures"), {})
    problem = fuel.refused("/v1/agreements", terms(fuel, cine, supersedes=first["id"]), "validation_failed")
    assert problem["errors"][0]["pointer"] == "/supersedes"
    site.confirm()
    assert fuel.post("/v1/agreements", terms(fuel, cine, supersedes=first["id"]))["supersedes"] == first["id"]


# -------------------------------------------------------------------- what both sides are told


def test_both_sides_get_the_whole_agreement_with_each_event(site: Site, fuel: Party, cine: Party) -> None:
    proposal = fuel.post("/v1/agreements", terms(fuel, cine))
    assert _events(cine, proposal)[-1]["data"] == cine.get(_path(proposal)) == proposal
    accepted = cine.post(_path(proposal, "signatures"), {})
    assert _events(fuel, proposal)[-1]["data"] == accepted
    site.confirm()
    active = fuel.get(_path(proposal))
    for party in (fuel, cine):
        events = _events(party, proposal)
        assert [event["type"] for event in events] == [
            f"agreement.{action}" for action in ("proposed", "signed", "accepted", "active")
        ]
        assert events[1]["data"] == {**proposal, "signed_by": ["source", "target"]}
        assert events[-1]["data"] == active
        assert {event["merchant"] for event in events} == {party.id}


def test_a_second_signature_of_the_same_side_is_no_event(fuel: Party, own: tuple[Party, bytes]) -> None:
    party, _ = own
    proposal = fuel.post("/v1/agreements", terms(fuel, party))
    fuel.post(_path(proposal, "signatures"), {})
    assert _types(party, proposal) == ["proposed"]
