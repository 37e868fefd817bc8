"""The description's examples can be sent as they stand, its file is current, and it has every event."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clearing.ordering.orders.models import OrderState
from clearing.parties.access.models import Role
from gateway.api.events.catalogue import EVENT_TYPES
from gateway.api.examples import ACCEPTOR, AGREEMENT, BODIES, ENDPOINT, HOLD, MEMBER, MERCHANT, PATHS, RECIPIENT
from gateway.http.auth import RULES
from scripts.dev import openapi
from tests.gateway.site import Party, Site, agree, terms
from tests.gateway.staff import worker
from tests.support.recorded_events import recorded_types

ROOT = Path(__file__).resolve().parents[2]

REFUSED = {
    ("POST", "/v1/expirations"): "not_expired",  # nothing has expired in a new network
    ("POST", "/v1/merges/{merge}/transfers"): "not_found",  # the merge has the id that it was given
    ("POST", "/v1/members/{member}/erase"): "holds_open",  # the example of a hold has just made one
    ("POST", "/v1/member_codes/lookup"): "member_code_invalid",  # codes are random
    ("POST", "/v1/sessions"): "wrong_credentials",  # nobody has this address
    ("POST", "/v1/sessions/oidc"): "no_oidc",
    ("POST", "/v1/sessions/current/seat"): "unknown_seat",  # the seat has the id that it was given
    ("POST", "/v1/profile/totp/confirm"): "wrong_one_time_code",  # codes are random
    ("POST", "/v1/profile/recovery_codes"): "second_factor_missing",  # the code before was none
    ("PATCH", "/v1/staff/seats/{seat}"): "not_found",
    ("POST", "/v1/invitations/lookup"): "invitation_unknown",
    ("POST", "/v1/invitations/accept"): "invitation_unknown",
    ("POST", "/v1/invitations/redeem"): "invitation_unknown",
    ("POST", "/v1/staff/{person}/enable"): "not_found",
    ("POST", "/v1/password_resets"): "no_mail",
    ("POST", "/v1/password_resets/perform"): "reset_unknown",
}
"""What the state of the example's network does not allow, and why."""

LATE = [
    ("POST", "/v1/agreements/{agreement}/termination"),
    ("POST", "/v1/members/{member}/freeze"),
    ("POST", "/v1/members/{member}/erase"),
    ("POST", "/v1/profile/password"),
]
"""What is sent last, because it ends what the others use."""


@pytest.fixture(scope="module")
def peopled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Party]]:
    """A network with what the examples name: merchants, an agreement that waits for a signature, a hold, an endpoint."""
    directory = tmp_path_factory.mktemp("examples")
    with Site(f"sqlite:///{directory / 'tongdui.db'}", directory) as site:
        fuel, cine = site.merchant("fuel", program="FUEL"), site.merchant("cine", program="CINE")
        wash = site.merchant("wash")
        agree(cine, fuel, rate_num=1, rate_den=100)
        accepted = {"kind": "acceptance", "target_program": None, "target_merchant": wash.id}
        acceptance = fuel.post("/v1/agreements", terms(fuel, wash, **accepted, rate_num=1, rate_den=1))
        wash.post(f"/v1/agreements/{acceptance['id']}/signatures", {})
        member = fuel.member(MEMBER.removeprefix("external:"))
        site.give(member, "FUEL", 10**6)
        for number in (RECIPIENT.removeprefix("external:"), "8620020", "8620021"):
            fuel.member(number)
        proposed = cine.post("/v1/agreements", terms(fuel, cine))["id"]
        hold = fuel.post("/v1/holds", {"program": "FUEL", "member": MEMBER, "points": 600})["id"]
        endpoint = fuel.post("/v1/webhook_endpoints", {"url": "https://partner.example/first"})["id"]
        site.book("deposit", fuel.id, 10**9, "first")
        site.confirm()
        sold = fuel.post(
            "/v1/redemptions", {"program": "FUEL", "member": MEMBER, "points": 95, "reference": "sale-0001"}
        )
        site.finish(sold["order"], OrderState.SETTLED)
        limit = {"credit_limit_micros": 10**9, "reason": "a guarantee"}
        asked = site.post(f"/v1/merchants/{wash.id}/credit_limit", limit)["id"]
        renamed = [
            ("approvals", asked, PATHS["approval"]),
            ("merchants", fuel.id, MERCHANT),
            ("merchants", wash.id, ACCEPTOR),
            ("agreements", proposed, AGREEMENT),
        ]
        renamed += [("holds", hold, HOLD), ("webhook_endpoints", endpoint, ENDPOINT)]
        with site.database.session.begin() as session:
            connection = session.connection()
            connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
            for table, old, new in renamed:
                connection.exec_driver_sql(f"UPDATE {table} SET id = '{new}' WHERE id = '{old}'")
        site.keys["merchant"] = site.keys[fuel.id]
        site.keys["person"] = worker(site, "admin", Party(site, {**vars(fuel), "id": MERCHANT}, "FUEL")).token
        yield site, fuel


