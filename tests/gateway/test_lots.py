"""Lots, due points and expirations as a merchant meets them over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import select, text

from clearing.kit.signing.keyring import Keyring
from clearing.ledger.journal.models import Block, Entry
from clearing.ordering.expiry.rounds import ExpiryRound
from clearing.ordering.orders.models import OrderState
from clearing.parties.merchants.repository import MerchantRepository
from tests.gateway.site import Site


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
    keyring = Keyring(site.settings.keystore_password.get_secret_value())
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
