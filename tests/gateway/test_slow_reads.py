"""A list that takes too long is given up, and says what would make it shorter."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from clearing.kit.database import dialect_of
from clearing.parties.access.repository import ApiKeyRepository
from tests.gateway.site import Site, until

SLOW = {
    "postgresql": "SELECT pg_sleep(3600)",
    "sqlite": "WITH RECURSIVE n (i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n",
}
"""Statements that do not end within an hour."""


def test_a_list_that_takes_too_long_says_what_to_narrow(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(repository: ApiKeyRepository, **_: object) -> None:
        session = repository._session
        session.execute(text(SLOW[dialect_of(session)]))

    with Site(database_url, tmp_path, read_timeout=0.2) as site:
        with monkeypatch.context() as patched:
            patched.setattr(ApiKeyRepository, "list", slow)
            response = site.call("GET", "/v1/api_keys")
        assert (response.status_code, response.json()["code"]) == (504, "read_too_slow")
        detail = response.json()["detail"]
        assert detail.startswith("this took longer than 0.2 seconds")
        assert "narrow created_by or ask for fewer at a time (limit)" in detail
        assert "retry-after" not in response.headers
        until(lambda: site.call("GET", "/v1/api_keys").status_code == 200)
        if (
            not site.database.is_sqlite
        ):  # the connection is in the pool again, and what comes next takes as long as it needs
            with site.database.session() as session:
                assert session.scalar(text("SHOW statement_timeout")) == "0"
