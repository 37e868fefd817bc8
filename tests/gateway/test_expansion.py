"""`expand[]` shows whole resources beside the ids, as far as the caller may see them."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import event

from clearing.ordering.orders.models import OrderState
from gateway.http.expansion import FIELDS
from tests.gateway.site import Party, Site, agree
from tongdui import Client


@pytest.fixture(scope="module")
def traded(site: Site, fuel: Party) -> tuple[Party, str, str]:
    """A cinema, an agreement with it, and an exchange under that."""
    cinema = site.merchant("Expanded cinema", program="EXPC")
    agreement = agree(fuel, cinema)["id"]
    member = fuel.member("expanded-1")
    site.give(member, "FUEL", 10_000)
    body = {"source_program": "FUEL", "target_program": "EXPC", "member": member, "points": 100}
    movement = fuel.post("/v1/exchanges", body)
    site.finish(movement["order"], OrderState.SETTLED)
    return cinema, agreement, movement["id"]


def _expanded(party: Party, path: str, *fields: str) -> Any:
    query = "&".join(f"expand[]={field}" for field in fields)
    return party.get(f"{path}{'&' if '?' in path else '?'}{query}")


def test_the_ids_stay_and_the_resources_stand_beside_them(fuel: Party, traded: tuple[Party, str, str]) -> None:
    _, agreement, movement = traded
    plain = fuel.get(f"/v1/exchanges/{movement}")
    assert "expanded" not in plain
    shown = _expanded(fuel, f"/v1/exchanges/{movement}", "agreement", "member", "merchant", "program", "order")
    expanded = shown.pop("expanded")
    assert shown == plain
    assert expanded == {
        "agreement": fuel.get(f"/v1/agreements/{agreement}"),
        "member": fuel.get(f"/v1/members/{plain['member']}"),
        "merchant": fuel.get(f"/v1/merchants/{fuel.id}"),
        "program": fuel.get("/v1/programs/FUEL"),
        "order": {**fuel.get(f"/v1/orders/{plain['order']}"), "movements": None},
    }


def test_an_agreement_shows_both_merchants(fuel: Party, traded: tuple[Party, str, str]) -> None:
    cinema, agreement, _ = traded
    shown = _expanded(fuel, f"/v1/agreements/{agreement}", "source_merchant", "target_merchant", "supersedes")
    assert shown["expanded"]["source_merchant"]["id"] == fuel.id
    assert shown["expanded"]["target_merchant"]["id"] == cinema.id
    assert shown["expanded"]["supersedes"] is None


def test_a_hold_shows_the_movement_that_it_became(site: Site, fuel: Party) -> None:
    member = fuel.member("expanded-hold")
    site.give(member, "FUEL", 100)
    hold = fuel.post("/v1/holds", {"program": "FUEL", "member": member, "points": 10})
    movement = fuel.post(f"/v1/holds/{hold['id']}/capture", {"kind": "redeem"})
    shown = _expanded(fuel, f"/v1/holds/{hold['id']}", "movement")
    assert shown["expanded"]["movement"] == fuel.get(f"/v1/redemptions/{movement['id']}")
    site.finish(movement["order"], OrderState.SETTLED)
    back = fuel.post("/v1/reversals", {"movement": movement["id"]})
    shown = _expanded(fuel, f"/v1/reversals/{back['id']}", "reverses")
    assert shown["expanded"]["reverses"]["id"] == movement["id"]


def test_a_list_is_expanded_with_as_many_queries_as_a_short_one(
    site: Site, fuel: Party, traded: tuple[Party, str, str]
) -> None:
    for number in range(6):
        member = fuel.member(f"expanded-list-{number}")
        site.give(member, "FUEL", 100)
        fuel.post("/v1/holds", {"program": "FUEL", "member": member, "points": 1})

    def queries(limit: int) -> int:
        seen: list[str] = []

        def count(*arguments: Any) -> None:
            seen.append(arguments[2])

        event.listen(site.database.engine, "before_cursor_execute", count)
        try:
            page = _expanded(fuel, f"/v1/holds?limit={limit}", "member", "merchant", "program", "order")
        finally:
            event.remove(site.database.engine, "before_cursor_execute", count)
        assert len(page["data"]) == limit
        for hold in page["data"]:
            assert hold["expanded"]["member"]["id"] == hold["member"]
            assert hold["expanded"]["member"]["external_id"].startswith("expanded-list-")
        return len(seen)

    assert queries(6) == queries(1)


def test_what_the_caller_may_not_see_is_null(site: Site, fuel: Party, traded: tuple[Party, str, str]) -> None:
    cinema, _, _ = traded
    (entry,) = _expanded(cinema, "/v1/entries?program=FUEL", "merchant", "agreement", "program")["data"]
    assert entry["expanded"]["merchant"]["id"] == fuel.id
    assert entry["expanded"]["agreement"]["target_merchant"] == cinema.id
    outsider = site.merchant("Outsider", program="OUTS")
    member = outsider.member()
    site.give(member, "OUTS", 5)
    hold = outsider.post("/v1/holds", {"program": "OUTS", "member": member, "points": 1})
    with site.database.session.begin() as session:
        session.connection().exec_driver_sql(f"DELETE FROM member_links WHERE member_id = '{member}'")
    shown = _expanded(outsider, f"/v1/holds/{hold['id']}", "member")
    assert (shown["member"], shown["expanded"]) == (member, {"member": None})


def test_a_field_that_cannot_be_expanded_is_refused_with_those_that_can(site: Site, fuel: Party) -> None:
    response = site.call("GET", "/v1/holds?expand[]=program&expand[]=points", caller=fuel.id)
    (error,) = response.json()["errors"]
    assert (response.status_code, error["parameter"]) == (422, "expand[]")
    assert (
        error["detail"] == "points cannot be expanded here; merchant, member, program, agreement, order, movement can"
    )
    unknown = site.call("GET", "/v1/holds?expand=program", caller=fuel.id)
    assert unknown.json()["errors"][0]["detail"].endswith("did you mean expand[]?")


def test_the_description_has_it(site: Site) -> None:
    schema = site.http.get("/openapi.json").json()
    (expand,) = [p for p in schema["paths"]["/v1/holds"]["get"]["parameters"] if p["name"] == "expand[]"]
    assert "merchant" in str(expand["schema"])
    expanded = schema["components"]["schemas"]["HoldView"]["properties"]["expanded"]
    assert expanded["properties"]["member"]["anyOf"][0] == {"$ref": "#/components/schemas/MemberView"}
    assert set(expanded["properties"]) <= set(FIELDS)


def test_the_sdk_has_it_typed(site: Site, fuel: Party, traded: tuple[Party, str, str]) -> None:
    _, agreement, movement = traded
    with Client(str(site.http.base_url), site.keys[fuel.id]) as client:
        exchange = client.exchanges.get(movement, expand=["agreement", "member"])
        assert exchange.expanded is not None
        assert exchange.expanded.agreement is not None
        assert exchange.expanded.agreement.id == agreement
        assert exchange.expanded.member == client.members.get(exchange.member or "")
        assert client.exchanges.get(movement).expanded is None
        for hold in client.holds.list(expand=["program"], page_size=3):
            assert hold.expanded is not None
            assert hold.expanded.program is not None
            assert hold.expanded.program.code == hold.program
        assert client.agreements.get(agreement, expand=["source_merchant"]).expanded is not None
