"""Every route, as every kind of caller. A route without a line here fails; so does a line without a route."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.routing import iter_route_contexts

from clearing.ordering.orders.kinds import KINDS
from tests.gateway.site import ALL_SCOPES, MOVING_SCOPES, Party, Site, terms
from tests.gateway.staff import worker

READ = {"operator", "auditor", "merchant:read"}
READ_AND_TREASURY = READ | {"treasury"}
KEYS = {"operator", "treasury", "auditor", *(f"merchant:{scope}" for scope in ALL_SCOPES)}
TITLES = {
    "admin": set(ALL_SCOPES),
    "manager": set(MOVING_SCOPES) | {"agree", "members", "read"},
    "cashier": {"redeem", "spend", "exchange", "reverse", "members", "read"},
    "accountant": {"settle", "read"},
    "viewer": {"read"},
}
"""What a merchant's people may do. The network's people may do what the keys of their role may do."""
PEOPLE = {f"staff:{title}" for title in (*TITLES, "operator", "treasury", "auditor")}
EVERYONE = KEYS | PEOPLE
MERCHANT = {f"merchant:{scope}" for scope in ALL_SCOPES}
MOVERS = {f"merchant:{scope}" for scope in MOVING_SCOPES}
HOLDERS = {"merchant:redeem", "merchant:exchange", "merchant:spend"}
PUBLIC = EVERYONE | {"nobody", "revoked", "stranger", "staff:signed_out"}
ADMINS = {"staff:operator", "staff:admin"}
"""People who manage people: no scope stands for that."""

MATRIX: dict[tuple[str, str], set[str]] = {
    ("GET", "/healthz"): PUBLIC,
    ("GET", "/readyz"): PUBLIC,
    ("GET", "/v1/network"): EVERYONE,
    ("POST", "/v1/merchants"): {"operator"},
    ("GET", "/v1/merchants"): READ_AND_TREASURY,
    ("GET", "/v1/merchants/{merchant}"): READ_AND_TREASURY,
    ("POST", "/v1/merchants/{merchant}/credit_limit"): {"operator"},
    ("POST", "/v1/programs"): {"operator"},
    ("GET", "/v1/programs"): READ_AND_TREASURY,
    ("GET", "/v1/programs/{program}"): READ_AND_TREASURY,
    ("POST", "/v1/members"): {"merchant:members"},
    ("POST", "/v1/members/{member}/link_codes"): {"merchant:members"},
    ("POST", "/v1/members/{member}/codes"): {"merchant:members"},
    ("GET", "/v1/members/{member}/codes/{code}"): READ,
    ("DELETE", "/v1/members/{member}/codes/{code}"): {"merchant:members"},
    ("POST", "/v1/member_codes/lookup"): {"merchant:exchange", "merchant:spend"},
    ("GET", "/v1/members/{member}/accounts"): READ,
    ("POST", "/v1/members/register"): {"merchant:members"},
    ("POST", "/v1/members/lookup"): {"merchant:read"},
    ("GET", "/v1/members"): READ,
    ("GET", "/v1/members/{member}"): READ,
    ("POST", "/v1/members/{member}/external_ids"): {"merchant:members"},
    ("DELETE", "/v1/members/{member}/external_ids/{external_id}"): {"merchant:members"},
    ("POST", "/v1/members/{member}/freeze"): {"operator", "merchant:members"},
    ("POST", "/v1/members/{member}/unfreeze"): {"operator", "merchant:members"},
    ("POST", "/v1/members/{member}/erase"): {"operator", "merchant:members"},
    ("POST", "/v1/merges"): {"merchant:members"},
    ("POST", "/v1/merges/{merge}/confirm"): {"merchant:members"},
    ("POST", "/v1/merges/{merge}/cancel"): {"merchant:members"},
    ("POST", "/v1/merges/{merge}/transfers"): {"merchant:transfer"},
    ("GET", "/v1/merges"): READ,
    ("GET", "/v1/merges/{merge}"): READ,
    ("POST", "/v1/agreements"): {"merchant:agree"},
    ("POST", "/v1/agreements/preview"): {"merchant:agree", "merchant:read"},
    ("GET", "/v1/rates"): READ,
    ("POST", "/v1/agreements/{agreement}/signatures"): {"merchant:agree"},
    ("POST", "/v1/agreements/{agreement}/withdrawal"): {"merchant:agree"},
    ("POST", "/v1/agreements/{agreement}/termination"): {"merchant:agree"},
    ("GET", "/v1/agreements"): READ,
    ("GET", "/v1/agreements/{agreement}"): READ,
    ("GET", "/v1/agreements/{agreement}/use"): READ,
    ("POST", "/v1/quotes"): {"merchant:exchange", "merchant:spend"},
    ("POST", "/v1/nonces"): MOVERS,
    ("POST", "/v1/issuances"): {"merchant:issue"},
    ("POST", "/v1/redemptions"): {"merchant:redeem"},
    ("POST", "/v1/exchanges"): {"merchant:exchange"},
    ("POST", "/v1/spends"): {"merchant:spend"},
    ("POST", "/v1/transfers"): {"merchant:transfer"},
    ("POST", "/v1/reversals"): {"merchant:reverse"},
    ("GET", "/v1/movements"): READ,
    ("GET", "/v1/movements/{movement}"): READ,
    ("POST", "/v1/movements/lookup"): {"merchant:read"},
    ("POST", "/v1/orders"): MOVERS,
    ("GET", "/v1/orders/{order}"): READ,
    ("GET", "/v1/issuances"): READ,
    ("GET", "/v1/issuances/{movement}"): READ,
    ("GET", "/v1/redemptions"): READ,
    ("GET", "/v1/redemptions/{movement}"): READ,
    ("GET", "/v1/exchanges"): READ,
    ("GET", "/v1/exchanges/{movement}"): READ,
    ("GET", "/v1/spends"): READ,
    ("GET", "/v1/spends/{movement}"): READ,
    ("GET", "/v1/transfers"): READ,
    ("GET", "/v1/transfers/{movement}"): READ,
    ("GET", "/v1/reversals"): READ,
    ("GET", "/v1/reversals/{movement}"): READ,
    ("GET", "/v1/positions"): READ_AND_TREASURY,
    ("GET", "/v1/positions/{merchant}"): READ_AND_TREASURY,
    ("GET", "/v1/positions/{merchant}/history"): READ_AND_TREASURY,
    ("GET", "/v1/partners"): READ_AND_TREASURY,
    ("GET", "/v1/attention"): {"merchant:read"},
    ("GET", "/v1/activity"): READ_AND_TREASURY,
    ("GET", "/v1/programs/{program}/circulation"): READ_AND_TREASURY,
    ("POST", "/v1/deposits"): {"treasury"},
    ("GET", "/v1/deposits"): READ_AND_TREASURY,
    ("GET", "/v1/deposits/{movement}"): READ_AND_TREASURY,
    ("POST", "/v1/withdrawals"): {"treasury"},
    ("GET", "/v1/withdrawals"): READ_AND_TREASURY,
    ("GET", "/v1/withdrawals/{movement}"): READ_AND_TREASURY,
    ("GET", "/v1/entries"): READ,
    ("GET", "/v1/entries/export"): READ,
    ("GET", "/v1/entries/{leaf}"): READ,
    ("GET", "/v1/entries/{leaf}/receipt"): READ,
    ("POST", "/v1/api_keys"): {"operator", "treasury", "merchant:keys"},
    ("GET", "/v1/api_keys"): READ_AND_TREASURY | {"merchant:keys"},
    ("GET", "/v1/batches"): READ,
    ("GET", "/v1/batches/{batch}"): READ,
    ("GET", "/v1/operations"): {"operator", "auditor"},
    ("POST", "/v1/operations/pause"): {"operator"},
    ("POST", "/v1/operations/resume"): {"operator"},
    ("POST", "/v1/orders/{order}/cancel"): {"operator"},
    ("GET", "/v1/quarantined_events"): {"operator", "auditor"},
    ("POST", "/v1/quarantined_events/retry"): {"operator"},
    ("DELETE", "/v1/api_keys/{api_key}"): {"operator", "treasury", "merchant:keys"},
    ("POST", "/v1/sessions"): PUBLIC,
    ("GET", "/v1/sessions/issuers"): PUBLIC,
    ("GET", "/v1/sessions/oidc"): PUBLIC,
    ("POST", "/v1/sessions/oidc"): PUBLIC,
    ("GET", "/v1/sessions"): PEOPLE,
    ("GET", "/v1/sessions/current"): PEOPLE,
    ("DELETE", "/v1/sessions/current"): PEOPLE,
    ("POST", "/v1/sessions/current/seat"): PEOPLE,
    ("DELETE", "/v1/sessions/{session}"): PEOPLE,
    ("GET", "/v1/profile"): PEOPLE,
    ("PATCH", "/v1/profile"): PEOPLE,
    ("POST", "/v1/profile/password"): PEOPLE,
    ("POST", "/v1/profile/totp"): PEOPLE,
    ("POST", "/v1/profile/totp/confirm"): PEOPLE,
    ("POST", "/v1/profile/totp/remove"): PEOPLE,
    ("POST", "/v1/profile/recovery_codes"): PEOPLE,
    ("GET", "/v1/staff"): {"operator", "auditor", "staff:auditor"} | ADMINS,
    ("PATCH", "/v1/staff/seats/{seat}"): {"operator"} | ADMINS,
    ("DELETE", "/v1/staff/seats/{seat}"): {"operator"} | ADMINS,
    ("POST", "/v1/staff/{person}/disable"): {"operator"} | ADMINS,
    ("POST", "/v1/staff/{person}/enable"): {"operator"} | ADMINS,
    ("POST", "/v1/staff/{person}/sign_out"): {"operator"} | ADMINS,
    ("POST", "/v1/invitations"): {"operator"} | ADMINS,
    ("GET", "/v1/invitations"): {"operator", "auditor", "staff:auditor"} | ADMINS,
    ("DELETE", "/v1/invitations/{invitation}"): {"operator"} | ADMINS,
    ("POST", "/v1/invitations/lookup"): PUBLIC,
    ("POST", "/v1/invitations/accept"): PUBLIC,
    ("POST", "/v1/invitations/redeem"): PUBLIC,
    ("POST", "/v1/password_resets"): PUBLIC,
    ("POST", "/v1/password_resets/perform"): PUBLIC,
    ("GET", "/v1/events"): READ_AND_TREASURY,
    ("GET", "/v1/events/stream"): READ_AND_TREASURY,
    ("POST", "/v1/holds"): HOLDERS,
    ("POST", "/v1/holds/{hold}/capture"): HOLDERS,
    ("POST", "/v1/holds/{hold}/release"): HOLDERS,
    ("GET", "/v1/holds"): READ,
    ("GET", "/v1/holds/{hold}"): READ,
    ("GET", "/v1/members/{member}/accounts/{program}/lots"): READ,
    ("POST", "/v1/expirations"): {"merchant:expire"},
    ("GET", "/v1/expirations"): READ,
    ("GET", "/v1/expirations/due"): READ,
    ("GET", "/v1/expirations/upcoming"): READ,
    ("GET", "/v1/expirations/{movement}"): READ,
    ("GET", "/v1/statements"): READ_AND_TREASURY,
    ("GET", "/v1/statements/{statement}"): READ_AND_TREASURY,
    ("POST", "/v1/webhook_endpoints"): {"merchant:webhooks"},
    ("GET", "/v1/webhook_endpoints"): READ,
    ("GET", "/v1/webhook_endpoints/{endpoint}"): READ,
    ("PATCH", "/v1/webhook_endpoints/{endpoint}"): {"merchant:webhooks"},
    ("DELETE", "/v1/webhook_endpoints/{endpoint}"): {"merchant:webhooks"},
    ("POST", "/v1/webhook_endpoints/{endpoint}/secret"): {"merchant:webhooks"},
    ("POST", "/v1/webhook_endpoints/{endpoint}/replay"): {"merchant:webhooks"},
    ("GET", "/v1/webhook_endpoints/{endpoint}/deliveries"): READ,
    ("GET", "/v1/webhook_endpoints/{endpoint}/deliveries/{event}"): READ,
    ("GET", "/v1/approvals"): {"operator", "treasury", "auditor"},
    ("GET", "/v1/approvals/{approval}"): {"operator", "treasury", "auditor"},
    ("POST", "/v1/approvals/{approval}/approve"): {"operator", "treasury"},
    ("POST", "/v1/approvals/{approval}/decline"): {"operator", "treasury"},
    ("POST", "/v1/approvals/{approval}/withdraw"): {"operator", "treasury"},
    ("GET", "/v1/audit_log"): {"operator", "auditor"},
}
PAGES = {("GET", "/"), ("GET", "/docs"), ("GET", "/openapi.json"), ("GET", "/problems"), ("GET", "/problems/{name}")}
"""Public: people read the API's description here, and what its refusals mean."""

