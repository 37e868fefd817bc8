"""Lots, due points and expirations as a merchant meets them over HTTP."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from urllib.parse import urlencode

import pytest
from sqlalchemy import select, text, update

from clearing.kit.signing.keyrings import Keyrings
from clearing.ledger.accounts.models import Account
from clearing.ledger.journal.models import Block, Entry
from clearing.ordering.expiry.rounds import ExpiryRound
from clearing.ordering.orders.models import OrderState
from clearing.parties.members.models import Member
from clearing.parties.merchants.repository import MerchantRepository
from tests.gateway.site import Party, Site
from tongdui import AsyncClient, Client


def test_expired_points_are_shown_as_due_and_burnt_on_request(site: Site) -> None:
    own = site.merchant("Own keeper", program="OWNK")
    member = own.member()
    day = _day(2)  # if midnight came before the request, tomorrow would already be today
    issued = own.post("/v1/issuances", {"program": "OWNK", "member": member, "points": 40, "expires_on": day})
    site.finish(issued["order"], OrderState.SETTLED)
    site.give(member, "OWNK", 40)
    with site.database.session.begin() as session:
        for number in set(session.scalars(select(Entry.block_number))):
            session.merge(
                Block(number=number, hash=bytes(32), parent_hash=bytes(32), timestamp=1_700_000_000, day=19_676)
            )
    path = f"/v1/members/{member}/accounts/OWNK/lots"
    assert [(lot["points"], lot["expires_on"]) for lot in own.get(path)["data"]] == [(40, day)]
    body = {"program": "OWNK", "member": member, "points": 40}
    own.refused("/v1/expirations", body, "not_expired")
    program = _number(site, "OWNK")
    with site.database.session.begin() as session:
        session.execute(text("UPDATE entries SET expiry_day = 1 WHERE program = :n"), {"n": program})
        session.execute(text("UPDATE accounts SET due_on = 1 WHERE program = :n"), {"n": program})
        session.execute(text("UPDATE signer_keys SET keystore = NULL WHERE merchant_number = :n"), {"n": own.number})
    keyring = Keyrings.of(site.settings).managed_keys
    ExpiryRound(site.database, site.settings, keyring).run()
    (due,) = own.get("/v1/expirations/due")["data"]
    assert (due["member"], due["program"], due["points"]) == (member, "OWNK", 40)
    own.refused("/v1/expirations", body, "signature_required")
    with site.database.session.begin() as session:
        key = MerchantRepository(session).newest_key(own.number, 1)
        assert key is not None
        session.delete(key)
        session.flush()
        address, keystore = keyring.create()
        session.add(type(key)(address=address, merchant_number=own.number, keystore=keystore))
    bulk = {"instructions": [{"kind": "expire", **body}]}
    (movement,) = own.post("/v1/orders", bulk)["movements"]
    assert (movement["object"], movement["points"]) == ("expiration", 40)
    assert own.get("/v1/expirations/due")["data"] == []
    assert [found["id"] for found in own.get("/v1/expirations")["data"]] == [movement["id"]]


def _day(ahead: int) -> str:
    return (datetime.now(UTC) + timedelta(hours=8, days=ahead)).date().isoformat()


def _number(site: Site, code: str) -> int:
    with site.database.session.begin() as session:
        return int(session.execute(text("SELECT number FROM programs WHERE code = :c"), {"c": code}).scalar_one())


def test_lots_come_in_pages_that_do_not_shift(site: Site) -> None:
    keeper = site.merchant("Pager", program="PAGER")
    member = keeper.member()
    for days in (9, 3, 6, 3, 0):
        body = {"program": "PAGER", "member": member, "points": 10 + days}
        issued = keeper.post("/v1/issuances", {**body, "expires_on": _day(days)} if days else body)
        site.finish(issued["order"], OrderState.SETTLED)
    with site.database.session.begin() as session:
        for number in set(session.scalars(select(Entry.block_number))):
            session.merge(
                Block(number=number, hash=bytes(32), parent_hash=bytes(32), timestamp=1_700_000_000, day=19_676)
            )
    path = f"/v1/members/{member}/accounts/PAGER/lots"
    whole = keeper.get(path)
    assert [lot["points"] for lot in whole["data"]] == [13, 13, 16, 19, 10]
    assert whole["next_cursor"] is None
    seen, cursor = [], ""
    while cursor is not None:
        page = keeper.get(f"{path}?limit=2{cursor and '&cursor=' + cursor}")
        assert len(page["data"]) <= 2
        seen += page["data"]
        cursor = page["next_cursor"]
    assert seen == whole["data"]


def test_upcoming_expirations_are_listed_soonest_first(site: Site) -> None:
    keeper = site.merchant("Looker", program="SOON")
    site.post("/v1/programs", {"merchant": keeper.id, "code": "SOONER", "name": "Sooner"})
    site.confirm()
    days = {"SOON": (0, 5, 2, 40, 200), "SOONER": (3, 2)}
    members = [_expiring(site, keeper, program, ahead) for program, some in days.items() for ahead in some]
    spent = _expiring(site, keeper, "SOON", 4, points=0)
    whole = keeper.get("/v1/expirations/upcoming")
    assert whole["next_cursor"] is None
    rows = [(row["program"], row["expires_on"], row["points"], row["member"]) for row in whole["data"]]
    assert rows == [
        ("SOON", _day(2), 12, members[2]),
        ("SOONER", _day(2), 12, members[6]),
        ("SOONER", _day(3), 13, members[5]),
        ("SOON", _day(4), 0, spent),  # it was all used since: the account has no lots left
        ("SOON", _day(5), 15, members[1]),
        ("SOON", _day(40), 50, members[3]),
    ]  # neither what is due today nor what is too far ahead
    for limit in (1, 2, 4, 5):
        assert _in_pages(keeper, limit) == whole["data"]
    assert _days_of(keeper, {"day[lt]": _day(4)}) == [_day(2), _day(2), _day(3)]
    assert _days_of(keeper, {"day[gte]": _day(3), "day[lt]": _day(5)}) == [_day(3), _day(4)]
    assert _days_of(keeper, {"program": "SOONER"}) == [_day(2), _day(3)]
    assert _days_of(keeper, {"day[gte]": "1999-01-01", "day[lt]": "2000-01-01"}) == []
    expanded = keeper.get("/v1/expirations/upcoming?limit=1&expand[]=member")["data"][0]["expanded"]["member"]
    assert expanded["id"] == members[2]


def test_a_merchant_sees_upcoming_expirations_of_its_own_programs_only(site: Site) -> None:
    keeper, other = site.merchant("Keeper", program="KEPT"), site.merchant("Other", program="OTHERS")
    member = _expiring(site, keeper, "KEPT", 2)
    assert _days_of(other, {}) == _days_of(other, {"program": "KEPT"}) == []
    kept = _number(site, "KEPT")
    with site.database.session.begin() as session:
        session.execute(update(Account).where(Account.program != kept).values(due_on=1))
    seen = site.get("/v1/expirations/upcoming")["data"]
    assert [row["member"] for row in seen] == [member], "the operator sees everybody's"
    assert site.get("/v1/expirations/upcoming?program=OTHERS")["data"] == []


@pytest.mark.parametrize(
    ("query", "status", "parameter"),
    [
        ({"day[lt]": "2999-01-01"}, 422, "day[lt]"),
        ({"day[lt]": "tomorrow"}, 422, "day[lt]"),
        ({"program": "NOSUCH"}, 404, None),
        *(({"cursor": cursor}, 422, "cursor") for cursor in ("1_2", "1_2_0xZZ", f"1_0x{'0' * 40}", f"0x{'0' * 40}")),
        ({"cursor": f"{2**31}_1_0x{'0' * 40}"}, 422, "cursor"),
    ],
)
def test_what_the_list_of_upcoming_expirations_cannot_do_is_said(
    site: Site, query: dict[str, str], status: int, parameter: str | None
) -> None:
    keeper = site.merchant()
    response = site.call("GET", f"/v1/expirations/upcoming?{urlencode(query)}", caller=keeper.id)
    assert response.status_code == status, response.text
    if parameter:
        assert [error["parameter"] for error in response.json()["errors"]] == [parameter]


def test_the_sdk_lists_upcoming_expirations(site: Site) -> None:
    keeper = site.merchant("Client", program="CLIENTS")
    member = _expiring(site, keeper, "CLIENTS", 3)
    later = _expiring(site, keeper, "CLIENTS", 8)
    url, key = str(site.http.base_url), site.keys[keeper.id]
    with Client(url, key) as client:
        found = list(client.expirations.upcoming(page_size=1, expand=["member"]))
        assert [(one.member, one.points) for one in found] == [(member, 13), (later, 18)]
        assert found[0].expanded is not None
        assert found[0].expanded.member is not None
        until = date.fromisoformat(_day(8))
        (only,) = client.expirations.upcoming(program="CLIENTS", end_day=until)
        assert (only.member, only.expires_on.isoformat()) == (member, _day(3))
        assert [one.member for one in client.expirations.upcoming(first_day=until)] == [later]

    async def listed() -> list[str | None]:
        async with AsyncClient(url, key) as client:
            return [one.member async for one in client.expirations.upcoming(end_day=until)]

    assert asyncio.run(listed()) == [member]


def _expiring(site: Site, party: Party, program: str, ahead: int, points: int | None = None) -> str:
    """A member whose points expire in so many days; with 0 points: whose account does not know yet that they were used."""
    member = party.member()
    points = 10 + ahead if points is None else points
    day, number_of_program = _day(ahead), _number(site, program)
    if points and ahead:
        body = {"program": program, "member": member, "points": points, "expires_on": day}
        site.finish(party.post("/v1/issuances", body)["order"], OrderState.SETTLED)
    site.give(member, program, points)
    with site.database.session.begin() as session:
        for number in set(session.scalars(select(Entry.block_number))):
            session.merge(
                Block(number=number, hash=bytes(32), parent_hash=bytes(32), timestamp=1_700_000_000, day=19_676)
            )
        address = session.get_one(Member, member).address
        mine = (Account.address == address, Account.program == number_of_program)
        session.execute(
            update(Account).where(*mine).values(due_on=site.app.state.gateway.network.day_of(date.fromisoformat(day)))
        )
    return member


def _in_pages(party: Party, limit: int) -> list[dict[str, object]]:
    seen: list[dict[str, object]] = []
    cursor = ""
    while cursor is not None:
        page = party.get(f"/v1/expirations/upcoming?limit={limit}{cursor and '&cursor=' + cursor}")
        assert len(page["data"]) <= limit
        seen += page["data"]
        cursor = page["next_cursor"]
    return seen


def _days_of(party: Party, query: dict[str, str]) -> list[str]:
    return [row["expires_on"] for row in party.get(f"/v1/expirations/upcoming?{urlencode(query)}")["data"]]
