"""What a console remembers of sessions: never that somebody still has a seat for which the gateway acts no more."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest

import console.sessions
from console.sessions import SessionDirectory, identify
from tests.console.alone import alone
from tests.console.sending import opened, take_other_seat
from tests.console.served import served
from tests.console.site import Site, two_seats
from tongdui import AsyncClient, Client, NotFoundError


@pytest.fixture(scope="module")
def second(site: Site) -> Iterator[str]:
    """Another console beside the site's own: they share nothing."""
    with served(site.network.url) as url:
        yield url


def seat_shown(http: httpx.Client) -> str:
    found = re.search(r'data-seat="([^"]+)"', opened(http, "/account").text)
    assert found is not None
    return found[1]


def test_a_form_of_the_old_seat_is_refused_by_every_console(site: Site, second: str) -> None:
    token = two_seats(site)
    with (
        httpx.Client(base_url=site.url, cookies={site.cookie: token}, timeout=60) as http,
        httpx.Client(base_url=second, cookies={site.cookie: token}, timeout=60) as other,
    ):
        sheet = opened(other, "/members/new")
        late = f"LATE-{take_other_seat(http)[-6:]}"
        assert sheet.send("/members/new", external_id=late).status == 403
        for code in ("FUEL", "MART"):
            with pytest.raises(NotFoundError):
                site.merchants[code].client.members.get(f"external:{late}")
        assert opened(other, "/members/new").send("/members/new", external_id=late).status == 303


def test_every_console_shows_the_new_seat_at_once(site: Site, second: str) -> None:
    with httpx.Client(cookies={site.cookie: two_seats(site)}, timeout=60) as browser:
        browser.base_url = second
        before = seat_shown(browser)
        browser.base_url = site.url
        taken = take_other_seat(browser)
        browser.base_url = second
        assert seat_shown(browser) == taken != before


def test_an_answer_that_was_under_way_when_the_seat_changed_is_not_remembered(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = two_seats(site)
    directory = SessionDirectory()
    with Client(site.network.url, token) as client:
        before = client.sessions.current()
        (other,) = [seat for seat in before.seats if seat.id != before.seat.id]

        async def overtaken(asking: AsyncClient, asked: str) -> console.sessions.Session:
            answer = await identify(asking, asked)
            client.sessions.take_seat(other.id)
            directory.forget(token)
            return answer

        async def asked_twice() -> tuple[str, str]:
            async with AsyncClient(site.network.url, token) as asking:
                with monkeypatch.context() as patch:
                    patch.setattr(console.sessions, "identify", overtaken)
                    first = await directory.of(asking, token)
                return first.seat.id, (await directory.of(asking, token)).seat.id

        assert alone(asked_twice()) == (before.seat.id, other.id)
