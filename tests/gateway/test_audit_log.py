"""The audit log: who did what to the network, found by actor, type, subject and time; everyday trade is not in it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from clearing.kit.events.models import Event
from clearing.kit.events.types import is_audited
from tests.gateway.site import Party, Site, agree


def _log(site: Site, query: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = site.get(f"/v1/audit_log?limit=200&{query}", caller="auditor")["data"]
    return found


def _key(token: str) -> str:
    return "key_" + token.split("_")[1]


def test_it_says_who_did_what_to_whom_and_what_was_before(site: Site, fuel: Party) -> None:
    site.agreed(f"/v1/merchants/{fuel.id}/credit_limit", {"credit_limit_micros": 2 * 10**12})
    (limit,) = _log(site, f"subject={fuel.id}&type=merchant.credit_limit_requested")
    assert limit["actor"] == {"id": _key(site.keys["operator"]), "name": "a key of the operator"}
    assert (limit["merchant"], limit["data"]) == (fuel.id, {"from_micros": 10**12, "to_micros": 2 * 10**12})
    endpoint = fuel.post("/v1/webhook_endpoints", {"url": "https://partner.example/a"})["id"]
    site.call("PATCH", f"/v1/webhook_endpoints/{endpoint}", {"url": "https://partner.example/b"}, caller=fuel.id)
    changed = _log(site, f"subject={endpoint}")[0]
    assert changed["actor"]["name"] == "a key of Gas"
    assert changed["data"]["before"] == {"url": "https://partner.example/a"}
    assert changed["data"]["after"] == {"url": "https://partner.example/b"}


def test_an_act_that_concerns_two_merchants_is_in_it_once(site: Site, fuel: Party, cine: Party) -> None:
    agreement = agree(fuel, cine)
    acts = [(act["type"], act["actor"]["id"]) for act in _log(site, f"subject={agreement['id']}")]
    assert acts == [
        ("agreement.accepted", _key(site.keys[cine.id])),
        ("agreement.signed", _key(site.keys[cine.id])),
        ("agreement.proposed", _key(site.keys[fuel.id])),
    ], "and what the projector noted is not"


def test_everyday_trade_is_not_in_it(site: Site, fuel: Party) -> None:
    before = _log(site)
    member = fuel.member()
    made = fuel.post("/v1/issuances", {"program": "FUEL", "member": member, "points": 5})
    assert _log(site) == before
    assert site.post(f"/v1/orders/{made['order']}/cancel", None)["state"] == "cancelled"
    assert _log(site)[0]["type"] == "sequencing.order_cancelled"
    fuel.post(f"/v1/members/{member}/freeze", {"reason": "lost"})
    assert _log(site)[0]["type"] == "member.frozen"


def test_it_is_filtered_by_actor_and_time_and_paged(site: Site, fuel: Party) -> None:
    token = fuel.key("read", "webhooks")
    with site.clock.stopped(site.clock.now() + timedelta(hours=1)):
        begin = site.clock.now().isoformat()
        made = [
            site.post("/v1/webhook_endpoints", {"url": f"https://partner.example/{n}"}, caller=token)["id"]
            for n in range(3)
        ]
    with site.clock.stopped(site.clock.now() + timedelta(hours=2)):
        later = site.clock.now().isoformat()
        site.call("DELETE", f"/v1/webhook_endpoints/{made[0]}", caller=token)
    mine = f"actor={_key(token)}"
    assert [act["subject"] for act in _log(site, mine)] == [made[0], *made[::-1]]
    window = {"created[gte]": begin, "created[lt]": later}
    query = "&".join(f"{name}={value.replace('+', '%2B')}" for name, value in window.items())
    assert [act["subject"] for act in _log(site, f"{mine}&{query}")] == made[::-1]
    paged, cursor = [], ""
    while cursor is not None:
        page = site.get(f"/v1/audit_log?limit=1&{mine}&{query}{cursor}")
        paged += [act["subject"] for act in page["data"]]
        cursor = f"&cursor={page['next_cursor']}" if page["next_cursor"] else None
    assert paged == made[::-1]


def test_the_first_keys_are_in_it(site: Site) -> None:
    assert {act["data"]["role"] for act in _log(site, "actor=bootstrap")} == {"operator", "treasury", "auditor"}


@pytest.mark.parametrize(
    ("type", "actor", "audited"),
    [
        ("api_key.created", "key_1", True),
        ("merchant.registered", "cli:root", True),
        ("staff.signed_in", "staff:stf_1", True),
        ("order.accepted", "key_1", False),
        ("hold.created", "key_1", False),
        ("member.registered", "key_1", False),
        ("liquidity.low", "worker", False),
    ],
)
def test_what_belongs_into_it(type: str, actor: str, audited: bool) -> None:  # noqa: A002
    assert is_audited(type, actor) is audited


def test_events_say_whether_they_are_in_it(site: Site, fuel: Party) -> None:
    with site.database.session() as session:
        events = session.scalars(select(Event)).all()
        assert {event.type for event in events if event.audited and not is_audited(event.type, event.actor)} == set()
