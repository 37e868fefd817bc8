"""What terms would mean before anybody proposes them, and the graph of the network's rates."""

from __future__ import annotations

from typing import Any

import pytest

from tests.gateway.site import Party, Site, acceptance, agree, terms


def _preview(party: Party, body: dict[str, Any]) -> Any:
    return party.post("/v1/agreements/preview", body)


def test_a_preview_says_what_points_become_and_cost_to_the_last_micro(site: Site, fuel: Party, cine: Party) -> None:
    before = fuel.get("/v1/agreements")["data"]
    seen = _preview(fuel, terms(fuel, cine, points=1_000))
    assert seen["conversion"] == {
        "points": 1_000,
        "points_burnt": 1_000,
        "out": 900,
        "settled_micros": 9_000_000,
        "fee_micros": 45_000,
    }
    assert (seen["source_merchant"], seen["target_merchant"]) == (fuel.id, cine.id)
    odd = _preview(cine, terms(fuel, cine, points=19, unit_price_micros=1))["conversion"]
    assert (odd["points_burnt"], odd["out"], odd["settled_micros"], odd["fee_micros"]) == (19, 17, 17, 1)
    assert _preview(fuel, terms(fuel, cine, points=1))["conversion"]["out"] == 0
    goods = _preview(fuel, acceptance(fuel, cine, points=250))
    assert (goods["conversion"]["out"], goods["conversion"]["settled_micros"], goods["cycle"]) == (0, 2_500_000, None)
    assert fuel.get("/v1/agreements")["data"] == before, "nothing is proposed"


def test_a_preview_needs_only_what_its_answer_depends_on(fuel: Party, cine: Party) -> None:
    body = {"kind": "exchange", "source_program": "FUEL", "target_program": "CINE", "unit_price_micros": 10_000}
    assert _preview(fuel, body)["conversion"]["out"] == 1_000


def test_a_preview_draws_the_cycle_and_says_whether_it_would_be_refused(site: Site) -> None:
    one, two, three = (site.merchant(program=code) for code in ("CYA", "CYB", "CYC"))
    assert _preview(one, terms(one, two))["cycle"] is None
    agree(one, two, rate_num=2, rate_den=3)
    agree(two, three, rate_num=3, rate_den=4)
    harmless = _preview(three, terms(three, one, rate_num=2, rate_den=1))
    assert harmless["cycle"] == {"path": ["CYC", "CYA", "CYB", "CYC"], "gain_num": 1, "gain_den": 1, "is_allowed": True}
    assert [warning["path"] for warning in harmless["warnings"]] == [["CYC", "CYA", "CYB", "CYC"]]
    greedy = _preview(three, terms(three, one, rate_num=21, rate_den=10))
    assert (greedy["cycle"]["gain_num"], greedy["cycle"]["gain_den"]) == (21, 20)
    assert not greedy["cycle"]["is_allowed"]
    three.refused("/v1/agreements", terms(three, one, rate_num=21, rate_den=10), "rate_cycle")


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [({"rate_den": 0}, "/rate_den"), ({"points": 0}, "/points"), ({"target_program": "FUEL"}, "/target_program")],
)
def test_a_preview_refuses_what_a_proposal_would_refuse(
    fuel: Party, cine: Party, wrong: dict[str, Any], pointer: str
) -> None:
    problem = fuel.refused("/v1/agreements/preview", terms(fuel, cine) | wrong, "validation_failed")
    assert [error["pointer"] for error in problem["errors"]] == [pointer]


def test_nobody_looks_at_terms_of_others(site: Site, fuel: Party, cine: Party) -> None:
    site.merchant().refused("/v1/agreements/preview", terms(fuel, cine), "forbidden", 403)
    fuel.refused("/v1/agreements/preview", terms(fuel, cine) | {"target_program": "NONE"}, "unknown_program", 404)


def test_the_graph_has_the_live_agreements_that_the_caller_may_see(site: Site) -> None:
    giver, taker, other = (site.merchant(program=code) for code in ("RGA", "RGB", "RGC"))
    live = agree(giver, taker, rate_num=6, rate_den=10)
    ended = agree(giver, taker, rate_num=1, rate_den=2)
    giver.post(f"/v1/agreements/{ended['id']}/termination", {})
    goods = agree(giver, other, kind="acceptance")
    site.confirm()
    graph = giver.get("/v1/rates")
    edges = {edge["agreement"]: edge for edge in graph["edges"]}
    assert set(edges) == {live["id"], goods["id"]}
    assert (edges[live["id"]]["rate_num"], edges[live["id"]]["rate_den"]) == (6, 10)
    assert (edges[goods["id"]]["target_program"], edges[goods["id"]]["target_merchant"]) == (None, other.id)
    assert {node["program"] for node in graph["nodes"]} == {"RGA", "RGB"}
    seen_by_other = other.get("/v1/rates")
    assert [edge["agreement"] for edge in seen_by_other["edges"]] == [goods["id"]]
    assert {node["program"] for node in seen_by_other["nodes"]} == {"RGA", "RGC"}
    everything = site.get("/v1/rates", caller="auditor")
    assert {live["id"], goods["id"]} <= {edge["agreement"] for edge in everything["edges"]}


def test_an_agreement_says_what_is_left_of_todays_cap(site: Site) -> None:
    giver, taker, other = (site.merchant(program=code) for code in ("USA", "USB", "USC"))
    agreement = agree(giver, taker)["id"]
    member = giver.member("use")
    site.give(member, "USA", 500)
    giver.post("/v1/exchanges", {"agreement": agreement, "member": member, "points": 100})
    used = taker.get(f"/v1/agreements/{agreement}/use")
    assert (used["burnt_points"] + used["reserved_points"], used["daily_cap"] - used["left_points"]) == (100, 100)
    assert used == site.get(f"/v1/agreements/{agreement}/use")
    assert site.call("GET", f"/v1/agreements/{agreement}/use", caller=other.id).status_code == 404
