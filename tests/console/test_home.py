"""The overview: what needs a look leads to the list of just that."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import parse_qs, urlsplit

import pytest

from clearing.oversight.attention import service as attention
from console.agreements.view import ENDS_SOON
from console.home.view import narrowed
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
