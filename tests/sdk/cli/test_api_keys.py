"""api-keys, against a real gateway."""

from __future__ import annotations

import pytest

from tests.gateway.site import Site
from tests.sdk.cli.conftest import Terminal


def test_a_key_is_made_listed_and_revoked(own: Terminal) -> None:
    limits = ("--expires", "2099-01-31", "--network", "127.0.0.0/8", "--network", "2001:db8::/32")
    made = own.good("api-keys", "create", "till 3", "--scope", "redeem", "--scope", "read", *limits, "--json").json
    assert made["secret"].startswith("tdk_")
    assert (made["name"], made["scopes"], made["expires_at"]) == ("till 3", ["read", "redeem"], "2099-01-31T00:00:00Z")
    assert made["networks"] == ["127.0.0.0/8", "2001:db8::/32"]
    listed = own.good("api-keys", "list", "--created-by", made["parent"]).out.splitlines()
    assert [line.split()[0] for line in listed] == ["key", made["id"]]
    assert "until 2099-01-31 00:00 UTC" in listed[1]
    ended = own.good("api-keys", "revoke", made["id"]).out
    assert "revoked at" in ended
    assert "revoked" in own.good("api-keys", "list", "--limit", "1").out


def test_a_secret_is_printed_once(own: Terminal) -> None:
    first = own.good("api-keys", "create", "till 4", "--scope", "read", "--idempotency-key", "once").out
    again = own.good("api-keys", "create", "till 4", "--scope", "read", "--idempotency-key", "once").out
    assert first.startswith("tdk_")
    assert "its secret is not shown again" in again


def test_what_is_wrong_names_the_field(own: Terminal) -> None:
    refused = own("api-keys", "create", "till 5", "--scope", "read", "--network", "10.0.0.1/8")
    assert (refused.code, refused.out) == (2, "")
    assert "/networks/0: has bits behind its prefix: did you mean 10.0.0.0/8?" in refused.err


def test_a_key_of_the_operator_is_asked_for(own: Terminal, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TONGDUI_API_KEY", site.keys["operator"])
    refused = own("api-keys", "create", "books", "--role", "operator")
    assert refused.code == 2
    assert "--reason" in refused.err
    asked = own.good("api-keys", "create", "books", "--role", "operator", "--reason", "the night shift", "--json").json
    assert (asked["kind"], asked["state"], asked["secret"][:4]) == ("api_key", "requested", "tdk_")
    made = own.good("api-keys", "create", "reader", "--role", "auditor", "--json").json
    assert made["role"] == "auditor"
