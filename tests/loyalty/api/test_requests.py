"""The life of a request: one effect, one answer, and a problem document for whatever is wrong."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi.testclient import TestClient

from loyalty.app import create_app
from loyalty.http.rules import LOOKING_POSTS, RULES
from loyalty.kit.database import Database
from loyalty.staff.models import Role
from tests.loyalty.http_calls import Api

NEW = {"name": "till 3", "role": "cashier"}


def problem(answer) -> str:  # type: ignore[no-untyped-def]
    """The code of a problem document."""
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document["status"] == answer.status_code
    assert document["type"] == f"urn:tongdui:loyalty:problem:{document['code']}"
    assert document["title"]
    assert document["detail"]
    return str(document["code"])


def test_a_request_sent_twice_has_one_effect_and_hides_the_secret(api: Api) -> None:
    first = api.post("/v1/keys", NEW, key="same")
    again = api.post("/v1/keys", NEW, key="same")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json() == {**first.json(), "secret": None}
    assert first.json()["secret"].startswith("tdl_")
    assert len([key for key in api.get("/v1/keys").json()["data"] if key["name"] == "till 3"]) == 1


def test_ten_at_once_have_one_effect(api: Api) -> None:
    with ThreadPoolExecutor(10) as pool:
        answers = [*pool.map(lambda _: api.post("/v1/keys", NEW, key="same"), range(10))]
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1


def test_a_key_used_for_something_else_is_refused(api: Api) -> None:
    api.post("/v1/keys", NEW, key="same")
    answer = api.post("/v1/keys", {**NEW, "role": "auditor"}, key="same")
    assert (answer.status_code, problem(answer)) == (422, "idempotency_key_reused")


@pytest.mark.parametrize(("key", "code"), [(None, "idempotency_key_missing"), ("a b", "idempotency_key_invalid")])
def test_a_change_needs_a_good_key(api: Api, key: str | None, code: str) -> None:
    answer = api.post("/v1/keys", NEW, key=key)
    assert (answer.status_code, problem(answer)) == (422, code)
    assert answer.json()["errors"][0]["parameter"] == "Idempotency-Key"


def test_what_was_refused_is_judged_again(api: Api) -> None:
    assert problem(api.post("/v1/keys", {"name": "", "role": "cashier"}, key="same")) == "validation_failed"
    assert api.post("/v1/keys", NEW, key="same").status_code == 201


def test_a_wrong_field_is_pointed_at(api: Api) -> None:
    answer = api.post("/v1/keys", {"name": "x", "role": "king", "colour": "red"})
    assert (answer.status_code, problem(answer)) == (422, "validation_failed")
    assert {error["pointer"] for error in answer.json()["errors"]} == {"/role", "/colour"}
    answer = api.get("/v1/wishes", limit=0)
    assert problem(answer) == "validation_failed"
    assert [error["parameter"] for error in answer.json()["errors"]] == ["limit"]


def test_other_refusals_are_problem_documents(api: Api) -> None:
    assert problem(api.get("/v1/nothing")) == "not_found"
    assert problem(api.post("/v1/wishes")) == "method_not_allowed"
    assert problem(api.get("/v1/wishes/wsh_x")) == "unknown_wish"
    assert problem(api.post("/v1/keys", {"name": "x" * 2_000_000, "role": "cashier"})) == "request_too_large"
    unauthenticated = api.get("/v1/wishes", None)
    assert (problem(unauthenticated), unauthenticated.headers["www-authenticate"]) == ("unauthenticated", "Bearer")
    assert problem(api.get("/v1/keys", Role.CASHIER)) == "forbidden"


def test_a_failure_of_ours_is_a_problem_document_and_changes_nothing(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr("loyalty.staff.service.AuditLog.note", broken)
        answer = api.post("/v1/keys", NEW)
    assert (answer.status_code, problem(answer)) == (500, "internal_error")
    assert len(api.get("/v1/keys").json()["data"]) == len(Role)


def test_a_revoked_key_is_good_for_nothing_and_the_last_manager_stays(api: Api) -> None:
    key = api.post("/v1/keys", {"name": "a second manager", "role": "manager"}).json()
    mine = next(key for key in api.get("/v1/keys").json()["data"] if key["name"] == "the manager")
    assert api.post(f"/v1/keys/{key['id']}/revoke", {"reason": "has left"}).json()["revoked_at"]
    client = TestClient(create_app(api.database))
    assert client.get("/v1/keys", headers={"Authorization": f"Bearer {key['secret']}"}).status_code == 401
    assert problem(api.post(f"/v1/keys/{mine['id']}/revoke", {"reason": "has left"})) == "last_manager"
    assert problem(api.post("/v1/keys/key_x/revoke", {"reason": "has left"})) == "unknown_key"


def test_the_audit_log_says_who_did_what(api: Api) -> None:
    key = api.post("/v1/keys", NEW).json()
    api.post(f"/v1/keys/{key['id']}/revoke", {"reason": "the till was stolen"})
    revoked, added = api.get("/v1/audit-log", Role.AUDITOR, subject=key["id"]).json()["data"]
    mine = next(one["id"] for one in api.get("/v1/keys").json()["data"] if one["name"] == "the manager")
    assert (added["action"], added["actor"], added["after"]) == ("key.added", mine, NEW)
    assert (revoked["action"], revoked["reason"]) == ("key.revoked", "the till was stolen")
    assert (revoked["before"], revoked["after"]) == ({"revoked": False}, {"revoked": True})
    assert key["secret"] not in json.dumps([added, revoked])


def test_a_list_comes_in_pages(api: Api) -> None:
    seen, cursor = [], None
    while True:
        page = api.get("/v1/keys", limit=2, **({"cursor": cursor} if cursor else {})).json()
        seen += [key["id"] for key in page["data"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == sorted(seen, reverse=True)
    assert len(set(seen)) == len(Role)


def test_health_and_metrics(api: Api) -> None:
    assert api.get("/healthz", None).json() == {"status": "ok"}
    assert api.get("/readyz", None).json() == {"status": "ok"}
    text = api.get("/metrics", None).text
    assert 'loyalty_wishes{state="waiting"} 0.0' in text
    assert 'loyalty_requests_total{method="GET",route="/healthz",status="200"} 1.0' in text


def test_a_database_without_tables_is_not_ready(tmp_path) -> None:  # type: ignore[no-untyped-def]
    client = TestClient(create_app(Database(f"sqlite:///{tmp_path / 'bare.db'}")))
    answer = client.get("/readyz")
    assert (answer.status_code, problem(answer), answer.headers["retry-after"]) == (503, "not_migrated", "1")


def test_the_description_says_who_may_call_what(api: Api) -> None:
    document = api.get("/openapi.json", None).json()
    assert document["openapi"].startswith("3.1")
    for (method, path), roles in RULES.items():
        if path == "/openapi.json":
            continue
        operation = document["paths"][path][method.lower()]
        assert operation.get("x-roles", []) == sorted(role.value for role in roles)
        changes = method == "POST" and (method, path) not in LOOKING_POSTS
        assert ("Idempotency-Key" in json.dumps(operation.get("parameters", []))) is changes
