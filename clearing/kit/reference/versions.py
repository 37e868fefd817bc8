"""Versions that are missing: after a restore that fired no triggers, a table has rows and no version, and each look-up reads it."""

from __future__ import annotations

import secrets

from sqlalchemy import literal_column, select
from sqlalchemy.orm import Session

from clearing.kit.database import Base
from clearing.kit.reference.directory import copied_tables
from clearing.kit.reference.models import ReferenceVersion
from clearing.kit.upsert import insert_for


def tables_without_version(session: Session) -> list[str]:
    """The tables of reference data that have rows and no version. (One without rows gets its version with the first.)"""
    known = set(session.scalars(select(ReferenceVersion.table_name)))
    return [name for name in sorted(copied_tables() - known) if _has_rows(session, name)]


def add_missing_versions(session: Session) -> list[str]:
    """Gives those tables a version, and returns them."""
    missing = tables_without_version(session)
    for name in missing:
        values = {"table_name": name, "version": secrets.token_hex(16)}
        session.execute(insert_for(session)(ReferenceVersion).values(values).on_conflict_do_nothing())
    return missing


def _has_rows(session: Session, name: str) -> bool:
    table = Base.metadata.tables[name]
    return session.execute(select(literal_column("1")).select_from(table).limit(1)).first() is not None
