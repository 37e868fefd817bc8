"""What a program may issue in a day stands where its merchant issues by hand, and where the operator looks at the merchant."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing

from clearing.kit.config import ENV_FILE
from clearing.kit.database import Database
from clearing.runtime.embedded.settings_file import SETTINGS_FILE
from pages.formats import count
from tests.console.sending import opened
from tests.console.site import Merchant, Site, signed_in
from tests.gateway.site import until


def _cap(site: Site, points: int) -> None:
    command = [sys.executable, "-m", "clearing", "program", "cap", "CAPPED", str(points), "--yes", "--reason", "a test"]
    subprocess.run(command, env={ENV_FILE: str(site.network.directory / SETTINGS_FILE)}, check=True, timeout=120)


def test_a_cap_and_what_follows_it_are_shown(site: Site) -> None:
    made = site.operator.merchants.create(name="稳当茶馆", managed_key=True, wait=60)
    site.operator.programs.create(merchant=made.id, code="CAPPED", name="茶票", wait=60)
    for points in (5_000, 8_000):
        _cap(site, points)
        until(lambda points=points: points in _caps(site))
    merchant = Merchant(made.id, made.name, "CAPPED", "", site.operator)
    with closing(Database(site.network.settings.database_url)) as database:
        token = signed_in(site, database, "admin@capped.example", "admin", merchant)
    with site.http(token) as http:
        assert _is_shown(opened(http, "/issue").text)
    with site.http(site.seats["operator"]) as http:
        assert _is_shown(opened(http, f"/merchants/{made.id}").text)


def _caps(site: Site) -> tuple[int | None, int | None]:
    program = site.operator.programs.get("CAPPED")
    return program.issuance_cap, program.next_issuance_cap


def _is_shown(text: str) -> bool:
    now, later = f"At most {count(5_000)} points are issued a day.", f"at most {count(8_000)}."
    return now in text and later in text.partition(now)[2]
