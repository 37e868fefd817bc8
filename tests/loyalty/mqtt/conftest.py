"""A forecourt whose devices publish to a real broker, on each database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from loyalty.kit.database import Database
from scripts.dev.services import Mosquitto
from tests.loyalty.fills.forecourt import Forecourt
from tests.loyalty.http_calls import api_on
from tests.loyalty.intake.shop import Shop
from tests.loyalty.mqtt.field import Field


@pytest.fixture
def field(programme: Database, tmp_path: Path) -> Iterator[Field]:
    """A forecourt with a pump and a broker that knows it; nobody listens yet."""
    shop = Shop(api_on(programme))
    shop.open()
    forecourt = Forecourt(shop)
    pump = forecourt.pump()
    users = tmp_path / "users"
    users.mkdir()
    Field.write_users(programme, users)
    with Mosquitto(users) as broker:
        found = Field(forecourt, pump, broker, users, programme)
        yield found
        found.close()
