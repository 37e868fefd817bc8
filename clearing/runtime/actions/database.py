"""Upgrades the database's schema."""

from __future__ import annotations

import sys

import clearing.models  # noqa: F401 (every entry point loads every table)
from clearing.kit.config import Settings
from clearing.kit.database import Database
from clearing.kit.reference.versions import add_missing_versions
from clearing.runtime.preflight.database import check_location


def migrate(settings: Settings) -> int:
    """Brings the schema to the newest migration."""
    check_location(settings.database_url)
    database = Database(settings.database_url)
    try:
        database.upgrade()
        with database.session.begin() as session:
            added = add_missing_versions(session)
    finally:
        database.close()
    if added:
        sys.stdout.write(f"Rows of reference_versions were missing for {', '.join(added)}; they are there now.\n")
    sys.stdout.write("The schema is up to date.\n")
    return 0
