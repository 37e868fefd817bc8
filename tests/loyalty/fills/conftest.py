"""A programme with a station whose pumps, bays and cameras post what they see, on each database."""

from __future__ import annotations

import pytest

from loyalty.kit.database import Database
from tests.loyalty.fills.forecourt import Forecourt
from tests.loyalty.http_calls import api_on
from tests.loyalty.intake.shop import Shop


@pytest.fixture
def forecourt(programme: Database) -> Forecourt:
    """A forecourt whose rules are in force."""
    shop = Shop(api_on(programme))
    shop.open()
    return Forecourt(shop)