@pytest.fixture(scope="module")
def schema(peopled: tuple[Site, Party]) -> dict[str, Any]:
    document: dict[str, Any] = peopled[0].http.get("/openapi.json").json()
    return document


def _path(path: str) -> str:
    return re.sub(r"\{([a-z_]+)(?::path)?\}", lambda found: PATHS.get(found[1], "x"), path)


def test_every_example_can_be_sent_as_it_stands(peopled: tuple[Site, Party], schema: dict[str, Any]) -> None:
    site, _ = peopled
    first = ("POST", "/v1/agreements/{agreement}/signatures")
    for method, path in [first, *(key for key in BODIES if key not in (first, *LATE)), *LATE]:
        example = schema["paths"][path][method.lower()]["requestBody"]["content"]["application/json"]["example"]
        roles = RULES[method, path].roles
        caller = next(str(role) for role in (Role.MERCHANT, Role.TREASURY, Role.OPERATOR) if role in roles)
        caller = "person" if Role.MERCHANT in RULES[method, path].people_of else caller
        response = site.call(method, _path(path), example, caller=caller)
        code = REFUSED.get((method, path))
        if code is None:
            assert response.status_code in (200, 201, 202), (path, response.text)
        else:
            assert response.json()["code"] == code, response.text
        site.confirm()


def test_every_operation_with_a_body_has_an_example(schema: dict[str, Any]) -> None:
    lacking = [
        (method, path)
        for path, operations in schema["paths"].items()
        for method, operation in operations.items()
        if "requestBody" in operation and "example" not in operation["requestBody"]["content"]["application/json"]
    ]
    assert lacking == []


def test_every_operation_has_a_title_and_a_described_tag(schema: dict[str, Any]) -> None:
    described = {tag["name"]: tag["description"] for tag in schema["tags"]}
    for path, operations in schema["paths"].items():
        for operation in operations.values():
            assert re.fullmatch(r"[A-Z][A-Za-z ]+", operation["summary"]), path
            assert all(described.get(tag) for tag in operation["tags"]), (path, operation["tags"])
    for name, described_schema in schema["components"]["schemas"].items():
        assert not re.search(r"[_\[\]]|View", described_schema["title"]), name


def test_it_says_where_and_under_which_licence(schema: dict[str, Any]) -> None:
    assert schema["servers"][0]["url"] == "/"
    assert schema["info"]["license"]["identifier"] == "Apache-2.0"


def test_every_event_has_a_webhook(schema: dict[str, Any]) -> None:
    assert set(schema["webhooks"]) == set(EVENT_TYPES)
    for name, operations in schema["webhooks"].items():
        body = operations["post"]["requestBody"]["content"]["application/json"]["schema"]
        assert body["allOf"][1]["properties"]["type"] == {"const": name}
        data = body["allOf"][1]["properties"]["data"]["$ref"].rpartition("/")[2]
        assert data in schema["components"]["schemas"]


def test_the_catalogue_has_exactly_the_events_that_the_sources_record_for_merchants() -> None:
    assert recorded_types(for_merchants=True) == set(EVENT_TYPES)


def test_the_committed_description_is_current() -> None:
    assert openapi.FILE.read_text(encoding="utf-8") == openapi.description(), "run `make openapi`"
