"""API keys have names, and say when they were last used: written beside the requests, once a minute at most."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from clearing.parties.access.models import ApiKeyUse
from tests.gateway.site import Party, Site


def _listed(site: Site, key_id: str) -> dict[str, object]:
    (found,) = [key for key in site.get("/v1/api_keys?limit=200")["data"] if key["id"] == key_id]
    return dict(found)


def test_a_key_has_a_name_and_tells_when_it_was_last_used(site: Site, fuel: Party) -> None:
    made = fuel.post("/v1/api_keys", {"scopes": ["read"], "name": "till 7"})
    assert (made["name"], made["last_used_at"]) == ("till 7", None)
    uses = site.app.state.gateway.key_uses
    uses.write(site.app.state.gateway.writing)
    assert _listed(site, made["id"])["last_used_at"] is None
    at = site.clock.now().replace(second=30, microsecond=0) + timedelta(minutes=1)
    with site.clock.stopped(at):
        site.get("/v1/network", caller=made["secret"])
        with site.statements() as seen:
            site.get("/v1/network", caller=made["secret"])
        assert not [statement for statement, _ in seen if "api_key_uses" in statement], "no request pays for it"
        uses.write(site.app.state.gateway.writing)
    shown = _listed(site, made["id"])["last_used_at"]
    assert shown == at.replace(second=0).isoformat().replace("+00:00", "Z")


def test_a_key_is_written_once_a_minute_and_never_backwards(site: Site, fuel: Party) -> None:
    token = fuel.key("read")
    key_id = "key_" + token.split("_")[1]
    gateway = site.app.state.gateway
    minute = site.clock.now().replace(second=0, microsecond=0) + timedelta(minutes=10)
    for second, written in ((5, True), (20, False), (50, False), (65, True)):
        with site.clock.stopped(minute + timedelta(seconds=second)):
            site.get("/v1/network", caller=token)
            with site.statements() as seen:
                gateway.key_uses.write(gateway.writing)
            assert bool(seen) is written, second
    with site.clock.stopped(minute - timedelta(minutes=5)):
        site.get("/v1/network", caller=token)
        gateway.key_uses.write(gateway.writing)
    with site.database.session() as session:
        used = session.scalars(select(ApiKeyUse.used_at).where(ApiKeyUse.key_id == key_id)).one()
    assert used == minute + timedelta(minutes=1)


def test_a_name_is_short_text(site: Site, fuel: Party) -> None:
    for wrong in ("x" * 61, "a\nb", 7):
        problem = site.refused(
            "/v1/api_keys", {"merchant": fuel.id, "scopes": ["read"], "name": wrong}, "validation_failed"
        )
        assert [error["pointer"] for error in problem["errors"]] == ["/name"]
