"""What a reconciliation reads of the daily totals costs the same after ten years as on the first day."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event, insert, text

from clearing.kit.database import Database
from clearing.ledger.activity.models import BANK, EVER, EVERYONE, NO_PROGRAM, DailyTotal, Flow
from clearing.ledger.activity.repository import ActivityRepository
from clearing.oversight.reconciliation.repository import Snapshot
from tests.support.chainless import ChainlessNetwork


@contextmanager
def reads_of_totals(database: Database) -> Iterator[list[str]]:
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "FROM daily_totals" in statement:
            statements.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    yield statements
    event.remove(database.engine, "before_cursor_execute", note)


def _fill(network: ChainlessNetwork, days: int) -> None:
    key = {"counterparty": EVERYONE, "program": NO_PROGRAM, "kind": BANK, "reversed_kind": 0, "flow": int(Flow.IN)}
    with network.database.session.begin() as session:
        for merchant in (1, 2):
            for day, micros in ((EVER, days * 5), *((19_000 + day, 5) for day in range(days))):
                values = {"merchant": merchant, "day": day, "entries": 1, "points": 0, "micros": micros, "fees": 0}
                session.execute(insert(DailyTotal).values(**key, **values))


def test_a_snapshot_reads_the_totals_of_all_days_once(chainless: ChainlessNetwork) -> None:
    _fill(chainless, 10)
    with reads_of_totals(chainless.database) as statements, chainless.database.reading() as session:
        snapshot = Snapshot(session)
        assert snapshot.activity_net() == {1: 50, 2: 50}
        assert snapshot.program_totals() == {}
        assert snapshot.activity_net() == {1: 50, 2: 50}
    assert len(statements) == 1


def test_the_totals_of_all_days_are_found_by_an_index(chainless: ChainlessNetwork) -> None:
    _fill(chainless, 500)
    with reads_of_totals(chainless.database) as statements, chainless.database.session() as session:
        assert len(ActivityRepository(session).all_ever()) == 2
        if chainless.database.is_sqlite:
            plan = session.execute(text(f"EXPLAIN QUERY PLAN {statements[0]}")).all()
        else:
            session.execute(text("ANALYZE daily_totals"))
            plan = session.execute(text(f"EXPLAIN {statements[0]}")).all()
    assert "daily_totals_ever_index" in str(plan), plan
