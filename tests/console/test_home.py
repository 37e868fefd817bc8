"""The overview: what needs a look leads to the list of just that."""

from __future__ import annotations

import re
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import parse_qs, urlsplit

import pytest

from clearing.kit.database import Database
from clearing.kit.ids import new_id
from clearing.ledger.availability.models import Hold, HoldPurpose
from clearing.ledger.lots import upcoming
from clearing.oversight.attention import service as attention
from clearing.parties.programs.directory import programs_in
from console.agreements.view import ENDS_SOON
from console.home.view import narrowed
from console.members.expiring import DAYS_AHEAD
from console.movements.filters import filters_of
from pages.presentation import Presentation, presented
from tests.console.site import Site
from tongdui import yuan

CHINA = timezone(timedelta(hours=8))
EVENING = datetime(2026, 11, 25, 20, tzinfo=UTC).isoformat()


@pytest.mark.parametrize(
    ("wanted", "typed"),
    [
        ({"state": "rejected", "created[gte]": EVENING}, {"state": "rejected", "from": "2026-11-26"}),
        ({"state": "accepted", "created[lt]": EVENING}, {"state": "accepted", "to": "2026-11-26"}),
        ({"day[lt]": "2026-12-01"}, {"to": "2026-11-30"}),
    ],
)
def test_what_the_gateway_filters_by_is_what_the_page_reads(wanted: dict[str, str], typed: dict[str, str]) -> None:
    with presented(Presentation(zone=CHINA)):
        address = narrowed("/movements", wanted)
        assert address is not None
        found = filters_of({name: values[0] for name, values in parse_qs(urlsplit(address).query).items()})
    assert dict(found.typed) == typed
    assert not found.mistakes


def test_what_ends_soon_is_the_same_here_and_there() -> None:
    assert ENDS_SOON == attention._ENDING


def test_the_list_of_what_expires_looks_as_far_ahead_as_the_gateway() -> None:
    assert DAYS_AHEAD == upcoming.MOST_DAYS


def test_points_that_expire_lead_to_the_list_of_just_those(site: Site) -> None:
    station, today = site.merchants["FUEL"].client, site.operator.network.get().today
    for number, days in (("EXPIRES-SOON", 3), ("EXPIRES-LATER", 30)):
        member = station.members.create(external_id=number)
        day = today + timedelta(days=days)
        station.issuances.create(program="FUEL", member=member, points=77, expires_on=day, wait=60).settled()
    with site.http(site.seats["merchant:admin"]) as http:
        address = re.search(r'href="(/members/expiring[^"]*)"', http.get("/home").text)
        assert address is not None
        listed = http.get(address[1]).raise_for_status().text
        assert parse_qs(urlsplit(address[1]).query) == {"to": [(today + timedelta(days=7)).isoformat()]}
        assert "EXPIRES-SOON" in listed
        assert "EXPIRES-LATER" not in listed
        everything = http.get("/members/expiring?program=FUEL").text
        assert everything.index("EXPIRES-SOON") < everything.index("EXPIRES-LATER")
        assert "EXPIRES-SOON" not in http.get(f"/members/expiring?from={today + timedelta(days=4)}").text
        furthest = today + timedelta(days=DAYS_AHEAD)
        assert http.get(f"/members/expiring?to={furthest}").status_code == 200
        refused = http.get(f"/members/expiring?to={furthest + timedelta(days=1)}")
        assert refused.status_code == 422
        assert "The list looks 92 days ahead." in refused.text


def test_points_to_burn_lead_to_whose_they_are(site: Site) -> None:
    station = site.merchants["FUEL"].client
    member = station.members.create(external_id="HAS-EXPIRED")
    with closing(Database(site.network.settings.database_url)) as database, database.session.begin() as session:
        program = programs_in(session).by_code_or_id("FUEL")
        assert program is not None
        hold = Hold(
            id=new_id("hld"),
            merchant_number=program.merchant_number,
            purpose=HoldPurpose.EXPIRY,
            member_id=member.id,
            address=member.address,
            program=program.number,
            points=41,
            expires_at=datetime(9999, 1, 1, tzinfo=UTC),
        )
        session.add(hold)
    with site.http(site.seats["merchant:admin"]) as http:
        assert 'href="/members/expired"' in http.get("/home").text
        listed = http.get("/members/expired").text
    assert "HAS-EXPIRED" in listed
    assert ">41<" in listed
    with closing(Database(site.network.settings.database_url)) as database, database.session.begin() as session:
        session.delete(session.get_one(Hold, hold.id))


def test_a_proposal_to_sign_leads_to_the_list_of_proposals(site: Site) -> None:
    site.merchants["MART"].client.agreements.propose(
        source_program="MART",
        target_merchant=site.merchants["FUEL"].id,
        unit_price_micros=yuan("0.01"),
        max_points=1_000,
        daily_cap=10_000,
        valid_until=datetime.now(UTC) + timedelta(days=90),
    )
    with site.http(site.seats["merchant:admin"]) as http:
        assert 'href="/agreements?state=proposed"' in http.get("/home").text
        listed = http.get("/agreements?state=proposed").text
        assert "Your signature is missing" in listed
        assert "In force</span>" not in listed
