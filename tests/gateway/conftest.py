"""A gateway on each database, shared by the tests of a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.gateway.site import Party, Site, agree
from tests.support.nightly import IS_NIGHTLY

DATABASES = ("sqlite", "postgresql") if IS_NIGHTLY else ("postgresql",)
"""By day the gateway's own tests have PostgreSQL, as the networks that SDK, console and command lines are tested on have SQLite.
What the gateway asks of its tables is tested on both in the folders of those tables."""


@pytest.fixture(scope="module", params=DATABASES)
def module_database_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, migrated: Callable[[str, Path], str]
) -> str:
    return migrated(request.param, tmp_path_factory.mktemp("gateway"))


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path, migrated: Callable[[str, Path], str]) -> str:
    return migrated(request.param, tmp_path)


@pytest.fixture(scope="module")
def site(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Site(module_database_url, tmp_path_factory.mktemp("keys"), stream_seconds=0.5) as running:
        yield running


@pytest.fixture
def fresh_site(database_url: str, tmp_path: Path) -> Iterator[Site]:
    """A gateway of the test's own."""
    with Site(database_url, tmp_path) as running:
        yield running


@pytest.fixture(scope="module")
def fuel(site: Site) -> Party:
    return site.merchant("Gas", program="FUEL")


@pytest.fixture(scope="module")
def cine(site: Site) -> Party:
    return site.merchant("Cinema", program="CINE")


@pytest.fixture(scope="module")
def exchange_agreement(fuel: Party, cine: Party) -> str:
    """The id of an active agreement: 9 CINE for 10 FUEL."""
    return str(agree(fuel, cine)["id"])


@pytest.fixture
def member(site: Site, fuel: Party) -> str:
    """A member with 100 points of FUEL."""
    member = fuel.member()
    site.give(member, "FUEL", 100)
    return member
