"""Checks the database: does it answer, and does it have the schema of this version?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from clearing.kit.config import DATABASE_URL, DATABASE_URL_SHOULD, Settings, variable
from clearing.kit.database import Database, is_later, newest_revision
from clearing.kit.reference.versions import tables_without_version
from clearing.runtime.preflight.refusal import CannotRun

log = structlog.get_logger(__name__)

_URL = variable("database_url")


@contextmanager
def open_database(settings: Settings) -> Iterator[Database]:
    """The database, with the schema of this version."""
    check_schema(settings)
    database = Database(settings.database_url)
    try:
        yield database
    finally:
        database.close()


def check_schema(settings: Settings, *, wait_for_server: bool = False) -> None:
    """Refuses a database without the schema of this version."""
    check_location(settings.database_url)
    path = _sqlite_file(settings.database_url)
    if path is not None and not path.exists():  # connecting would make an empty file
        raise CannotRun(f"{_URL}: there is no database at {path} yet; run `clearing migrate`")
    database = Database(settings.database_url)
    try:
        found = database.revision()
        unversioned = _tables_without_version(database) if found == newest_revision() else []
    except SQLAlchemyError as error:
        if wait_for_server:
            return
        raise CannotRun(f"{_URL}: the database at {_shown(database.url)} does not answer: {reason(error)}") from error
    finally:
        database.close()
    if unversioned:
        raise CannotRun(
            f"{_URL}: in {_shown(database.url)}, reference_versions has no row for {', '.join(unversioned)}, as after a restore "
            "without triggers, so every request would read them whole; run `clearing migrate`, which adds the rows"
        )
    if found is None:
        raise CannotRun(f"{_URL}: the database at {_shown(database.url)} has no tables; run `clearing migrate`")
    if is_later(found):
        log.warning(
            "the schema is of a later version, which leaves this one what it needs until it is upgraded", at=found
        )
    elif found != newest_revision():
        raise CannotRun(
            f"{_URL}: the schema of {_shown(database.url)} is at migration {found}, and this version needs "
            f"{newest_revision()}; run `clearing migrate` with the newer version"
        )


def _tables_without_version(database: Database) -> list[str]:
    with database.reading() as session:
        return tables_without_version(session)


def check_empty_target(url: str, name: str) -> None:
    """Refuses a URL that is none, and a server that does not answer; `name` is the argument that gave it."""
    if not re.match(DATABASE_URL, url):
        raise CannotRun(f"{name}: {DATABASE_URL_SHOULD}")
    check_location(url, name)
    if _sqlite_file(url) is None:
        database = Database(url)
        try:
            database.revision()
        except SQLAlchemyError as error:
            raise CannotRun(f"{name}: the database at {_shown(url)} does not answer: {reason(error)}") from error
        finally:
            database.close()


def check_location(url: str, name: str = _URL) -> None:
    """Refuses a URL that cannot be read, and a SQLite file in a directory that does not exist."""
    try:
        path = _sqlite_file(url)
    except ArgumentError:
        raise CannotRun(f"{name}: {DATABASE_URL_SHOULD}") from None
    if path is not None and not path.absolute().parent.is_dir():
        raise CannotRun(f"{name}: there is no directory {path.parent}")


def reason(error: SQLAlchemyError) -> str:
    """Why the database failed, in the driver's words, without the statement."""
    said = str(error.orig) if isinstance(error, DBAPIError) else str(error)
    return said.strip().partition("\n")[0]


def _sqlite_file(url: str) -> Path | None:
    parsed = make_url(url)
    return Path(parsed.database) if parsed.get_backend_name() == "sqlite" and parsed.database else None


def _shown(url: str) -> str:
    """Where the database is, without the password."""
    return make_url(url).render_as_string(hide_password=True)
