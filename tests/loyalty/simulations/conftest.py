"""A programme with a station and the classic rules, over its API, on each database."""

from __future__ import annotations

import pytest

from loyalty.kit.database import Database
from tests.loyalty.http_calls import api_on
from tests.loyalty.intake.shop import Shop


@pytest.fixture
def shop(programme: Database) -> Shop:
    """A shop whose rules are in force."""
    found = Shop(api_on(programme))
    found.open()
    return found
