"""Upgrades the database's schema."""

from __future__ import annotations

import sys

from clearing.kit.config import Settings
from clearing.kit.database import Database
from clearing.runtime.preflight.database import check_location


def migrate(settings: Settings) -> int:
    """Brings the schema to the newest migration."""
    check_location(settings.database_url)
    database = Database(settings.database_url)
    try:
        database.upgrade()
    finally:
        database.close()
    sys.stdout.write("The schema is up to date.\n")
    return 0
