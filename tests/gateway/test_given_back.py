"""Spends, transfers and reversals as merchants meet them over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from clearing.ledger.settlement.models import Position
from clearing.ordering.orders.models import OrderState
from tests.gateway.site import Party, Site, agree, together


@pytest.fixture
def wash(site: Site) -> Party:
    return site.merchant("Car wash")


@pytest.fixture
def acceptance_agreement(fuel: Party, wash: Party) -> str:
    """The id of an agreement by which the car wash takes FUEL at a cent a point."""
    return str(agree(fuel, wash, kind="acceptance")["id"])


def settled_issuance(site: Site, fuel: Party, points: int = 100, **fields: Any) -> dict[str, Any]:
    body = {"program": "FUEL", "member": fuel.member(), "points": points, **fields}
    movement: dict[str, Any] = fuel.post("/v1/issuances", body)
    site.finish(movement["order"], OrderState.SETTLED)
    site.give(movement["member"], "FUEL", points)
    return movement


# -------------------------------------------------------------------- spends


def test_the_issuer_pays_for_points_at_another_till(
    site: Site, fuel: Party, wash: Party, member: str, acceptance_agreement: str
) -> None:
    body = {"program": "FUEL", "target_merchant": wash.id, "member": member, "points": 40, "reference": "wash 1"}
    quote = fuel.post("/v1/quotes", {"source_program": "FUEL", "target_merchant": wash.id, "points": 40})
    assert (quote["out"], quote["points_burnt"], quote["settled_micros"], quote["fee_micros"]) == (
        0,
        40,
        400_000,
        2_000,
    )
    spend = fuel.post("/v1/spends", {**body, "quote": quote["id"]})
    assert (spend["object"], spend["program"], spend["points"]) == ("spend", "FUEL", 40)
    assert spend["agreement"] == acceptance_agreement
    with site.database.session.begin() as session:
        assert session.get_one(Position, fuel.number).reserved >= 402_000
    assert wash.get(f"/v1/spends/{spend['id']}")["points"] == 40, "the acceptor sees it, too"


@pytest.mark.parametrize(
    ("fields", "code", "status", "pointer"),
    [
        ({"points": 100_001}, "over_instruction_cap", 422, "/points"),
        ({"points": 101}, "insufficient_points", 422, "/points"),
        ({"target_merchant": None}, "validation_failed", 422, "/target_merchant"),
        ({"target_merchant": "mer_" + "0" * 25 + "1"}, "unknown_merchant", 404, "/target_merchant"),
        ({"program": "GHOST"}, "unknown_program", 404, "/program"),
        ({"program": None}, "validation_failed", 422, "/program"),
        ({"member": "external:ghost"}, "unknown_member", 404, "/member"),
        ({"member": None}, "validation_failed", 422, "/member"),
        ({"agreement": "agr_" + "0" * 26}, "unknown_agreement", 404, "/agreement"),
    ],
)
def test_a_spend_that_the_contract_would_refuse_is_refused_at_once(
    fuel: Party,
    wash: Party,
    member: str,
    acceptance_agreement: str,
    fields: dict[str, Any],
    code: str,
    status: int,
    pointer: str,
) -> None:
    body = {"program": "FUEL", "target_merchant": wash.id, "member": member, "points": 40, **fields}
    problem = fuel.refused("/v1/spends", {name: value for name, value in body.items() if value}, code, status)
    assert problem["errors"][0]["pointer"] == pointer


def test_an_agreement_serves_its_own_kind_and_its_own_merchants(
    fuel: Party, cine: Party, wash: Party, member: str, acceptance_agreement: str, exchange_agreement: str
) -> None:
    common = {"member": member, "points": 10}
    fuel.refused("/v1/exchanges", {**common, "agreement": acceptance_agreement}, "wrong_agreement")
    fuel.refused("/v1/spends", {**common, "agreement": exchange_agreement}, "wrong_agreement")
    other = {**common, "agreement": acceptance_agreement, "target_merchant": cine.id}
    fuel.refused("/v1/spends", other, "wrong_agreement")
    cine.refused("/v1/spends", {**common, "agreement": acceptance_agreement}, "unknown_agreement", 404)
    quote = fuel.post("/v1/quotes", {"agreement": exchange_agreement, "points": 10})["id"]
    fuel.refused("/v1/spends", {**common, "quote": quote}, "wrong_agreement")


def test_the_acceptor_cannot_take_points_without_the_members_code(
    wash: Party, member: str, acceptance_agreement: str
) -> None:
    problem = wash.refused("/v1/spends", {"program": "FUEL", "member": member, "points": 5}, "member_code_required")
    assert problem["errors"][0]["pointer"] == "/member_code"
    wash.refused("/v1/holds", {"program": "FUEL", "member": member, "points": 5}, "member_code_required")
    body = {"program": "FUEL", "member_code": "0000-0000", "points": 5}
    wash.refused("/v1/spends", body, "member_code_invalid")


def test_an_acceptor_is_not_told_what_the_issuer_has(site: Site, member: str) -> None:
    poor, shop = site.merchant("Poor", program="POOR", credit_limit_micros=7), site.merchant("Shop")
    agreement = agree(poor, shop, kind="acceptance")["id"]
    own = poor.refused("/v1/quotes", {"agreement": agreement, "points": 5}, "insufficient_liquidity")
    other = shop.refused("/v1/quotes", {"agreement": agreement, "points": 5}, "insufficient_liquidity")
    assert "have 7" in own["detail"]
    assert "7" not in other["detail"]


def test_a_hold_becomes_a_spend(fuel: Party, wash: Party, member: str, acceptance_agreement: str) -> None:
    hold = fuel.post("/v1/holds", {"agreement": acceptance_agreement, "member": member, "points": 50})
    assert hold["agreement"] == acceptance_agreement
    assert hold["member_address"].startswith("0x")
    spend = fuel.post(f"/v1/holds/{hold['id']}/capture", {"kind": "spend", "points": 30})
    assert (spend["object"], spend["points"], spend["agreement"]) == ("spend", 30, acceptance_agreement)
    plain = fuel.post("/v1/holds", {"program": "FUEL", "member": member, "points": 20})
    assert plain["agreement"] is None
    body = {"kind": "spend", "target_merchant": wash.id}
    assert fuel.post(f"/v1/holds/{plain['id']}/capture", body)["agreement"] == acceptance_agreement


# -------------------------------------------------------------------- with the member's code


def code_of(fuel: Party, member: str, points: int, **fields: Any) -> str:
    return str(fuel.post(f"/v1/members/{member}/codes", {"points": points, **fields})["code"])


def available(fuel: Party, member: str) -> int:
    (account,) = fuel.get(f"/v1/members/{member}/accounts")["data"]
    return int(account["available"])


def test_the_acceptor_takes_points_with_the_members_code_once(
    fuel: Party, wash: Party, member: str, acceptance_agreement: str
) -> None:
    body = {"program": "FUEL", "member_code": code_of(fuel, member, 50), "points": 40}
    assert wash.refused("/v1/spends", {**body, "points": 51}, "over_member_code")["errors"][0]["pointer"] == "/points"
    both = wash.refused("/v1/spends", {**body, "member": member}, "validation_failed")
    assert "either member, or the member_code" in both["detail"]
    spend = wash.post("/v1/spends", body)
    assert (spend["merchant"], spend["member"], spend["agreement"]) == (wash.id, member, acceptance_agreement)
    assert available(fuel, member) == 60
    wash.refused("/v1/spends", body, "member_code_invalid")
    wash.refused("/v1/holds", body, "member_code_invalid")


def test_a_refused_request_leaves_the_code_usable(
    fuel: Party, wash: Party, member: str, acceptance_agreement: str
) -> None:
    body = {"agreement": acceptance_agreement, "member_code": code_of(fuel, member, 500), "points": 101}
    wash.refused("/v1/spends", body, "insufficient_points")
    assert wash.post("/v1/spends", {**body, "points": 100})["points"] == 100


def test_the_target_program_draws_points_in_with_the_members_code(site: Site) -> None:
    gas, kino = site.merchant("Oil", program="OIL"), site.merchant("Kino", program="KINO")
    agreement = agree(gas, kino, initiators=["source", "target"])["id"]
    member = gas.member()
    site.give(member, "OIL", 100)
    body = {"agreement": agreement, "points": 100, "member_code": code_of(gas, member, 100)}
    exchange = kino.post("/v1/exchanges", body)
    assert (exchange["merchant"], exchange["program"], exchange["points"]) == (kino.id, "OIL", 100)
    assert available(gas, member) == 0


def test_a_hold_by_code_is_captured_under_its_agreement_by_whoever_made_it(
    site: Site, fuel: Party, cine: Party, wash: Party, member: str, acceptance_agreement: str
) -> None:
    other = agree(fuel, wash, kind="acceptance")["id"]
    code = code_of(fuel, member, 80)
    hold = wash.post("/v1/holds", {"agreement": acceptance_agreement, "member_code": code, "points": 80})
    assert (hold["agreement"], hold["member"], hold["merchant"]) == (acceptance_agreement, member, wash.id)
    assert available(fuel, member) == 20
    path = f"/v1/holds/{hold['id']}/capture"
    assert site.call("POST", path, {"kind": "spend"}, caller=fuel.id).status_code == 404
    wash.refused(path, {"kind": "spend", "agreement": other}, "wrong_agreement")
    wash.refused(path, {"kind": "redeem"}, "not_program_merchant", 403)
    wash.refused(path, {"kind": "exchange"}, "wrong_agreement")
    spend = wash.post(path, {"kind": "spend", "points": 55, "reference": "wash 9"})
    assert (spend["points"], spend["agreement"]) == (55, acceptance_agreement)
    assert available(fuel, member) == 45, "what was not captured is free at once"


def test_a_hold_of_ones_own_points_is_no_consent_to_the_target_side(site: Site) -> None:
    gas, kino = site.merchant("Oil 2", program="OILB"), site.merchant("Kino 2", program="KINOB")
    agreement = agree(kino, gas, initiators=["source", "target"])["id"]
    member = gas.member()
    site.give(member, "OILB", 100)
    hold = gas.post("/v1/holds", {"program": "OILB", "member": member, "points": 50})
    body = {"kind": "exchange", "agreement": agreement}
    gas.refused(f"/v1/holds/{hold['id']}/capture", body, "wrong_agreement")


def test_of_two_tills_one_takes_the_last_points(
    site: Site, fuel: Party, wash: Party, member: str, acceptance_agreement: str
) -> None:
    second = site.merchant()
    agree(fuel, second, kind="acceptance")
    code = code_of(fuel, member, 100)
    tills = [wash, wash, second, second]

    def draw(index: int) -> int:
        path = ("/v1/spends", "/v1/holds")[index % 2]
        body = {"program": "FUEL", "member_code": code, "points": 100}
        return site.call("POST", path, body, caller=tills[index].id, key=f"{code}-{index}").status_code

    codes = sorted(together(4, draw))
    assert codes[0] in (201, 202)
    assert codes[1:] == [422] * 3
    assert available(fuel, member) == 0


def test_an_order_may_present_codes(fuel: Party, wash: Party, member: str, acceptance_agreement: str) -> None:
    item = {"kind": "spend", "agreement": acceptance_agreement, "points": 10}
    codes = [code_of(fuel, member, 10) for _ in range(2)]
    order = wash.post("/v1/orders", {"instructions": [{**item, "member_code": code} for code in codes]})
    assert [movement["points"] for movement in order["movements"]] == [10, 10]
    again = {"instructions": [{**item, "member_code": code_of(fuel, member, 10)}, {**item, "member_code": codes[0]}]}
    problem = wash.refused("/v1/orders", again, "member_code_invalid")
    assert problem["errors"][0]["pointer"] == "/instructions/1/member_code"


# -------------------------------------------------------------------- transfers


def test_points_move_between_two_members(fuel: Party, member: str) -> None:
    child = fuel.member()
    body = {"program": "FUEL", "member": member, "recipient": child, "points": 30, "reference": "family 1"}
    transfer = fuel.post("/v1/transfers", body)
    assert (transfer["object"], transfer["member"], transfer["recipient"]) == ("transfer", member, child)
    fuel.refused("/v1/transfers", body, "duplicate_reference", 409)
    same = fuel.refused("/v1/transfers", {**body, "recipient": member, "reference": None}, "bad_recipient")
    assert same["errors"][0]["pointer"] == "/recipient"
    ghost = {**body, "recipient": "external:ghost", "reference": None}
    assert fuel.refused("/v1/transfers", ghost, "unknown_member", 404)["errors"][0]["pointer"] == "/recipient"


def test_only_the_programs_merchant_moves_points_between_members(site: Site, fuel: Party, cine: Party) -> None:
    body = {"program": "FUEL", "member": cine.member(), "recipient": cine.member(), "points": 1}
    cine.refused("/v1/transfers", body, "not_program_merchant", 403)


# -------------------------------------------------------------------- reversals


def test_a_sale_that_comes_back_takes_its_points_back(site: Site, fuel: Party) -> None:
    sale = settled_issuance(site, fuel, reference="sale 77")
    reversal = fuel.post("/v1/reversals", {"original_reference": "sale 77", "points": 30, "reference": "return 1"})
    assert (reversal["object"], reversal["reverses"], reversal["points"]) == ("reversal", sale["id"], 30)
    assert (reversal["member"], reversal["program"]) == (sale["member"], "FUEL")
    original = fuel.get(f"/v1/issuances/{sale['id']}")
    assert (original["reversed_points"], original["reversible_points"]) == (30, 70)
    over = fuel.refused("/v1/reversals", {"movement": sale["id"], "points": 71}, "over_reversal")
    assert "70 of its 100 points are left" in over["detail"]
    site.finish(reversal["order"], OrderState.REJECTED, "insufficient_points")
    original = fuel.get(f"/v1/issuances/{sale['id']}")
    assert (original["reversed_points"], original["reversible_points"]) == (0, 100)
    assert fuel.get(f"/v1/reversals/{reversal['id']}")["reversible_points"] == 0


def test_a_reference_of_several_kinds_needs_the_kind(site: Site, fuel: Party) -> None:
    sale = settled_issuance(site, fuel, reference="twice")
    redemption = fuel.post(
        "/v1/redemptions", {"program": "FUEL", "member": sale["member"], "points": 5, "reference": "twice"}
    )
    problem = fuel.refused("/v1/reversals", {"original_reference": "twice"}, "ambiguous_reference")
    assert problem["errors"][0]["pointer"] == "/original_kind"
    assert "issue, redeem" in problem["detail"]
    body = {"original_reference": "twice", "original_kind": "redeem"}
    assert "wait" in fuel.refused("/v1/reversals", body, "not_settled")["detail"]
    site.finish(redemption["order"], OrderState.SETTLED)
    assert fuel.post("/v1/reversals", body)["reverses"] == redemption["id"]


def test_what_cannot_be_undone_is_refused_in_words(site: Site, fuel: Party, cine: Party) -> None:
    sale = settled_issuance(site, fuel)
    fuel.refused("/v1/reversals", {}, "validation_failed")
    fuel.refused("/v1/reversals", {"movement": sale["id"], "original_reference": "x"}, "validation_failed")
    fuel.refused("/v1/reversals", {"movement": sale["id"], "original_kind": "issue"}, "validation_failed")
    fuel.refused("/v1/reversals", {"movement": "iss_" + "0" * 26}, "unknown_movement", 404)
    fuel.refused("/v1/reversals", {"original_reference": "never used"}, "unknown_movement", 404)
    cine.refused("/v1/reversals", {"movement": sale["id"]}, "unknown_movement", 404)
    spent = fuel.post("/v1/redemptions", {"program": "FUEL", "member": sale["member"], "points": 40})
    assert spent["state"] == "accepted"
    problem = fuel.refused("/v1/reversals", {"movement": sale["id"]}, "insufficient_points")
    assert problem["detail"] == "the member has 60 of the 100 points that must come back; the rest is spent"
    assert problem["errors"][0]["pointer"] == "/points"


def test_only_who_took_the_points_gives_them_back(
    site: Site, fuel: Party, wash: Party, member: str, acceptance_agreement: str
) -> None:
    spend = fuel.post("/v1/spends", {"agreement": acceptance_agreement, "member": member, "points": 40})
    site.finish(spend["order"], OrderState.SETTLED)
    fuel.refused("/v1/reversals", {"movement": spend["id"]}, "not_giver", 403)
    reversal = wash.post("/v1/reversals", {"movement": spend["id"], "points": 15})
    assert (reversal["merchant"], reversal["reverses"], reversal["program"]) == (wash.id, spend["id"], "FUEL")
    assert fuel.get(f"/v1/reversals/{reversal['id']}")["id"] == reversal["id"], "the issuer sees its points come back"


def test_of_many_reversals_at_once_the_covered_ones_are_accepted(site: Site, fuel: Party) -> None:
    sale = settled_issuance(site, fuel)

    def undo(index: int) -> int:
        body = {"movement": sale["id"], "points": 30}
        return site.call("POST", "/v1/reversals", body, caller=fuel.id, key=f"{sale['id']}-{index}").status_code

    assert sorted(together(8, undo)) == [202] * 3 + [422] * 5
    assert fuel.get(f"/v1/issuances/{sale['id']}")["reversible_points"] == 10


def test_a_reversal_and_a_redemption_of_the_same_points_decide_once(site: Site, fuel: Party) -> None:
    sale = settled_issuance(site, fuel)
    hold = fuel.post("/v1/holds", {"program": "FUEL", "member": sale["member"], "points": 60})
    requests = [
        ("/v1/reversals", {"movement": sale["id"], "points": 60}),
        (f"/v1/holds/{hold['id']}/capture", {"kind": "redeem"}),
        ("/v1/redemptions", {"program": "FUEL", "member": sale["member"], "points": 40}),
    ]

    def one(index: int) -> int:
        path, body = requests[index]
        return site.call("POST", path, body, caller=fuel.id, key=f"{sale['id']}-{index}").status_code

    assert together(3, one) == [422, 202, 202], "held points are not free for a reversal"


def test_of_all_that_want_the_last_points_one_gets_them(
    site: Site, fuel: Party, wash: Party, acceptance_agreement: str
) -> None:
    sale = settled_issuance(site, fuel)
    own = {"program": "FUEL", "member": sale["member"], "points": 100}
    code = code_of(fuel, sale["member"], 100)
    requests = [
        (fuel, "/v1/reversals", {"movement": sale["id"]}),
        (fuel, "/v1/redemptions", own),
        (fuel, "/v1/transfers", {**own, "recipient": fuel.member()}),
        (fuel, "/v1/holds", own),
        (wash, "/v1/spends", {"agreement": acceptance_agreement, "member_code": code, "points": 100}),
        (wash, "/v1/holds", {"program": "FUEL", "member_code": code, "points": 100}),
    ]

    def one(index: int) -> int:
        party, path, body = requests[index]
        return site.call("POST", path, body, caller=party.id, key=f"{sale['id']}-{index}").status_code

    codes = sorted(together(len(requests), one))
    assert codes[0] in (201, 202)
    assert codes[1:] == [422] * (len(requests) - 1)
    assert available(fuel, sale["member"]) == 0


# -------------------------------------------------------------------- orders of many


def test_an_order_holds_every_kind(site: Site, fuel: Party, wash: Party, acceptance_agreement: str) -> None:
    sale = settled_issuance(site, fuel)
    child = fuel.member()
    items = [
        {"kind": "reverse", "movement": sale["id"], "points": 10},
        {"kind": "transfer", "program": "FUEL", "member": sale["member"], "recipient": child, "points": 20},
        {"kind": "spend", "agreement": acceptance_agreement, "member": child, "points": 20},
    ]
    body = {"instructions": items, "atomic": True}
    order = fuel.post("/v1/orders", body)
    assert [movement["object"] for movement in order["movements"]] == ["reversal", "transfer", "spend"]
    assert order["movements"][0]["reverses"] == sale["id"]
    not_atomic = {"instructions": [{**items[2], "points": 1}]}
    problem = fuel.refused("/v1/orders", not_atomic, "insufficient_points")
    assert problem["errors"][0]["pointer"] == "/instructions/0/points"