CALLERS = sorted(PUBLIC)


def _may(route: tuple[str, str]) -> set[str]:
    """Who may call a route. A line without people stands for the people who have what its keys have."""
    line = MATRIX[route]
    if line & PEOPLE:
        return line
    people = {title for title, scopes in TITLES.items() if {f"merchant:{scope}" for scope in scopes} & line}
    return line | {f"staff:{title}" for title in people | (line & {"operator", "treasury", "auditor"})}


def _routes(site: Site) -> Iterator[tuple[str, str]]:
    for context in iter_route_contexts(site.app.routes):
        for method in (context.methods or set()) - {"HEAD", "OPTIONS"}:
            yield method, context.path or ""


def test_every_route_has_a_line(site: Site) -> None:
    routes = set(_routes(site))
    assert len(routes) > 40
    assert routes - PAGES == set(MATRIX)


@pytest.fixture(scope="module")
def callers(site: Site) -> dict[str, str | None]:
    merchant = site.merchant("Everyman")
    revoked = merchant.key("read")
    key_id = "key_" + revoked.split("_")[1]
    assert site.call("DELETE", f"/v1/api_keys/{key_id}").status_code == 200
    operator = site.keys["operator"]
    signed_out = worker(site, "admin", merchant)
    assert signed_out.call("DELETE", "/v1/sessions/current").status_code == 200
    stranger = operator[:-1] + ("1" if operator[-1] == "0" else "0")
    return {
        **{role: site.keys[role] for role in ("operator", "treasury", "auditor")},
        **{f"merchant:{scope}": merchant.key(scope) for scope in ALL_SCOPES},
        **{f"staff:{title}": worker(site, title, merchant).token for title in TITLES},
        **{f"staff:{title}": worker(site, title).token for title in ("operator", "treasury", "auditor")},
        "staff:signed_out": signed_out.token,
        "nobody": None,
        "revoked": revoked,
        "stranger": stranger,
    }


