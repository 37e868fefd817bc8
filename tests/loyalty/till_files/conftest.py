"""A programme with a station and the classic rules, on each database, and the files of its till."""

from __future__ import annotations

from pathlib import Path

import pytest

from loyalty.kit.database import Database
from tests.loyalty.http_calls import api_on
from tests.loyalty.intake.shop import Shop
from tests.loyalty.till_files.back_office import BackOffice


@pytest.fixture
def office(programme: Database, tmp_path: Path) -> BackOffice:
    """The back office of a shop whose rules are in force."""
    shop = Shop(api_on(programme))
    shop.open()
    return BackOffice(shop, programme, tmp_path)
