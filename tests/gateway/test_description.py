"""The API's description: complete, valid, and readable without the internet."""

from __future__ import annotations

import re
from typing import Any

import pytest

from gateway.http.auth import RULES
from tests.gateway.site import Site
from tests.gateway.test_privileged_acts import READS_ONLY


@pytest.fixture(scope="module")
def schema(site: Site) -> dict[str, Any]:
    document: dict[str, Any] = site.http.get("/openapi.json").json()
    return document


def _operations(schema: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method, path, operation)
        for path, operations in schema["paths"].items()
        for method, operation in operations.items()
    ]


def test_it_is_openapi_3_1(schema: dict[str, Any]) -> None:
    assert schema["openapi"].startswith("3.1")
    assert schema["components"]["securitySchemes"]["api_key"]["scheme"] == "bearer"


def test_every_operation_is_named_described_and_grouped(schema: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, _, operation in _operations(schema)]
    assert len(names) == len(set(names)) > 40
    for method, path, operation in _operations(schema):
        assert operation["description"], (method, path)
        assert operation["tags"], (method, path)


def test_every_operation_documents_its_problems(schema: dict[str, Any]) -> None:
    for method, path, operation in _operations(schema):
        if path in ("/healthz", "/readyz"):
            continue
        statuses = set(operation["responses"])
        assert {"401", "403", "422", "500", "503"} <= statuses, (method, path)
        rule = RULES[method.upper(), path]
        if (method.upper(), path) in READS_ONLY or (method != "get" and (rule.is_open or rule.of_oneself)):
            assert {"400", "413", "415"} <= statuses
            assert "Idempotency-Key" not in {parameter["name"] for parameter in operation.get("parameters", ())}
        elif method != "get":
            assert {"400", "409", "413", "415"} <= statuses, (method, path)
            parameters = {parameter["name"]: parameter for parameter in operation["parameters"]}
            needed = "dry_run" not in parameters  # a dry run has no effect, so it needs no key
            assert parameters["Idempotency-Key"]["required"] is needed, (method, path)
        for status, response in operation["responses"].items():
            if status >= "400":
                content = response["content"]["application/problem+json"]
                assert content["schema"] == {"$ref": "#/components/schemas/Problem"}


def test_every_reference_leads_somewhere(schema: dict[str, Any]) -> None:
    known = schema["components"]["schemas"]
    for name in re.findall(r'"#/components/schemas/([^"]+)"', str(schema).replace("'", '"')):
        assert name in known, name


def test_the_page_loads_nothing_from_the_internet(site: Site) -> None:
    page = site.http.get("/docs")
    assert page.status_code == 200
    links = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(links) >= 3
    for link in links:
        assert link.startswith("/"), link
        asset = site.http.get(link)
        assert asset.status_code == 200, link
        assert len(asset.content) > 1_000
