"""Large integers are exact in every client: those whose numbers are doubles ask for text."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from clearing.kit.fields import MAX_SAFE
from gateway.http.integers import MEDIA_TYPE, is_wanted
from tests.gateway.site import Party, Site

ACCEPT = {"Accept": MEDIA_TYPE}
READ = """
const [url, key, accept] = process.argv.slice(1);
const headers = { Authorization: `Bearer ${key}`, Accept: accept };
const page = await (await fetch(url, { headers })).json();
console.log(page.data.reduce((sum, account) => sum + BigInt(account.posted), 0n).toString());
"""
"""What a JavaScript client does: it adds up a member's accounts."""


def read_by_javascript(site: Site, fuel: Party, path: str, accept: str) -> int:
    command = ["node", "--input-type=module", "-e", READ, f"{site.http.base_url}{path}", site.keys[fuel.id], accept]
    return int(subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout)


def test_a_javascript_client_reads_two_largest_issuances_exactly(site: Site, fuel: Party) -> None:
    member = fuel.member()
    for _ in range(2):
        fuel.post("/v1/issuances", {"program": "FUEL", "member": member, "points": MAX_SAFE})
        site.give(member, "FUEL", MAX_SAFE)
    site.give(member, "FUEL", 1)
    path = f"/v1/members/{member}/accounts"
    assert fuel.get(path)["data"][0]["posted"] == 2 * MAX_SAFE + 1
    assert read_by_javascript(site, fuel, path, MEDIA_TYPE) == 2 * MAX_SAFE + 1
    assert read_by_javascript(site, fuel, path, "application/json") == 2 * MAX_SAFE + 2, "a double is off by one"


def without_integers(value: Any) -> bool:
    if isinstance(value, dict):
        return all(without_integers(inner) for inner in value.values())
    if isinstance(value, list):
        return all(map(without_integers, value))
    return isinstance(value, (str, bool)) or value is None


def test_every_integer_is_text_and_nothing_else_changes(site: Site, fuel: Party, member: str) -> None:
    for path in ("/v1/network", "/v1/merchants", "/v1/events", f"/v1/members/{member}/accounts", "/v1/movements"):
        plain = site.call("GET", path, caller=fuel.id)
        exact = site.call("GET", path, caller=fuel.id, headers=ACCEPT)
        assert (exact.status_code, exact.headers["content-type"], exact.headers["vary"]) == (200, MEDIA_TYPE, "Accept")
        assert without_integers(exact.json())
        assert json.loads(plain.text, parse_int=str) == exact.json(), path


def test_mutations_answer_in_the_same_form_and_metadata_stay(site: Site, fuel: Party, member: str) -> None:
    body = {
        "program": "FUEL",
        "member": member,
        "points": MAX_SAFE,
        "metadata": {"litres": 32, "large": 2**70, "half": 0.5},
    }
    first = site.call("POST", "/v1/issuances", body, caller=fuel.id, key="as-text", headers=ACCEPT)
    assert first.status_code == 202
    assert first.headers["location"].startswith("/v1/issuances/")
    assert first.json()["points"] == str(MAX_SAFE)
    assert first.json()["metadata"] == body["metadata"]
    again = site.call("POST", "/v1/issuances", body, caller=fuel.id, key="as-text", headers=ACCEPT)
    assert (again.json(), again.headers["idempotent-replayed"]) == (first.json(), "true")
    assert site.call("POST", "/v1/issuances", body, caller=fuel.id, key="as-text").json()["points"] == MAX_SAFE


def test_problems_and_tables_stay_as_they_are(site: Site, fuel: Party) -> None:
    refused = site.call("GET", "/v1/members/external:nobody", caller=fuel.id, headers=ACCEPT)
    assert (refused.status_code, refused.json()["status"]) == (404, 404)
    table = site.call("GET", "/v1/statements", caller=fuel.id, headers={"Accept": "text/csv"})
    assert table.headers["content-type"].startswith("text/csv")


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("application/json;IEEE754Compatible=true", True),
        ("text/csv;q=0.5, application/json; ieee754compatible=TRUE ; q=0.9", True),
        ("application/json", False),
        ("application/json;IEEE754Compatible=false", False),
        ("text/csv;IEEE754Compatible=true", False),
        ("*/*", False),
        ("", False),
    ],
)
def test_the_parameter_is_read_as_in_odata(accept: str, wanted: bool) -> None:
    assert is_wanted(accept) is wanted