@pytest.mark.parametrize("route", sorted(MATRIX), ids=" ".join)
def test_each_caller_may_do_what_its_line_says(
    site: Site, callers: dict[str, str | None], route: tuple[str, str]
) -> None:
    method, template = route
    path = template.format_map(_Names())
    for caller in CALLERS:
        headers = {"Idempotency-Key": f"{caller}-{template}"}
        if (method, template) == ("DELETE", "/v1/sessions/current") and caller.startswith("staff:"):
            continue  # it would be signed out; test_sessions.py does it
        if callers[caller] is not None:
            headers["Authorization"] = f"Bearer {callers[caller]}"
        # The body is wrong on purpose: whoever is let in gets a validation error and changes nothing.
        body = {"content": b'{"wrong": 1}'} if method == "POST" else {}
        headers |= {"Content-Type": "application/json"} if method == "POST" else {}
        response = site.http.request(method, path, headers=headers, **body)
        is_stream = response.headers["content-type"].startswith("text/event-stream")
        code = None if is_stream else response.json().get("code")
        if caller in _may(route):
            assert response.status_code not in (401, 403), (caller, response.text)
        elif caller in ("nobody", "revoked", "stranger", "staff:signed_out"):
            assert (response.status_code, code) == (401, "unauthenticated"), (caller, response.text)
            assert response.headers["WWW-Authenticate"] == "Bearer"
        else:
            assert response.status_code == 403, (caller, response.text)
            is_ours = caller.startswith("merchant:") or caller.removeprefix("staff:") in TITLES
            is_scope = is_ours and MATRIX[route] & MERCHANT and not MATRIX[route] & PEOPLE
            assert code == ("insufficient_scope" if is_scope else "forbidden"), (caller, response.text)


