"""No read of the API costs more in a large network than in a small one: none walks through what it does not show.

What a statement examines is counted, not timed, so the test says the same on every machine. New lists and filters are measured like
the others; one without values in `scripts/bench/reads.py` fails the test.
"""

from __future__ import annotations

from collections.abc import Iterator
from operator import itemgetter
from urllib.parse import urlencode

import pytest
from sqlalchemy import func, select

from clearing.kit.database import Database
from clearing.parties.members.models import Member, MemberFreeze, MemberLink
from gateway.http.auth import RULES
from scripts.bench.generated import GIANT, Size, generate
from scripts.bench.growth import Site, open_site
from scripts.bench.plans import Statement, cost, is_read, plan, statements
from scripts.bench.reads import NOT_READ, OPERATOR, Reads
from tests.support.nightly import by_day

SIZE = Size(accounts=6_000, entries=16_000)
"""Every table that grows has thousands of rows: whatever reads one whole, or a giant's part of it, is far over the limits."""
LIMIT = 5
MOST_ROWS = 1_000
"""PostgreSQL. A batch has 400 entries, and 50 orders are pending; the giant has 118 agreements."""
_PAIRS = by_day(4, at_night=1)
"""Of reads with two filters, or a filter on a deep page, each fourth one is tried by day; of the others, each."""
MOST_STEPS = 30_000
"""SQLite."""
_HAS_NO_ROWS = "/v1/members/{member}/codes/{code}"
"""Member codes live for minutes."""


@pytest.fixture(scope="module")
def generated(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Reads]]:
    database = Database(module_database_url)
    database.upgrade()
    generate(database, SIZE)
    with open_site(database, tmp_path_factory.mktemp("keys")) as site:
        yield site, Reads(site.client.app, database, SIZE)  # type: ignore[arg-type]
    database.close()


@pytest.mark.slow
def test_no_read_examines_more_than_it_shows(generated: tuple[Site, Reads]) -> None:
    site, reads = generated
    most = MOST_STEPS if site.database.is_sqlite else MOST_ROWS
    if not site.database.is_sqlite:  # what is small here may be large elsewhere
        site.connection.exec_driver_sql("SET enable_seqscan = off")
    known: dict[str, int] = {}
    routes, found, over = set(), set(), []
    for number, read in enumerate(reads.all(limit=LIMIT, by=("giant", OPERATOR))):
        if len(read.labels) > 1 and number % _PAIRS:
            continue
        with statements(site.database) as seen:
            response = site.send("GET", read.url, read.caller)
        routes.add(("GET", read.route))
        if response.status_code == 200:
            found.add(read.route)
        for statement in filter(is_read, seen):
            key = repr(statement)
            if key not in known:
                known[key] = _cost_of(site, statement)
                if known[key] > most:
                    over.append(f"{read.name}: {known[key]}\n{statement[0]}\n{plan(site.connection, statement)}")
    assert not over, (
        f"{[one.partition(chr(10))[0] for one in over]}: {len(over)} statements look at too much:\n\n"
        + "\n\n".join(over[:3])
    )
    unread = {("GET", route) for route in NOT_READ}
    unread |= {rule for rule, wanted in RULES.items() if wanted.roles <= wanted.people_of}  # one person's own affairs
    assert routes == {rule for rule in RULES if rule[0] == "GET"} - unread, "a route that nobody measures"
    assert {route for _, route in routes} - found == {_HAS_NO_ROWS}, "reads that find nothing"


def _cost_of(site: Site, statement: Statement) -> int:
    """What the statement examines. Where it looks for batches, also if PostgreSQL believes that it will find many, as it does in a
    large network: it then reads the whole table for a join, or more."""
    if site.database.is_sqlite or " batches" not in statement[0]:
        return cost(site.connection, statement)
    site.connection.exec_driver_sql("SET enable_nestloop = off")
    try:
        return cost(site.connection, statement)
    finally:
        site.connection.exec_driver_sql("SET enable_nestloop = on")


@pytest.mark.parametrize(
    ("filters", "share"),
    [({"created": "early"}, 0.2), ({"created": "late", "state": "active"}, 0.2), ({"state": "frozen"}, 0)],
    ids=["early", "late", "frozen"],
)
def test_pages_of_a_search_with_another_filter_show_all_that_fit(
    generated: tuple[Site, Reads], filters: dict[str, str], share: float
) -> None:
    """Each looks at some numbers only, so pages may be short. Together they show each member once, in the order of the numbers."""
    site, _ = generated
    asked, wanted = dict(filters), _known_by_giant(site)
    if when := asked.pop("created", None):
        times = sorted(member.created_at for _, member in wanted)
        moment = times[len(times) // 5 if when == "early" else len(times) * 4 // 5]
        asked["created[lt]" if when == "early" else "created[gte]"] = moment.isoformat()
        wanted = [(number, it) for number, it in wanted if (it.created_at < moment) == (when == "early")]
    if "state" in asked:
        with site.database.reading() as session:
            frozen = set(session.scalars(select(MemberFreeze.member_id)))
        wanted = [(number, it) for number, it in wanted if (it.id in frozen) == (asked["state"] == "frozen")]
    assert len(wanted) > share * SIZE.members * 0.6
    found, cursor = [], None
    while cursor is not None or not found:
        query = {"q": "c", "limit": 7, **asked, **({"cursor": cursor} if cursor else {})}
        page = site.send("GET", f"/v1/members?{urlencode(query)}", "giant").json()
        found += [member["id"] for member in page["data"]]
        cursor = page.get("next_cursor")
        assert found or cursor
    assert found == [member.id for _, member in sorted(wanted, key=itemgetter(0))]


def _known_by_giant(site: Site) -> list[tuple[str, Member]]:
    with site.database.reading() as session:
        query = select(func.min(MemberLink.external_id), Member).join(Member, Member.id == MemberLink.member_id)
        known = query.where(MemberLink.merchant_number == GIANT).group_by(Member)
        return [(number, member) for number, member in session.execute(known)]
