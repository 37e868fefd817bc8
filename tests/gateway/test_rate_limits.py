"""Whoever asks too often is told when to ask again, and nobody else notices (docs/decisions/0058)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import limits.aio.storage.memory
import limits.aio.strategies
import pytest
from sqlalchemy import func, select

from clearing.kit import metrics
from clearing.kit.config import Settings
from clearing.kit.errors import RateLimited
from clearing.parties.members.models import Member
from gateway.http import rate_limits
from gateway.http.rate_limits import Kind, RateLimits
from scripts.dev.services import redis
from tests.gateway.site import Site

MINUTE = 60


class Minute:
    """The minute in which the limiter believes to be."""

    def __init__(self) -> None:
        self.at = 1_800_000_000.0

    def time(self) -> float:
        return self.at

    monotonic = time

    def pass_by(self) -> None:
        """Lets all permits come back."""
        self.at += 2 * MINUTE


@pytest.fixture
def minute(monkeypatch: pytest.MonkeyPatch) -> Minute:
    """A clock that stands still, so that no permit comes back while a slow machine counts."""
    found = Minute()
    for module in (limits.aio.storage.memory, limits.aio.strategies, rate_limits):
        monkeypatch.setattr(module, "time", found)
    return found


@pytest.fixture
def limited(tmp_path: Path, minute: Minute) -> Iterator[Callable[..., Site]]:
    """Makes a gateway with these limits. What they count does not depend on the database."""
    open_sites: list[Site] = []

    def make(**amounts: Any) -> Site:
        site = Site(f"sqlite:///{tmp_path / 'tongdui.db'}", tmp_path, **amounts)
        open_sites.append(site.__enter__())
        return site

    yield make
    for site in open_sites:
        site.__exit__()


def is_limited(response: httpx.Response, kind: str) -> bool:
    """Whether a request was refused because of a limit of this kind, with all that a client needs."""
    if response.status_code != 429:
        return False
    problem = response.json()
    assert (problem["code"], problem["type"]) == ("rate_limited", "/problems/rate-limited")
    assert f"({kind})" in problem["detail"]
    assert int(response.headers["retry-after"]) >= 1
    return True


# -------------------------------------------------------------------- who is counted for what


def test_each_key_has_so_many_requests_of_each_kind(limited: Callable[..., Site]) -> None:
    site = limited(rate_limit_lists=3)
    one, other = site.merchant("One"), site.merchant("Other")
    left = []
    for _ in range(3):
        response = site.call("GET", "/v1/merchants", caller=one.id)
        assert response.status_code == 200
        assert response.headers["ratelimit-policy"] == '"lists";q=3;w=60'
        left.append(response.headers["ratelimit"].split(";")[:2])
    assert left == [['"lists"', "r=2"], ['"lists"', "r=1"], ['"lists"', "r=0"]]
    refused = site.call("GET", "/v1/merchants", caller=one.id)
    assert is_limited(refused, "lists")
    assert refused.headers["ratelimit"].startswith('"lists";r=0;t=')
    assert is_limited(site.call("GET", "/v1/agreements", caller=one.id), "lists")
    assert site.call("GET", "/v1/merchants", caller=other.id).status_code == 200
    assert site.call("GET", f"/v1/merchants/{one.id}", caller=one.id).status_code == 200
    one.member()


def test_refusals_of_other_reasons_say_what_is_left_too(limited: Callable[..., Site]) -> None:
    site = limited(rate_limit_lists=5)
    response = site.call("GET", "/v1/merchants?limit=0")
    assert (response.status_code, response.headers["ratelimit"].split(";")[1]) == (422, "r=4")


def test_the_permits_come_back(limited: Callable[..., Site], minute: Minute) -> None:
    site = limited(rate_limit_lists=1)
    assert site.call("GET", "/v1/merchants").status_code == 200
    assert is_limited(site.call("GET", "/v1/merchants"), "lists")
    minute.pass_by()
    assert site.call("GET", "/v1/merchants").status_code == 200


def test_a_limited_write_has_its_one_effect_later(limited: Callable[..., Site], minute: Minute) -> None:
    """A replay counts like any request, because it costs as much; and a limit is never the answer that a key keeps."""
    site = limited(rate_limit_writes=2)
    with site.database.session() as session:
        before = session.scalar(select(func.count()).select_from(Member))
    party = site.merchant("Writer")
    site.keys[party.id] = party.key("members")
    body = {"external_id": "c-1"}

    def register() -> httpx.Response:
        return site.call("POST", "/v1/members", body, caller=party.id, key="once")

    first, again = register(), register()
    assert (first.status_code, again.headers["idempotent-replayed"]) == (201, "true")
    assert is_limited(register(), "writes")
    other = site.call("POST", "/v1/members", {"external_id": "c-2"}, caller=party.id, key="later")
    assert is_limited(other, "writes")
    minute.pass_by()
    assert register().json() == first.json()
    assert site.call("POST", "/v1/members", {"external_id": "c-2"}, caller=party.id, key="later").status_code == 201
    with site.database.session() as session:
        assert session.scalar(select(func.count()).select_from(Member)) == (before or 0) + 2


def test_streams_are_opened_so_often(limited: Callable[..., Site]) -> None:
    site = limited(rate_limit_streams=1, stream_seconds=0.1)
    assert site.call("GET", "/v1/events/stream").status_code == 200
    assert is_limited(site.call("GET", "/v1/events/stream"), "streams")


def from_address(site: Site, address: str, token: str) -> httpx.Response:
    """A request of somebody at this address, behind a proxy that the gateway trusts."""
    return site.call("GET", "/v1/network", caller=token, headers={"X-Forwarded-For": address})


def test_an_address_that_tries_credentials_is_stopped(limited: Callable[..., Site]) -> None:
    """Known keys go on from there, and other addresses do not notice. A refusal asks no database."""
    site = limited(rate_limit_failures=2)
    guesses = [f"tdk_0000000000000000000000000{n}_{'0' * 64}" for n in range(3)]
    statuses = [from_address(site, "2001:db8:0:1::5", guess).status_code for guess in guesses]
    assert statuses == [401, 401, 429]
    with site.statements() as seen:
        assert is_limited(from_address(site, "2001:db8:0:1::6", guesses[0]), "failures")
    assert seen == []
    assert from_address(site, "2001:db8:0:1::5", site.keys["operator"]).status_code == 200
    assert from_address(site, "2001:db8:0:2::5", guesses[0]).status_code == 401
    assert is_limited(site.http.get("/v1/network", headers={"X-Forwarded-For": "2001:db8:0:1::5"}), "failures")


def test_what_needs_no_credential_is_counted_by_address(limited: Callable[..., Site]) -> None:
    site = limited(rate_limit_open=1, rate_limit_public=1, public_explorer=True)
    for kind, path in (("open", "/v1/sessions/issuers"), ("public", "/v1/batches")):
        for address, expected in (("203.0.113.1", 200), ("203.0.113.1", 429), ("203.0.113.2", 200)):
            response = site.http.get(path, headers={"X-Forwarded-For": address})
            assert response.status_code == expected, (path, address)
            assert response.headers["ratelimit-policy"] == f'"{kind}";q=1;w=60'


# -------------------------------------------------------------------- counting


def settings(**given: Any) -> Settings:
    return Settings.model_validate({"rate_limit_writes": 0, "rate_limit_reads": 0, **given})


def taken(counters: list[RateLimits], times: int) -> int:
    """How many of so many requests at once are let in, spread over processes."""

    async def one(counter: RateLimits) -> bool:
        try:
            await counter.count(SimpleNamespace(state=SimpleNamespace()), Kind.WRITES, "key_1")  # type: ignore[arg-type]
        except RateLimited:
            return False
        return True

    async def everybody() -> list[bool]:
        return await asyncio.gather(*(one(counters[place % len(counters)]) for place in range(times)))

    return sum(asyncio.run(everybody()))


def test_many_at_once_get_no_more_than_there_is(minute: Minute) -> None:
    assert taken([RateLimits(settings(rate_limit_writes=7))], 64) == 7
    assert taken([RateLimits(settings(rate_limit_writes=1_000))], 1_200) == 1_000, "lots of five, to the last one"
    assert taken([RateLimits(settings())], 100) == 100, "0 is no limit"


def test_processes_share_a_redis_and_count_alone_without_it() -> None:
    with redis() as server:
        url = f"redis://127.0.0.1:{server.port}/0"
        together = taken([RateLimits(settings(rate_limit_writes=20, rate_limit_url=url)) for _ in range(4)], 80)
        assert 20 <= together < 40, "the minute may turn over meanwhile"
    failures = metrics.RATE_LIMIT_STORAGE_FAILURES._value.get()
    alone = taken([RateLimits(settings(rate_limit_writes=20, rate_limit_url=url)) for _ in range(4)], 160)
    assert 80 <= alone < 160, "each counts for itself: neither is everybody let in, nor nobody"
    assert metrics.RATE_LIMIT_STORAGE_FAILURES._value.get() == failures + 4, "and asks again only after a while"
