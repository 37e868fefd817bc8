"""Two transactions that meet on PostgreSQL: the first stops in its middle, the second goes as far as it can, then both go on."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event, text
from sqlalchemy.orm import Session

from clearing.kit.database import Database

_PATIENCE = 30.0
"""Seconds. Only a test that fails waits so long."""

ORDER = (
    *("transactions", "merges", "member_codes", "merchants", "signer_keys", "programs", "agreements", "orders"),
    *("accounts", "positions", "agreement_uses", "members", "instructions", "bank_movements"),
)
"""The tables of which transactions lock rows, as docs/decisions/0043-one-order-of-locks.md lists them."""

_LOCKING = re.compile(
    r"^UPDATE (?P<updated>\w+)|^INSERT INTO (?P<upserted>\w+) .* DO UPDATE|^SELECT .*?FROM (?P<locked>\w+).* FOR [A-Z ]*UPDATE",
    re.DOTALL,
)


def collide(database: Database, first: Callable[[], object], second: Callable[[], object], *, before: str) -> None:
    """Runs `first` up to its statement that matches `before`, then `second` until it waits for a lock or has ended, then both to
    their ends. Raises what they raise: of two that wait for each other, PostgreSQL ends one."""
    reached, go_on = threading.Event(), threading.Event()
    stopping = threading.local()

    def stop(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if getattr(stopping, "here", False) and re.search(before, statement, re.DOTALL):
            stopping.here = False
            reached.set()
            assert go_on.wait(_PATIENCE)

    def run_first() -> None:
        stopping.here = True
        first()

    event.listen(database.engine, "before_cursor_execute", stop)
    try:
        with ThreadPoolExecutor(2) as threads:
            one = threads.submit(run_first)
            try:
                assert reached.wait(_PATIENCE), f"it has no statement like {before}: {one}"
                other = threads.submit(second)
                _wait_for_lock(database, other)
            finally:
                go_on.set()
            one.result(_PATIENCE)
            other.result(_PATIENCE)
    finally:
        event.remove(database.engine, "before_cursor_execute", stop)


def _wait_for_lock(database: Database, running: Future[object]) -> None:
    """Until a transaction of this database waits for another one's lock, or this one needs none."""
    query = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    deadline = time.monotonic() + _PATIENCE
    while not running.done():
        with database.engine.connect() as connection:
            if connection.scalar(query):
                return
        assert time.monotonic() < deadline, "the second neither waits nor ends"
        time.sleep(0.01)


@contextmanager
def locks_in_order(database: Database) -> Iterator[set[tuple[str, str]]]:
    """Asserts of every transaction meanwhile that it locks tables for the first time in the order that all have agreed on. Yields
    the neighbours that were seen: (a table, the one locked after it)."""
    held: dict[int, list[str]] = {}
    seen: set[tuple[str, str]] = set()
    wrong: list[str] = []

    def note(connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        found = _LOCKING.search(statement)
        table = next(filter(None, found.groups()), None) if found else None
        tables = held.setdefault(id(connection.connection.dbapi_connection), [])
        if table not in ORDER or table in tables:
            return
        if tables and ORDER.index(table) < ORDER.index(tables[-1]):
            wrong.append(f"{table} after {tables[-1]}: {statement[:200]}")
        seen.update((tables[-1], table) for _ in tables[:1])
        tables.append(table)

    def forget(connection: Any) -> None:
        held.pop(id(connection.connection.dbapi_connection), None)

    for name, listener in (("before_cursor_execute", note), ("begin", forget)):
        event.listen(database.engine, name, listener)
    try:
        yield seen
    finally:
        for name, listener in (("before_cursor_execute", note), ("begin", forget)):
            event.remove(database.engine, name, listener)
    assert not wrong, "\n".join(wrong)


def small_deadlock_timeout(session: Session) -> None:
    """Lets the session's transaction look for a deadlock soon: only the test's superuser may say so."""
    session.execute(text("SET LOCAL deadlock_timeout = '20ms'"))
