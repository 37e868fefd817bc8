"""API keys: who makes and revokes them, what they may do, until when and from where (docs/decisions/0057)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from clearing.kit.events.models import Event
from clearing.parties.access.models import ApiKey, Role
from clearing.parties.access.service import AccessService, Limits, Scope
from gateway.http import feed
from scripts.dev.services import Postgres
from tests.gateway.site import Party, Site, later
from tests.gateway.staff import worker
from tests.gateway.test_stream import listening
from tests.support.collisions import collide

KEYS = "/v1/api_keys"


def id_of(token: str) -> str:
    return "key_" + token.split("_")[1]


def made(site: Site, caller: str, *scopes: str, **limits: Any) -> Any:
    """A key that the caller makes."""
    return site.post(KEYS, {"scopes": list(scopes), **limits}, caller=caller)


def agreed(site: Site, role: str, *scopes: str) -> str:
    """A key of the operator or the treasury, for which one of them asks, and which the other one approves."""
    return str(site.agreed(KEYS, {"role": role, "scopes": list(scopes)}, caller=role)["secret"])


def revoke(site: Site, key: str, caller: str) -> Any:
    return site.call("DELETE", f"{KEYS}/{key}", caller=caller)


def is_good(site: Site, token: str) -> bool:
    """Whether the gateway still knows the token."""
    response = site.call("GET", "/v1/network", caller=token)
    assert response.status_code in (200, 401), response.text
    return response.status_code == 200


def written(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


# -------------------------------------------------------------------- who makes and revokes keys


def test_a_key_without_the_scope_neither_clones_itself_nor_revokes_its_siblings(site: Site, fuel: Party) -> None:
    issuing, sibling = fuel.key("issue"), fuel.key("issue")
    site.refused(KEYS, {"scopes": ["issue"]}, "insufficient_scope", 403, caller=issuing)
    response = revoke(site, id_of(sibling), issuing)
    assert (response.status_code, response.json()["code"]) == (403, "insufficient_scope")
    assert is_good(site, sibling)


def test_a_key_makes_no_stronger_keys(site: Site, fuel: Party) -> None:
    maker = fuel.key("read", "issue", "keys")
    child = made(site, maker, "read")
    assert (child["merchant"], child["scopes"], child["parent"]) == (fuel.id, ["read"], id_of(maker))
    assert child["created_by"] == id_of(maker)
    assert is_good(site, child["secret"])
    problem = site.refused(KEYS, {"scopes": ["redeem"]}, "forbidden", 403, caller=maker)
    assert problem["errors"][0]["pointer"] == "/scopes"
    site.refused(KEYS, {"role": "operator"}, "forbidden", 403, caller=maker)
    other = site.merchant()
    site.refused(KEYS, {"merchant": other.id, "scopes": ["read"]}, "forbidden", 403, caller=maker)


def test_a_key_revokes_what_it_could_have_made(site: Site, fuel: Party) -> None:
    maker = fuel.key("read", "keys")
    assert revoke(site, id_of(fuel.key("read")), maker).status_code == 200
    for stronger in (fuel.key("read", "redeem"), fuel.key("redeem")):
        assert revoke(site, id_of(stronger), maker).json()["code"] == "forbidden"
        assert is_good(site, stronger)
    soon = written(site.clock.now() + timedelta(days=1))
    brief, near = (
        made(site, maker, "read", "keys", expires_at=soon),
        made(site, maker, "read", "keys", networks=["127.0.0.1"]),
    )
    lasting = made(site, maker, "read")
    for limited in (brief, near):
        assert revoke(site, lasting["id"], limited["secret"]).json()["code"] == "forbidden"
    assert revoke(site, id_of(maker), site.merchant().id).status_code == 404


@pytest.mark.parametrize("role", ["merchant", "treasury", "auditor"])
def test_every_key_may_revoke_itself(site: Site, fuel: Party, role: str) -> None:
    ways = {"merchant": lambda: fuel.key("read"), "treasury": lambda: agreed(site, "treasury")}
    token = str(ways.get(role, lambda: site.post(KEYS, {"role": role})["secret"])())
    response = revoke(site, id_of(token), token)
    assert response.json()["revoked_at"] is not None
    assert not is_good(site, token)


def test_of_the_networks_keys_only_those_with_the_scope_make_others(site: Site) -> None:
    plain, maker = agreed(site, "operator"), agreed(site, "operator", "keys")
    scopes = {key["id"]: key["scopes"] for key in site.get(f"{KEYS}?limit=200")["data"]}
    assert (scopes[id_of(plain)], scopes[id_of(maker)]) == ([], ["keys"])
    site.refused(KEYS, {"role": "auditor"}, "insufficient_scope", 403, caller=plain)
    assert site.post(KEYS, {"role": "auditor"}, caller=maker)["parent"] == id_of(maker)
    problem = site.refused(KEYS, {"role": "auditor", "scopes": ["read"]}, "validation_failed")
    assert problem["errors"][0]["pointer"] == "/scopes"


def test_the_treasury_revokes_only_its_own(site: Site, fuel: Party) -> None:
    token = fuel.key("read")
    assert revoke(site, id_of(token), "treasury").status_code == 403
    assert revoke(site, id_of(agreed(site, "treasury")), "treasury").status_code == 200
    assert is_good(site, token)


def test_an_admin_makes_keys_that_stay_when_the_admin_goes(site: Site, fuel: Party) -> None:
    boss, colleague = worker(site, "admin", fuel), worker(site, "admin", fuel)
    key = boss.post(KEYS, {"scopes": ["read", "issue"]})
    assert (key["parent"], key["created_by"]) == (None, f"staff:{boss.id}")
    (seat,) = [one for one in colleague.get("/v1/staff?limit=200")["data"] if one["person"]["id"] == boss.id]
    assert colleague.call("DELETE", f"/v1/staff/seats/{seat['seat']['id']}").status_code == 200
    assert is_good(site, key["secret"])
    listed = colleague.get(f"{KEYS}?created_by=staff:{boss.id}")["data"]
    assert [one["id"] for one in listed] == [key["id"]]
    assert colleague.call("DELETE", f"{KEYS}/{key['id']}").status_code == 200
    assert not is_good(site, key["secret"])


def test_a_manager_makes_no_keys(site: Site, fuel: Party) -> None:
    manager = worker(site, "manager", fuel)
    site.refused(KEYS, {"scopes": ["issue"]}, "insufficient_scope", 403, caller=manager.token)


# -------------------------------------------------------------------- the tree


def test_a_key_is_revoked_with_all_that_come_from_it(site: Site, fuel: Party) -> None:
    root = fuel.key("read", "keys")
    child = made(site, root, "read", "keys")
    grandchild, cousin = made(site, child["secret"], "read"), made(site, root, "read")
    assert revoke(site, child["id"], root).status_code == 200
    assert [is_good(site, one["secret"]) for one in (child, grandchild, cousin)] == [False, False, True]
    events = fuel.get("/v1/events?type=api_key.revoked&limit=200")["data"]
    told = {event["subject"]: event["data"] for event in events}
    assert told[child["id"]]["before"] == {"revoked_at": None}
    assert told[child["id"]]["after"]["revoked_at"] is not None
    assert "revoked_with" not in told[child["id"]]
    assert told[grandchild["id"]]["revoked_with"] == child["id"]
    assert revoke(site, id_of(root), root).status_code == 200
    assert not is_good(site, cousin["secret"])


def test_a_child_that_is_made_while_its_parent_is_revoked_does_not_survive(
    postgres_server: Postgres, prepared_template: str, tmp_path: Any
) -> None:
    """SQLite has one writer. Whichever of the two commits first, no living key is left below the revoked one."""
    url = postgres_server.new_database(f"{prepared_template}_api_keys", prepared_template)
    with Site(url, tmp_path) as site:
        for make_first in (True, False):
            with site.database.session.begin() as session:
                root = AccessService(session).create_root(Role.OPERATOR, actor="test")
            with site.database.reading() as session:
                caller = AccessService(session).authenticate(root)
            assert caller is not None

            def make(caller: Any = caller) -> None:
                with site.database.session.begin() as session:
                    AccessService(session).live([caller.key_id])
                    AccessService(session).create(caller, Limits(), role=Role.AUDITOR, merchant_id=None)

            def end(caller: Any = caller) -> None:
                with site.database.session.begin() as session:
                    AccessService(session).revoke(caller, caller.key_id)

            acts: list[Callable[[], None]] = [make, end] if make_first else [end, make]
            before = "INSERT INTO api_keys" if make_first else "UPDATE api_keys"
            if make_first:
                collide(site.database, *acts, before=before)
            else:
                with pytest.raises(Exception, match="was revoked while it made another one"):
                    collide(site.database, *acts, before=before)
            with site.database.session() as session:
                tree = session.scalars(select(ApiKey).where(ApiKey.parent_id == caller.key_id)).all()
                assert len(tree) == make_first
                assert all(key.revoked_at is not None for key in tree)


def test_the_last_operator_key_cannot_be_revoked(fresh_site: Site) -> None:
    """Nor one below which all the others are: they would end with it."""
    site = fresh_site
    own = id_of(site.keys["operator"])
    child = agreed(site, "operator", "keys")
    response = revoke(site, own, "operator")
    assert (response.status_code, response.json()["code"]) == (409, "last_operator_key")
    with site.database.session.begin() as session:
        another = AccessService(session).create_root(Role.OPERATOR, actor="cli:test", name="spare")
    assert revoke(site, own, another).status_code == 200
    assert not is_good(site, child)
    assert revoke(site, id_of(another), another).status_code == 409


# -------------------------------------------------------------------- until when


def test_an_expired_key_is_refused_by_the_next_request(site: Site, fuel: Party) -> None:
    ends = site.clock.now() + timedelta(minutes=30)
    token = made(site, fuel.id, "read", expires_at=written(ends))["secret"]
    assert is_good(site, token)
    with site.clock.stopped(ends - timedelta(seconds=1)):
        assert is_good(site, token)
    with site.clock.stopped(ends):
        assert not is_good(site, token)


def test_a_child_expires_with_its_parent_at_the_latest(site: Site, fuel: Party) -> None:
    ends = site.clock.now().replace(microsecond=0) + timedelta(hours=1)
    maker = made(site, fuel.id, "read", "keys", expires_at=written(ends))["secret"]
    assert made(site, maker, "read")["expires_at"] == written(ends)
    sooner = written(ends - timedelta(minutes=1))
    assert made(site, maker, "read", expires_at=sooner)["expires_at"] == sooner
    later_on = {"scopes": ["read"], "expires_at": written(ends + timedelta(seconds=1))}
    problem = site.refused(KEYS, later_on, "forbidden", 403, caller=maker)
    assert problem["errors"][0]["pointer"] == "/expires_at"
    past = {"scopes": ["read"], "expires_at": written(site.clock.now() - timedelta(seconds=1))}
    problem = fuel.refused(KEYS, past, "validation_failed")
    assert problem["errors"][0]["pointer"] == "/expires_at"


def test_an_expired_key_hears_no_more_events(fresh_site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "HEARTBEAT", 0.05)
    party = fresh_site.merchant("Listener")
    ends = fresh_site.clock.now() + timedelta(minutes=30)
    token = made(fresh_site, party.id, "read", expires_at=written(ends))["secret"]
    with listening(fresh_site, token) as stream, fresh_site.clock.stopped(ends):
        party.key("read")
        assert stream.ended.wait(30)
        assert not stream.events


def test_a_key_that_expires_while_it_waits_learns_nothing(site: Site, fuel: Party, member: str) -> None:
    ends = site.clock.now() + timedelta(minutes=30)
    token = made(site, fuel.id, "redeem", "read", expires_at=written(ends))["secret"]
    body = {"program": "FUEL", "member": member, "points": 1}
    stopped = site.clock.stopped(ends)
    with later(site.awaited, stopped.__enter__):
        response = site.call("POST", "/v1/redemptions", body, caller=token, headers={"Prefer": "wait=1"})
    stopped.__exit__(None, None, None)
    assert (response.status_code, response.json()["code"]) == (401, "unauthenticated")


# -------------------------------------------------------------------- from where


def from_address(site: Site, token: str, address: str) -> tuple[int, str | None]:
    """What somebody at this address gets, behind a proxy that the gateway trusts."""
    response = site.call("GET", "/v1/network", caller=token, headers={"X-Forwarded-For": address})
    return response.status_code, response.json().get("code")


def test_a_key_is_refused_from_other_networks(site: Site, fuel: Party) -> None:
    key = made(site, fuel.id, "read", networks=["203.0.113.0/24", "2001:db8::/32", "198.51.100.7"])
    assert key["networks"] == ["203.0.113.0/24", "2001:db8::/32", "198.51.100.7/32"]
    for inside in ("203.0.113.9", "2001:db8::1", "198.51.100.7", "::ffff:203.0.113.9"):
        assert from_address(site, key["secret"], inside) == (200, None), inside
    for outside in ("203.0.114.9", "2001:db9::1", "198.51.100.8", "127.0.0.1", "nowhere"):
        assert from_address(site, key["secret"], outside) == (403, "address_not_allowed"), outside


def test_only_a_trusted_proxy_names_the_address(database_url: str, tmp_path: Any) -> None:
    with Site(database_url, tmp_path, trusted_proxies="192.0.2.1") as site:
        party = site.merchant("Remote")
        far = made(site, party.id, "read", networks=["203.0.113.0/24"])["secret"]
        near = made(site, party.id, "read", networks=["127.0.0.0/8"])["secret"]
        assert from_address(site, far, "203.0.113.9") == (403, "address_not_allowed")
        assert from_address(site, near, "203.0.113.9") == (200, None)


def test_a_childs_networks_lie_within_its_parents(site: Site, fuel: Party) -> None:
    halves = ["127.0.0.0/9", "127.128.0.0/9", "2001:db8::/32"]
    maker = made(site, fuel.id, "read", "keys", networks=halves)["secret"]
    assert made(site, maker, "read")["networks"] == halves
    for within in (["127.0.0.0/8"], ["127.0.0.1"], ["2001:db8:1::/48", "127.9.0.0/16"]):
        made(site, maker, "read", networks=within)
    for place, wider in ((0, ["126.0.0.0/7"]), (1, ["127.0.0.1", "10.0.0.1"]), (0, ["::/0"])):
        problem = site.refused(KEYS, {"scopes": ["read"], "networks": wider}, "forbidden", 403, caller=maker)
        assert problem["errors"][0]["pointer"] == f"/networks/{place}"


@pytest.mark.parametrize("wrong", ["10.0.0.1/8", "10.0.0.0/33", "example.com", "", "10.0.0.0/8 "])
def test_a_network_is_written_as_a_network(fuel: Party, wrong: str) -> None:
    problem = fuel.refused(KEYS, {"scopes": ["read"], "networks": ["10.0.0.0/8", wrong]}, "validation_failed")
    assert [error["pointer"] for error in problem["errors"]] == ["/networks/1"]
    if wrong == "10.0.0.1/8":
        assert "did you mean 10.0.0.0/8?" in problem["detail"]


# -------------------------------------------------------------------- secrets, and the end of a key


def test_a_secret_is_shown_once_and_never_stored(site: Site, fuel: Party) -> None:
    body = {"scopes": ["read"]}
    first = fuel.post(KEYS, body, key="once-only")
    replay = fuel.post(KEYS, body, key="once-only")
    assert first["secret"].startswith("tdk_")
    assert replay == {**first, "secret": None}
    listed = next(key for key in site.get(KEYS)["data"] if key["id"] == first["id"])
    assert listed["secret"] is None
    secret = first["secret"].split("_")[2]
    with site.database.engine.connect() as connection:
        for table in ("api_keys", "idempotency_records", "events"):
            rows = connection.exec_driver_sql(f"SELECT * FROM {table}").all()
            assert secret not in repr(rows), table


def test_a_revoked_key_stops_working_at_once(site: Site, fuel: Party) -> None:
    token = fuel.key("read")
    assert is_good(site, token)
    first = revoke(site, id_of(token), fuel.id)
    assert first.json()["revoked_at"] is not None
    assert not is_good(site, token)
    assert revoke(site, id_of(token), fuel.id).json()["revoked_at"] == first.json()["revoked_at"]


def test_what_a_key_is_limited_to_stands_in_its_event(site: Site, fuel: Party) -> None:
    ends = written(site.clock.now().replace(microsecond=0) + timedelta(days=1))
    limits = {"expires_at": ends, "networks": ["127.0.0.0/8"], "name": "till 3"}
    key = made(site, fuel.id, str(Scope.READ), **limits)
    with site.database.session() as session:
        event = session.scalars(select(Event).where(Event.subject == key["id"])).one()
        data = event.data
    assert data == {"role": "merchant", "scopes": ["read"], "parent": id_of(site.keys[fuel.id]), **limits}