class _Names(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return {"leaf": "0x" + "ab" * 32, "program": "NOSUCH"}.get(name, "xxx_" + "0" * 26)


# -------------------------------------------------------------------- one merchant and another


@pytest.fixture(scope="module")
def affairs(site: Site, fuel: Party, cine: Party, exchange_agreement: str) -> dict[str, str]:
    """Paths of what belongs to FUEL's merchant (and, for the agreement, to CINE's)."""
    member = fuel.member("private-7")
    issuance = fuel.post("/v1/issuances", {"program": "FUEL", "member": member, "points": 5})
    deposited = site.book("deposit", fuel.id, 5, "secret deposit")
    site.confirm()
    withdrawn = site.book("withdrawal", fuel.id, 5, "secret withdrawal")
    return {
        "member": f"/v1/members/{member}",
        "accounts": f"/v1/members/{member}/accounts",
        "order": f"/v1/orders/{issuance['order']}",
        "issuance": f"/v1/issuances/{issuance['id']}",
        "position": f"/v1/positions/{fuel.id}",
        "position history": f"/v1/positions/{fuel.id}/history",
        "activity": f"/v1/activity?merchant={fuel.id}",
        "partners": f"/v1/partners?merchant={fuel.id}",
        "deposit": f"/v1/deposits/{deposited['id']}",
        "withdrawal": f"/v1/withdrawals/{withdrawn['id']}",
        "agreement": f"/v1/agreements/{exchange_agreement}",
    }


def test_a_merchant_sees_its_own_affairs(fuel: Party, affairs: dict[str, str]) -> None:
    for path in affairs.values():
        fuel.get(path)


def test_a_merchant_sees_no_other_merchants_affairs(site: Site, affairs: dict[str, str]) -> None:
    other = site.merchant("Curious", program="NOSY")
    for name, path in affairs.items():
        response = site.call("GET", path, caller=other.id)
        assert response.status_code == 404, name


def test_the_counterparty_sees_the_agreement_and_nothing_else(site: Site, cine: Party, affairs: dict[str, str]) -> None:
    for name, path in affairs.items():
        expected = 200 if name == "agreement" else 404
        assert site.call("GET", path, caller=cine.id).status_code == expected, name


def test_lists_show_a_merchant_only_its_own(site: Site, fuel: Party, affairs: dict[str, str]) -> None:
    other = site.merchant("List reader", program="LISTS")
    for path in (
        *(kind.collection for kind in KINDS),
        "agreements",
        "deposits",
        "withdrawals",
        "entries",
    ):
        assert other.get(f"/v1/{path}")["data"] == [], path
    assert [position["merchant"] for position in other.get("/v1/positions")["data"]] == [other.id]
    assert {key["merchant"] for key in other.get("/v1/api_keys")["data"]} == {other.id}
    assert {event["merchant"] for event in other.get("/v1/events")["data"]} == {other.id}
    assert len(site.get("/v1/issuances", caller="auditor")["data"]) > 0


def test_another_merchants_member_cannot_be_used(site: Site, fuel: Party, affairs: dict[str, str]) -> None:
    other = site.merchant("Member thief", program="THIEF")
    member = affairs["member"].rpartition("/")[2]
    body = {"program": "THIEF", "member": member, "points": 1}
    other.refused("/v1/issuances", body, "unknown_member", 404)
    assert site.call("GET", "/v1/members/external:private-7", caller=other.id).status_code == 404


def test_only_its_parties_sign_an_agreement(site: Site, fuel: Party, cine: Party) -> None:
    other = site.merchant("Forger", program="FORGE")
    proposal = fuel.post("/v1/agreements", terms(fuel, cine, rate_num=1, rate_den=2))["id"]
    other.refused(f"/v1/agreements/{proposal}/signatures", {}, "unknown_agreement", 404)
