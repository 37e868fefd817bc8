"""No read of the API costs more in a large network than in a small one: none walks through what it does not show.

What a statement examines is counted, not timed, so the test says the same on every machine. New lists and filters are measured like
the others; one without values in `scripts/bench/reads.py` fails the test.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from clearing.kit.database import Database
from gateway.http.auth import RULES
from scripts.bench.generated import Size, generate
from scripts.bench.growth import Site, open_site
from scripts.bench.plans import cost, is_read, plan, statements
from scripts.bench.reads import NOT_READ, OPERATOR, Read, Reads

SIZE = Size(accounts=6_000, entries=16_000)
"""Every table that grows has thousands of rows: whatever reads one whole, or a giant's part of it, is far over the limits."""
LIMIT = 5
MOST_ROWS = 1_000
"""PostgreSQL. A batch has 400 entries, and 50 orders are pending; the giant has 118 agreements."""
MOST_STEPS = 30_000
"""SQLite."""
_HAS_NO_ROWS = "/v1/members/{member}/codes/{code}"
"""Member codes live for minutes."""
BY_PREFIX = "q"
"""Goes through a merchant's numbers in their order, so another filter looks at all that begin like this."""


@pytest.fixture(scope="module")
def generated(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Reads]]:
    database = Database(module_database_url)
    database.upgrade()
    generate(database, SIZE)
    with open_site(database, tmp_path_factory.mktemp("keys")) as site:
        yield site, Reads(site.client.app, database, SIZE)  # type: ignore[arg-type]
    database.close()


def test_no_read_examines_more_than_it_shows(generated: tuple[Site, Reads]) -> None:
    site, reads = generated
    most = MOST_STEPS if site.database.is_sqlite else MOST_ROWS
    if not site.database.is_sqlite:  # what is small here may be large elsewhere
        site.connection.exec_driver_sql("SET enable_seqscan = off")
    known: dict[str, int] = {}
    routes, found, over = set(), set(), []
    for read in reads.all(limit=LIMIT, by=("giant", OPERATOR)):
        if _is_left_out(read):
            continue
        with statements(site.database) as seen:
            response = site.send("GET", read.url, read.caller)
        routes.add(("GET", read.route))
        if response.status_code == 200:
            found.add(read.route)
        for statement in filter(is_read, seen):
            key = repr(statement)
            if key not in known:
                known[key] = cost(site.connection, statement)
                if known[key] > most:
                    over.append(f"{read.name}: {known[key]}\n{statement[0]}\n{plan(site.connection, statement)}")
    assert not over, (
        f"{[one.partition(chr(10))[0] for one in over]}: {len(over)} statements look at too much:\n\n"
        + "\n\n".join(over[:3])
    )
    unread = {("GET", route) for route in NOT_READ}
    assert routes == {rule for rule in RULES if rule[0] == "GET"} - unread, "a route that nobody measures"
    assert {route for _, route in routes} - found == {_HAS_NO_ROWS}, "reads that find nothing"


def _is_left_out(read: Read) -> bool:
    filters = [name for name, _ in read.labels if name != "cursor"]
    return len(filters) > 1 and BY_PREFIX in filters
