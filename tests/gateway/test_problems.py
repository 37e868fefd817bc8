"""Whatever is wrong with a request, the response is a problem document that says where, and how to correct it."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from prometheus_client import REGISTRY
from sqlalchemy.exc import OperationalError

from clearing.kit.catalogue import CATALOGUE, page_of
from clearing.parties.agreements.repository import AgreementRepository
from tests.gateway.site import LOG, Party, Site, logged, terms, until

MEMBERS = {"type", "title", "status", "detail", "code", "request_id", "errors"}


def _raw(site: Site, caller: str, path: str, content: bytes, content_type: str = "application/json") -> httpx.Response:
    headers = {
        "Authorization": f"Bearer {site.keys[caller]}",
        "Idempotency-Key": "raw",
        "Content-Type": content_type,
    }
    return site.http.post(path, content=content, headers=headers)


def _problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert response.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert set(problem) == MEMBERS
    assert (response.status_code, problem["status"], problem["code"]) == (status, status, code), problem
    assert problem["type"] == "/problems/" + code.replace("_", "-")
    assert problem["request_id"] == response.headers["Request-Id"]
    return problem


def test_an_unknown_path(site: Site) -> None:
    before = _refused("not_found")
    _problem(site.call("GET", "/v1/nothing"), 404, "not_found")
    _problem(site.http.get("/nothing"), 404, "not_found")
    assert _refused("not_found") == before + 2, "each refusal is counted by its code"


def _refused(code: str) -> float:
    return REGISTRY.get_sample_value("tongdui_requests_refused_total", {"code": code}) or 0.0


def test_a_method_that_a_path_does_not_take(site: Site) -> None:
    response = site.call("PUT", "/v1/merchants", {})
    _problem(response, 405, "method_not_allowed")
    assert response.headers["Allow"] == "GET, HEAD, OPTIONS, POST"


def test_the_request_id_is_the_callers_if_it_is_sane(site: Site) -> None:
    ours = site.http.get("/v1/network", headers={"Request-Id": "till-17.receipt-4"})
    assert _problem(ours, 401, "unauthenticated")["request_id"] == "till-17.receipt-4"
    for bad in ("short", "x" * 65, "with space", 'quote"quote'):
        response = site.http.get("/v1/network", headers={"Request-Id": bad})
        assert response.headers["Request-Id"].startswith("req_")


@pytest.mark.parametrize(
    ("points", "says"),
    [
        ("1.5", "whole number without quotes, point or exponent, such as 25; this is 1.5"),
        ("10.0", "whole number"),
        ("1e3", "whole number"),
        ('"25"', 'this is "25"'),
        ("true", "this is true"),
        ("null", "this is null"),
        ("[1]", "whole number"),
        ("NaN", "whole number"),
        ("Infinity", "whole number"),
        ("0", "greater than or equal to 1"),
        ("-5", "greater than or equal to 1"),
        ("9007199254740992", "less than or equal to 9007199254740991"),
        ("1" + "0" * 400, "less than or equal to"),
    ],
)
def test_points_are_whole_and_positive_and_safe(site: Site, fuel: Party, points: str, says: str) -> None:
    body = f'{{"program": "FUEL", "member": "external:x", "points": {points}}}'.encode()
    problem = _problem(_raw(site, fuel.id, "/v1/issuances", body), 422, "validation_failed")
    (error,) = problem["errors"]
    assert error["pointer"] == "/points"
    assert says in error["detail"]
    assert problem["detail"].startswith("points: ")


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"program": "fuel"}, "/program"),
        ({"program": 1}, "/program"),
        ({"program": None}, "/program"),
        ({"member": "7"}, "/member"),
        ({"member": "external:"}, "/member"),
        ({"member": "external:a\x00"}, "/member"),
        ({"member": "external:" + "x" * 129}, "/member"),
        ({"reference": ""}, "/reference"),
        ({"reference": "x" * 141}, "/reference"),
        ({"reference": "tab\t"}, "/reference"),
        ({"reference": " padded"}, "/reference"),
        ({"reference": "\ud800"}, "/reference"),
        ({"ref": "0x12"}, "/ref"),
        ({"expires_on": "2030-02-30"}, "/expires_on"),
        ({"expires_on": "2030-1-1"}, "/expires_on"),
        ({"expires_on": 20300101}, "/expires_on"),
        ({"expires_on": "2030-01-01T00:00:00Z"}, "/expires_on"),
        ({"exipres_on": "2030-01-01"}, "/exipres_on"),
        ({"a/b~c": 1}, "/a~1b~0c"),
        ({"authorization": {"nonce": -1, "deadline": 1, "signature": "0x" + "0" * 128}}, "/authorization/nonce"),
        ({"authorization": {"nonce": 1, "deadline": 1, "signature": "0x00"}}, "/authorization/signature"),
        ({"authorization": {"nonce": 1, "deadline": 1}}, "/authorization/signature"),
        ({"authorization": "0x"}, "/authorization"),
    ],
)
def test_the_pointer_names_the_field(fuel: Party, fields: dict[str, Any], pointer: str) -> None:
    body = {"program": "FUEL", "member": "external:x", "points": 1, **fields}
    problem = fuel.refused("/v1/issuances", body, "validation_failed")
    assert [error["pointer"] for error in problem["errors"]] == [pointer]


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_moment_that_has_no_year_in_utc(site: Site, fuel: Party, moment: str) -> None:
    cine = site.merchant(program=f"YEAR{moment[0]}")
    problem = fuel.refused("/v1/agreements", terms(fuel, cine, valid_until=moment), "validation_failed")
    assert [error["pointer"] for error in problem["errors"]] == ["/valid_until"]


def test_a_missing_field(fuel: Party) -> None:
    problem = fuel.refused("/v1/issuances", {"program": "FUEL"}, "validation_failed")
    found = {error["pointer"]: error["detail"] for error in problem["errors"]}
    assert found == {"/member": "is missing", "/points": "is missing"}


def test_the_pointer_into_a_bulk_order(fuel: Party) -> None:
    good = {"kind": "issue", "program": "FUEL", "member": "external:x", "points": 1}
    items: list[Any] = [good, {**good, "points": 0.5}, {**good, "kind": "steal"}, {"kind": "redeem"}, "issue"]
    problem = fuel.refused("/v1/orders", {"instructions": items}, "validation_failed")
    assert [error["pointer"] for error in problem["errors"]] == [
        "/instructions/1/points",
        "/instructions/2",
        "/instructions/3/points",
        "/instructions/3/member",
        "/instructions/3/program",
        "/instructions/4",
    ]
    many = fuel.refused("/v1/orders", {"instructions": [good] * 501}, "validation_failed")
    assert many["errors"][0]["pointer"] == "/instructions"
    fuel.refused("/v1/orders", {"instructions": []}, "validation_failed")


def test_rules_point_into_the_body_too(site: Site, fuel: Party) -> None:
    member = fuel.member()
    items = [
        {"kind": "issue", "program": "FUEL", "member": member, "points": 1},
        {"kind": "redeem", "program": "FUEL", "member": "external:ghost", "points": 1},
    ]
    problem = fuel.refused("/v1/orders", {"instructions": items}, "unknown_member", 404)
    assert problem["errors"][0]["pointer"] == "/instructions/1/member"
    body = {"source_program": "GHOST", "target_program": "FUEL", "member": member, "points": 1}
    problem = fuel.refused("/v1/exchanges", body, "unknown_program", 404)
    assert problem["errors"][0]["pointer"] == "/source_program"


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b'"text"', b"\xff\xfe", b'{"points": 1' + b"1" * 5_000 + b"}", b"[" * 100_000],
)
def test_a_body_that_is_not_an_object(site: Site, fuel: Party, content: bytes) -> None:
    response = _raw(site, fuel.id, "/v1/issuances", content)
    assert response.status_code in (400, 422), response.text
    _problem(response, response.status_code, response.json()["code"])


def test_a_body_that_is_not_json(site: Site, fuel: Party) -> None:
    _problem(_raw(site, fuel.id, "/v1/issuances", b"points=1", "text/plain"), 415, "unsupported_media_type")
    response = _raw(site, fuel.id, "/v1/issuances", b"points=1", "application/x-www-form-urlencoded")
    _problem(response, 415, "unsupported_media_type")


def test_a_body_that_is_too_large(site: Site, fuel: Party) -> None:
    huge = json.dumps({"program": "x" * 1_048_577}).encode()
    _problem(_raw(site, fuel.id, "/v1/issuances", huge), 413, "request_too_large")
    headers = {"Authorization": f"Bearer {site.keys[fuel.id]}", "Idempotency-Key": "chunks"}

    def chunks() -> Any:
        for _ in range(20):
            yield b" " * 100_000

    _problem(site.http.post("/v1/issuances", content=chunks(), headers=headers), 413, "request_too_large")


def test_a_missing_api_key_is_refused_before_anything_else(site: Site) -> None:
    _problem(site.http.post("/v1/issuances", content=b"{"), 401, "unauthenticated")


@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        ("/v1/entries?batch=x", "batch"),
        ("/v1/entries?batch=99999999999999999999", "batch"),
        ("/v1/issuances?state=lost", "state"),
        ("/v1/issuances?limit=201", "limit"),
        ("/v1/issuances?cursor=nonsense", "cursor"),
        ("/v1/events?type=%00", "type"),
        ("/v1/entries/0x12", "leaf"),
    ],
)
def test_a_wrong_parameter_is_named(site: Site, path: str, parameter: str) -> None:
    problem = _problem(site.call("GET", path), 422, "validation_failed")
    assert parameter in problem["detail"]


@pytest.mark.parametrize(
    "path", ["/v1/merchants/%00", "/v1/members/external:%00", "/v1/programs/%F0%9F", "/v1/orders/%00"]
)
def test_odd_characters_in_a_path_find_nothing(site: Site, fuel: Party, path: str) -> None:
    _problem(site.call("GET", path, caller=fuel.id), 404, "not_found")


def test_an_unexpected_error_is_logged_and_not_shown(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(*_: object, **__: object) -> None:
        raise RuntimeError("the password is hunter2")

    monkeypatch.setattr(AgreementRepository, "list", explode)
    response = site.call("GET", "/v1/agreements")
    problem = _problem(response, 500, "internal_error")
    assert "hunter2" not in response.text
    (fault,) = [
        line for line in logged() if line["event"] == "unexpected error" and line["request_id"] == problem["request_id"]
    ]
    assert "hunter2" in fault["exception"]


def test_the_log_has_no_secrets(site: Site, fuel: Party) -> None:
    registered = site.call("POST", "/v1/members", {"external_id": "passport-E1234567"}, caller=fuel.id)
    found = site.call("GET", "/v1/members/external:passport-E1234567", caller=fuel.id)
    body = {"program": "FUEL", "member": found.json()["id"], "points": 1}
    issued = site.call("POST", "/v1/issuances", body, caller=fuel.id)
    requests = {response.headers["Request-Id"] for response in (registered, found, issued)}
    until(lambda: requests <= {line["request_id"] for line in logged() if line["event"] == "request"})
    assert site.keys[fuel.id].split("_")[2] not in LOG.getvalue()
    assert "E1234567" not in LOG.getvalue()
    (access,) = [line for line in logged() if line.get("order") == issued.json()["order"]]
    assert (access["event"], access["route"], access["status"]) == ("request", "/v1/issuances", 202)
    assert {"request_id", "caller", "ms", "method"} <= set(access)


def test_a_busy_database_is_not_an_error(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: object, **__: object) -> None:
        raise OperationalError("SELECT secret", {}, Exception("database is locked"))

    monkeypatch.setattr(AgreementRepository, "list", busy)
    response = site.call("GET", "/v1/agreements")
    _problem(response, 503, "database_unavailable")
    assert response.headers["Retry-After"] == "1"
    assert "SELECT" not in response.text


def test_the_type_leads_to_a_page_that_says_what_to_do(site: Site, fuel: Party) -> None:
    response = site.call("GET", "/v1/holds/hld_x", caller=fuel.id)
    page = site.http.get(response.url.join(response.json()["type"]))
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "There is no such thing" in page.text
    assert "What to do" in page.text
    assert response.json()["title"] == "There is no such thing"


def test_every_code_has_a_page(site: Site) -> None:
    index = site.http.get("/problems").text
    for code in CATALOGUE:
        path = page_of(code)
        assert f'href="{path}"' in index
        assert f"<code>{code}</code>" in site.http.get(path).text
    assert site.http.get("/problems/nothing").status_code == 404
