"""What `make test` tries of a programme on one database, and `make nightly` on both."""

from __future__ import annotations

import pytest

from tests.support.nightly import IS_NIGHTLY

on_postgresql_by_day = pytest.mark.parametrize(
    "programme_url", ["sqlite", "postgresql"] if IS_NIGHTLY else ["postgresql"], indirect=True
)
"""For what starts processes that die: each takes seconds to load, and a commit is a commit in both."""
