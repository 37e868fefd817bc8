"""Only repositories ask the database: ruff sees what a module imports (.ruff-sql.toml), and this sees what it calls."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
QUERIES = {"execute", "get", "get_one", "query", "scalar", "scalars", "stream", "stream_scalars"}
ALLOWED = ("kit/", "migrations/", "repository.py", "_repository.py", "pipeline/leadership.py")


def queries(source: str) -> Iterator[int]:
    """Lines that call a query method of something called a session or connection."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in QUERIES:
            owner = node.func.value
            name = owner.attr if isinstance(owner, ast.Attribute) else owner.id if isinstance(owner, ast.Name) else ""
            if name.lstrip("_") in {"session", "connection"}:
                yield node.lineno


def test_services_and_routes_ask_repositories_only() -> None:
    found = []
    for part in ("clearing", "gateway", "loyalty"):
        for path in sorted((ROOT / part).rglob("*.py")):
            place = path.relative_to(ROOT / part).as_posix()
            if not (place.startswith(ALLOWED[:2]) or place.endswith(ALLOWED[2:])):
                found += [f"{part}/{place}:{line}" for line in queries(path.read_text())]
    assert found == []


def test_a_query_is_found() -> None:
    assert list(queries("def f(self):\n    return self._session.get(Order, 1)\n")) == [2]
    assert list(queries("rows = session.scalars(query)\nvalue = mapping.get('x')\n")) == [1]
