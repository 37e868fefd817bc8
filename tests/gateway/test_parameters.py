"""Parameters beside the body: unknown ones, repeated ones and cursors of another list are refused by name."""

from __future__ import annotations

import re
from typing import Any

import pytest

from clearing.parties.access.models import Role
from gateway.http.auth import RULES
from tests.gateway.site import Party, Site
from tests.gateway.staff import worker

LISTS = sorted(
    path
    for path in {path for method, path in RULES if method == "GET"}
    if not re.search(r"\{[a-z:_]+\}$", path)
    and path
    not in ("/v1/network", "/v1/events/stream", "/v1/operations", "/v1/rates", "/v1/attention", "/v1/sessions/issuers")
    and RULES["GET", path].roles >= {Role.MERCHANT}
    and not path.endswith(("/current", "/oidc", "/profile"))
    and not path.endswith(("/accounts", "/receipt", "/history", "/circulation", "/use"))
)
"""The paths of all lists that come in pages."""


@pytest.fixture(scope="module")
def admin(site: Site, fuel: Party) -> str:
    """The token of a person who may do what no key may."""
    return worker(site, "admin", fuel).token


def _errors(site: Site, path: str, caller: str, method: str = "GET", body: Any = None) -> list[dict[str, Any]]:
    response = site.call(method, path, body, caller=caller)
    assert (response.status_code, response.json()["code"]) == (422, "validation_failed"), (path, response.text)
    assert all(error["pointer"] == "" for error in response.json()["errors"]), response.text
    errors: list[dict[str, Any]] = response.json()["errors"]
    return errors


def test_an_unknown_parameter_is_refused_with_the_near_one(site: Site, fuel: Party) -> None:
    (error,) = _errors(site, "/v1/holds?stat=pending", fuel.id)
    assert error["parameter"] == "stat"
    assert error["detail"] == "is not a parameter of this request; did you mean state?"
    (error,) = _errors(site, "/v1/holds?colour=red", fuel.id)
    assert (
        error["detail"].endswith("it takes cursor, limit, member, program, reference, state")
        or "takes" in error["detail"]
    )
    (error,) = _errors(site, "/v1/network?verbose=1", fuel.id)
    assert error["detail"] == "is not a parameter of this request: it takes none"


def test_every_unknown_parameter_has_an_error_of_its_own(site: Site, fuel: Party) -> None:
    errors = _errors(site, "/v1/holds?stat=pending&curser=x", fuel.id)
    assert [error["parameter"] for error in errors] == ["stat", "curser"]


def test_a_mutation_refuses_them_too(site: Site, fuel: Party) -> None:
    body = {"program": "FUEL", "member": "external:x", "points": 1}
    (error,) = _errors(site, "/v1/issuances?dryrun=true", fuel.id, "POST", body)
    assert error["parameter"] == "dryrun"


def test_a_parameter_counts_once(site: Site, fuel: Party) -> None:
    (error,) = _errors(site, "/v1/holds?limit=1&limit=2", fuel.id)
    assert error == {"pointer": "", "parameter": "limit", "detail": "is there more than once; give it once"}


@pytest.mark.parametrize(("method", "path"), sorted(RULES))
def test_every_route_refuses_unknown_parameters(site: Site, fuel: Party, admin: str, method: str, path: str) -> None:
    filled = re.sub(r"\{[a-z_]+(:path)?\}", "x", path)
    callers = [caller for caller in (fuel.id, "operator", "treasury") if _may(site, method, path, caller, fuel)]
    caller = admin if callers[0] == fuel.id and RULES[method, path].people_of else callers[0]
    (error,) = _errors(site, f"{filled}?zzzz=1", caller, method, {} if method in ("POST", "PATCH") else None)
    assert error["parameter"] == "zzzz"


def _may(site: Site, method: str, path: str, caller: str, fuel: Party) -> bool:
    return ("merchant" if caller == fuel.id else caller) in {str(role) for role in RULES[method, path].roles}


@pytest.mark.parametrize("cursor", ["nonsense", "zzz_01k0g4m5v6a7b8c9d0e1f2g3h4", "%00", "-1", "x" * 80])
@pytest.mark.parametrize("path", LISTS)
def test_every_list_refuses_a_cursor_that_is_not_its_own(
    site: Site, fuel: Party, admin: str, path: str, cursor: str
) -> None:
    member = fuel.member()
    endpoint = (
        fuel.post("/v1/webhook_endpoints", {"url": "https://partner.example/hook"})["id"] if "endpoint" in path else ""
    )
    filled = path.replace("{member}", member).replace("{program}", "FUEL").replace("{endpoint}", endpoint)
    errors = _errors(site, f"{filled}?cursor={cursor}", admin if RULES["GET", path].people_of else fuel.id)
    assert [(error["parameter"], "is not a `next_cursor` of this list" in error["detail"]) for error in errors] == [
        ("cursor", True)
    ]
    if endpoint:
        site.call("DELETE", f"/v1/webhook_endpoints/{endpoint}", caller=fuel.id)


@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        ("/v1/holds?limit=0", "limit"),
        ("/v1/holds?state=lost", "state"),
        ("/v1/holds?member=7", "member"),
        ("/v1/holds?program=fuel", "program"),
        ("/v1/entries/0x12", "leaf"),
    ],
)
def test_a_wrong_value_names_its_parameter(site: Site, fuel: Party, path: str, parameter: str) -> None:
    (error,) = _errors(site, path, fuel.id)
    assert error["parameter"] == parameter


@pytest.mark.parametrize(
    ("path", "field", "value", "says"),
    [
        (
            "/v1/issuances",
            "program",
            "fuel",
            "must be a program's code of 2 to 12 capital letters and digits, such as FUEL",
        ),
        ("/v1/issuances", "member", "8620017", "or `external:` and your own number for the customer"),
        ("/v1/issuances", "ref", "0x12", "must be 32 bytes of hex: 0x and 64 digits"),
        ("/v1/exchanges", "agreement", "agr_1", "must be an agreement's id: agr_ and 26 small letters and digits"),
        ("/v1/exchanges", "quote", "agr_01k0g4m5v6a7b8c9d0e1f2g3h4", "must be a quote's id: quo_"),
        ("/v1/issuances", "program", 5, "must be text in quotes; this is 5"),
    ],
)
def test_ids_and_codes_are_explained_in_words(fuel: Party, path: str, field: str, value: Any, says: str) -> None:
    body = {"program": "FUEL", "member": "external:x", "points": 1, field: value}
    if path == "/v1/exchanges":
        del body["program"]
    (error,) = fuel.refused(path, body, "validation_failed")["errors"]
    assert error["pointer"] == f"/{field}"
    assert says in error["detail"]
    assert "^" not in error["detail"]
