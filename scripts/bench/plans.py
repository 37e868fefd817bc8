"""How much of the database a statement looks at: the rows that it examines on PostgreSQL, the steps that it takes on SQLite.

Both are exact, and the same on every machine. They say whether a statement costs the same at any size; a plan says only how.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, event

from clearing.kit.database import Database

Statement = tuple[str, Any]
"""Its text and its parameters."""
STEPS = 100
"""SQLite counts so many steps at once."""
REFERENCE_TABLES = frozenset(
    {"merchants", "programs", "agreements", "api_keys", "signer_keys", "positions", "webhook_endpoints", "expiry_marks"}
)
"""Tables that grow with the number of partners, not with trade: to read one of them whole is right."""


@contextmanager
def statements(database: Database) -> Iterator[list[Statement]]:
    """What is sent to the database meanwhile."""
    seen: list[Statement] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        seen.append((statement, parameters))

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(database.engine, "before_cursor_execute", note)


def cost(connection: Connection, statement: Statement) -> int:
    """Runs a SELECT; returns the rows that it examined (PostgreSQL), or the steps that it took (SQLite)."""
    text, parameters = statement
    if connection.dialect.name == "sqlite":
        return _steps(connection, text, parameters)
    explained = connection.exec_driver_sql(
        f"EXPLAIN (ANALYZE, TIMING OFF, BUFFERS OFF, FORMAT JSON) {text}", parameters
    )
    root: dict[str, Any] = explained.scalar_one()[0]["Plan"]
    return _examined(root)


def is_read(statement: Statement) -> bool:
    """Whether it only reads."""
    return statement[0].lstrip().startswith(("SELECT", "WITH"))


def plan(connection: Connection, statement: Statement) -> str:
    """How the database does it, for people."""
    text, parameters = statement
    explain = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN (ANALYZE, TIMING OFF)"
    rows = connection.exec_driver_sql(f"{explain} {text}", parameters)
    return "\n".join(str(row[-1]) for row in rows)


def _examined(node: dict[str, Any]) -> int:
    below = sum(_examined(child) for child in node.get("Plans", ()))
    if node.get("Relation Name") in REFERENCE_TABLES:
        return below
    if "Relation Name" not in node and node["Node Type"] != "Bitmap Index Scan":
        return below
    removed = ("Rows Removed by Filter", "Rows Removed by Index Recheck", "Rows Removed by Join Filter")
    rows = node["Actual Rows"] + sum(node.get(name, 0) for name in removed)
    return below + int(rows * node["Actual Loops"] + 0.5)


def _steps(connection: Connection, statement: str, parameters: Any) -> int:
    driver: sqlite3.Connection = connection.connection.driver_connection  # type: ignore[assignment]
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += STEPS
        return 0

    driver.set_progress_handler(count, STEPS)
    try:
        connection.exec_driver_sql(statement, parameters).fetchall()
    finally:
        driver.set_progress_handler(None, 0)
    return steps
