"""Paths and methods: what a path takes, and where one with a slash at its end leads."""

from __future__ import annotations

import pytest

from tests.gateway.site import Party, Site


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        ("/v1/holds", "GET, HEAD, OPTIONS, POST"),
        ("/v1/webhook_endpoints/whe_x", "DELETE, GET, HEAD, OPTIONS, PATCH"),
        ("/v1/quotes", "OPTIONS, POST"),
        ("/healthz", "GET, HEAD, OPTIONS"),
        ("/docs", "GET, HEAD, OPTIONS"),
        ("/openapi.json", "GET, HEAD, OPTIONS"),
    ],
)
def test_allow_lists_every_method_of_the_path(site: Site, path: str, allow: str) -> None:
    refused = site.call("PUT", path, {})
    assert (refused.status_code, refused.headers["Allow"]) == (405, allow)
    assert refused.json()["detail"] == f"{path} does not take PUT; it takes {allow}"
    options = site.http.options(path)
    assert (options.status_code, options.headers["Allow"], options.content) == (204, allow, b"")


def test_a_head_is_a_get_without_its_body(site: Site) -> None:
    head, get = site.call("HEAD", "/v1/merchants"), site.call("GET", "/v1/merchants")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == get.headers["content-length"]
    assert site.http.head("/v1/merchants").status_code == 401
    assert site.call("HEAD", "/v1/quotes").status_code == 405
    stream = site.call("HEAD", "/v1/events/stream")
    assert (stream.status_code, stream.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")


@pytest.mark.parametrize("path", ["/v1/members/", "/v1/holds/", "/v1/holds/hld_x/capture/", "/healthz/", "/docs/"])
def test_a_slash_at_the_end_redirects(site: Site, path: str) -> None:
    response = site.http.get(f"{path}?a=1")
    assert response.status_code == 308
    assert response.headers["Location"] == f"{path[:-1]}?a=1"
    assert response.headers["Request-Id"]


def test_a_redirected_mutation_keeps_its_method_and_body(site: Site, fuel: Party) -> None:
    headers = {"Authorization": f"Bearer {site.keys[fuel.id]}", "Idempotency-Key": "slash"}
    response = site.http.post("/v1/members/", json={"external_id": "slash"}, headers=headers, follow_redirects=True)
    assert response.status_code == 201, response.text
    assert [step.status_code for step in response.history] == [308]


def test_a_slash_at_the_end_of_nothing_says_so(site: Site) -> None:
    response = site.call("GET", "/v1/nothing/")
    assert response.status_code == 404
    assert response.json()["detail"] == "there is nothing at /v1/nothing/, with or without the slash at its end"


def test_a_slash_inside_a_customers_number_ends_no_path(site: Site, fuel: Party) -> None:
    response = site.call("GET", "/v1/members/external:a%2F", caller=fuel.id)
    assert response.status_code == 404
    assert "external:a/" in response.json()["detail"]
