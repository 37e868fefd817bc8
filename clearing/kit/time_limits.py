"""How long statements that read may take."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from clearing.kit.database import dialect_of

_QUERY_CANCELED = "57014"
_STEPS = 10_000
"""Of SQLite's virtual machine, between two looks at the clock: well under a millisecond."""


@contextmanager
def at_most(session: Session, seconds: float) -> Iterator[None]:
    """Ends each of the session's statements that takes longer, with an error that `is_out_of_time`. SQLite, which has no such
    setting, counts all of them together. The transaction must end with the block."""
    connection = session.connection()
    if dialect_of(session) == "postgresql":
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = {max(1, int(seconds * 1_000))}")
        yield
        return
    raw: Any = connection.connection.dbapi_connection
    deadline = time.monotonic() + seconds
    raw.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
    try:
        yield
    finally:
        raw.set_progress_handler(None, 0)


def is_out_of_time(error: OperationalError) -> bool:
    """Whether a statement failed because it took too long."""
    code = getattr(error.orig, "sqlite_errorcode", None)
    return code == sqlite3.SQLITE_INTERRUPT or getattr(error.orig, "sqlstate", None) == _QUERY_CANCELED
