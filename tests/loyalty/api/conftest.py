"""The API on each database."""

from __future__ import annotations

import pytest

from loyalty.kit.database import Database
from tests.loyalty.http_calls import Api, api_on


@pytest.fixture
def api(programme: Database) -> Api:
    """The API, with a key for each role."""
    return api_on(programme)
