"""Every privileged act is in the audit log: who did it, what it was done to, and what was before where something was.

A route that the operator, the treasury or a merchant's admin may call, and that changes something, needs a line in ACTS.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from clearing.parties.access.models import Role
from clearing.parties.access.service import Scope
from gateway.http.auth import RULES, Rule
from tests.gateway.site import Party, Site
from tests.gateway.staff import Worker, worker

REASON = {"reason": "for the log"}
READS_ONLY = {("POST", f"/v1/{what}") for what in ("members/lookup", "movements/lookup", "agreements/preview")}


def is_privileged(rule: Rule) -> bool:
    """Whether it is not everybody's own affair, nor everyday trade: the network's roles, admins, keys and webhooks."""
    if rule.is_open or rule.of_oneself:
        return False
    return bool(rule.roles & {Role.OPERATOR, Role.TREASURY}) or rule.for_admins or Scope.WEBHOOKS in rule.scopes


@dataclass
class World:
    """What the acts are done to."""

    site: Site
    shop: Party
    boss: Worker
    count: int = 0

    def fresh(self) -> str:
        """A text that no act has used."""
        self.count += 1
        return f"act-{self.count}"

    def endpoint(self) -> str:
        """A webhook endpoint."""
        body = {"url": f"https://partner.example/{self.fresh()}"}
        return str(self.shop.post("/v1/webhook_endpoints", body)["id"])

    def clerk(self) -> Worker:
        """Somebody whom the boss manages."""
        return worker(self.site, "cashier", self.shop)

    def asked(self) -> str:
        """What waits for the operator's decision."""
        body = {"merchant": self.shop.id, "micros": 5, "bank_reference": self.fresh(), **REASON}
        return str(self.site.post("/v1/deposits", body, caller="treasury")["id"])


def _call(method: str, caller: str, path: Callable[[World], str], body: Callable[[World], Any] = lambda _: None) -> Any:
    def act(world: World) -> str:
        token = {"shop": world.site.keys[world.shop.id], "boss": world.boss.token}.get(caller, caller)
        response = world.site.call(method, path(world), body(world), caller=token)
        assert response.status_code in (200, 201, 202), response.text
        return str(token)

    return act


def _seat(one: Worker) -> str:
    return str(one.session["seat"]["id"])


def _post(caller: str, path: Callable[[World], str], body: Callable[[World], Any] = lambda _: {}) -> Any:
    return _call("POST", caller, path, body)


def _disabled(world: World) -> str:
    one = world.clerk()
    world.boss.post(f"/v1/staff/{one.id}/disable")
    return f"/v1/staff/{one.id}/enable"


def _frozen(world: World) -> str:
    member = world.shop.member()
    world.site.post(f"/v1/members/{member}/freeze", REASON)
    return f"/v1/members/{member}/unfreeze"


def _waiting_order(world: World) -> str:
    body = {"program": world.shop.program, "member": world.shop.member(), "points": 1}
    return f"/v1/orders/{world.shop.post('/v1/issuances', body)['order']}/cancel"


def _booking(world: World) -> dict[str, Any]:
    return {"merchant": world.shop.id, "micros": 1, "bank_reference": world.fresh(), **REASON}


def _key(world: World) -> str:
    return "/v1/api_keys/key_" + world.shop.key("read").split("_")[1]


def _invitation(world: World) -> str:
    made = world.boss.post("/v1/invitations", {"email": f"{world.fresh()}@acts.example", "title": "viewer"})
    return f"/v1/invitations/{made['id']}"


