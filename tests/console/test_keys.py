"""API keys in the console: their limits, who has made them, and what ends with them."""

from __future__ import annotations

from tests.console.sending import opened
from tests.console.site import Site
from tests.console.test_webhooks import secret_in
from tongdui import Client


def test_a_keys_limits_its_maker_and_what_ends_with_it_are_shown(site: Site) -> None:
    with site.http(site.seats["merchant:admin"]) as http:
        form = opened(http, "/keys/new")
        wrong = form.send("/keys/new", name="spare", scopes=["read", "keys"], networks="127.0.0.1\n10.0.0.1/8")
        assert wrong.error("networks"), "the gateway's refusal stands beside the field"
        limits = {"networks": "127.0.0.0/8\n2001:db8::/32", "expires_at": "2099-01-31T12:00"}
        secret = secret_in(wrong.send("/keys/new", name="spare", scopes=["read", "keys"], **limits).text)
        with Client(site.network.url, secret) as maker:
            child = maker.api_keys.create(name="spare child", scopes=["read"])
        listed = opened(http, "/keys").text
        assert "only from 127.0.0.0/8, 2001:db8::/32" in listed
        assert "2099-01-31" in listed.partition("until ")[2][:200]
        assert "by the key spare" in listed
        with Client(site.network.url, site.seats["merchant:admin"]) as admin:
            (key,) = (one for one in admin.api_keys.list() if one.name == "spare")
            assert f"by {admin.profile.get().name}" in listed
        asked = opened(http, f"/keys/{key.id}/revoke")
        assert "Keys that come from it end with it:" in asked.text
        assert "spare child" in asked.text
        asked.send(f"/keys/{key.id}/revoke")
        again = opened(http, f"/keys/{key.id}/revoke").text
        assert "Keys that come from it end with it:" not in again
    assert {one.id for one in site.merchants["FUEL"].client.api_keys.list() if one.revoked_at} >= {key.id, child.id}