Act = tuple[Callable[[World], str], str, bool]
"""What is done, the type of the event, and whether something was before."""
ACTS: dict[tuple[str, str], Act] = {
    ("POST", "/v1/merchants"): (
        _post("operator", lambda _: "/v1/merchants", lambda world: {"name": world.fresh(), "managed_key": True}),
        "merchant.registered",
        False,
    ),
    ("POST", "/v1/programs"): (
        _post(
            "operator",
            lambda _: "/v1/programs",
            lambda world: {"merchant": world.shop.id, "code": world.fresh().upper().replace("-", ""), "name": "P"},
        ),
        "program.registered",
        False,
    ),
    ("POST", "/v1/merchants/{merchant}/credit_limit"): (
        _post(
            "operator",
            lambda world: f"/v1/merchants/{world.shop.id}/credit_limit",
            lambda _: {"credit_limit_micros": 3 * 10**12, **REASON},
        ),
        "approval.requested",
        True,
    ),
    ("POST", "/v1/deposits"): (_post("treasury", lambda _: "/v1/deposits", _booking), "approval.requested", True),
    ("POST", "/v1/withdrawals"): (
        _post("treasury", lambda _: "/v1/withdrawals", _booking),
        "approval.requested",
        True,
    ),
    ("POST", "/v1/approvals/{approval}/approve"): (
        _post("operator", lambda world: f"/v1/approvals/{world.asked()}/approve", lambda _: None),
        "approval.approved",
        True,
    ),
    ("POST", "/v1/approvals/{approval}/decline"): (
        _post("operator", lambda world: f"/v1/approvals/{world.asked()}/decline", lambda _: REASON),
        "approval.declined",
        True,
    ),
    ("POST", "/v1/approvals/{approval}/withdraw"): (
        _post("treasury", lambda world: f"/v1/approvals/{world.asked()}/withdraw", lambda _: None),
        "approval.withdrawn",
        True,
    ),
    ("POST", "/v1/api_keys"): (
        _post("shop", lambda _: "/v1/api_keys", lambda _: {"scopes": ["read"]}),
        "api_key.created",
        False,
    ),
    ("DELETE", "/v1/api_keys/{api_key}"): (_call("DELETE", "operator", _key), "api_key.revoked", True),
    ("PATCH", "/v1/staff/seats/{seat}"): (
        _call("PATCH", "boss", lambda world: f"/v1/staff/seats/{_seat(world.clerk())}", lambda _: {"title": "viewer"}),
        "staff.title_changed",
        True,
    ),
    ("DELETE", "/v1/staff/seats/{seat}"): (
        _call("DELETE", "boss", lambda world: f"/v1/staff/seats/{_seat(world.clerk())}"),
        "staff.unseated",
        True,
    ),
    ("POST", "/v1/staff/{person}/disable"): (
        _post("boss", lambda world: f"/v1/staff/{world.clerk().id}/disable"),
        "staff.disabled",
        True,
    ),
    ("POST", "/v1/staff/{person}/enable"): (_post("boss", _disabled), "staff.enabled", True),
    ("POST", "/v1/staff/{person}/sign_out"): (
        _post("boss", lambda world: f"/v1/staff/{world.clerk().id}/sign_out"),
        "staff.sessions_ended",
        False,
    ),
    ("POST", "/v1/invitations"): (
        _post(
            "boss",
            lambda _: "/v1/invitations",
            lambda world: {"email": f"{world.fresh()}@acts.example", "title": "viewer"},
        ),
        "staff.invited",
        False,
    ),
    ("DELETE", "/v1/invitations/{invitation}"): (
        _call("DELETE", "boss", _invitation),
        "staff.invitation_revoked",
        False,
    ),
    ("POST", "/v1/members/{member}/freeze"): (
        _post("operator", lambda world: f"/v1/members/{world.shop.member()}/freeze", lambda _: REASON),
        "member.frozen",
        False,
    ),
    ("POST", "/v1/members/{member}/unfreeze"): (_post("operator", _frozen), "member.unfrozen", False),
    ("POST", "/v1/members/{member}/erase"): (
        _post("operator", lambda world: f"/v1/members/{world.shop.member()}/erase"),
        "member.erased",
        False,
    ),
    ("POST", "/v1/operations/pause"): (
        _post("operator", lambda _: "/v1/operations/pause", lambda _: REASON),
        "sequencing.paused",
        True,
    ),
    ("POST", "/v1/operations/resume"): (
        _post("operator", lambda _: "/v1/operations/resume"),
        "sequencing.resumed",
        True,
    ),
    ("POST", "/v1/orders/{order}/cancel"): (_post("operator", _waiting_order), "sequencing.order_cancelled", False),
    ("POST", "/v1/quarantined_events/retry"): (
        _post("operator", lambda _: "/v1/quarantined_events/retry"),
        "chain.quarantine_retried",
        False,
    ),
    ("POST", "/v1/webhook_endpoints"): (
        _post("shop", lambda _: "/v1/webhook_endpoints", lambda _: {"url": "https://partner.example/new"}),
        "webhook_endpoint.created",
        False,
    ),
    ("PATCH", "/v1/webhook_endpoints/{endpoint}"): (
        _call(
            "PATCH",
            "shop",
            lambda world: f"/v1/webhook_endpoints/{world.endpoint()}",
            lambda _: {"url": "https://partner.example/other"},
        ),
        "webhook_endpoint.changed",
        True,
    ),
    ("DELETE", "/v1/webhook_endpoints/{endpoint}"): (
        _call("DELETE", "shop", lambda world: f"/v1/webhook_endpoints/{world.endpoint()}"),
        "webhook_endpoint.removed",
        True,
    ),
    ("POST", "/v1/webhook_endpoints/{endpoint}/secret"): (
        _post("shop", lambda world: f"/v1/webhook_endpoints/{world.endpoint()}/secret", lambda _: None),
        "webhook_endpoint.secret_renewed",
        False,
    ),
    ("POST", "/v1/webhook_endpoints/{endpoint}/replay"): (
        _post(
            "shop",
            lambda world: f"/v1/webhook_endpoints/{world.endpoint()}/replay",
            lambda _: {"since": "2030-01-01T00:00:00Z"},
        ),
        "webhook_endpoint.replayed",
        False,
    ),
}


def test_every_privileged_route_has_a_line() -> None:
    privileged = {route for route, rule in RULES.items() if route[0] != "GET" and is_privileged(rule)}
    assert privileged - READS_ONLY == set(ACTS)


@pytest.fixture(scope="module")
def world(site: Site) -> World:
    shop = site.merchant("Acts", program="ACTS")
    site.book("deposit", shop.id, 1_000, "acts")
    site.confirm()
    return World(site, shop, worker(site, "admin", shop))


def _newest(world: World) -> dict[str, Any]:
    found = world.site.get("/v1/audit_log?limit=5", caller="auditor")["data"]
    return {one["id"]: one for one in reversed(found)}


@pytest.mark.parametrize("route", ACTS, ids=" ".join)
def test_a_privileged_act_says_who_what_and_what_was_before(world: World, route: tuple[str, str]) -> None:
    act, event_type, has_before = ACTS[route]
    token = act(world)
    entry = next(one for one in reversed(_newest(world).values()) if one["type"] == event_type)
    key = world.site.keys.get(token, token)
    actor = f"staff:{world.boss.id}" if token == world.boss.token else "key_" + key.split("_")[1]
    assert (entry["actor"]["id"], bool(entry["actor"]["name"])) == (actor, True)
    assert entry["subject"]
    if has_before:
        assert entry["data"]["before"] is not None
        assert entry["data"].get("after", entry["data"].get("title")) is not None
