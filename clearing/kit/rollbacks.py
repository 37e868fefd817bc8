"""Transactions that the database rolls back although nothing is wrong with them: they are repeated, here and nowhere else.

A daemon's step is a transaction, too; its loop (`runtime/daemon.py`) repeats it like any step that failed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from clearing.kit import metrics
from clearing.kit.database import Database

log = structlog.get_logger(__name__)

R = TypeVar("R")

_ATTEMPTS = 3
_CAUSES = {"40001": "serialization", "40P01": "deadlock"}
"""PostgreSQL's names for: somebody else was faster, and two that waited for each other."""


def transact(database: Database, work: Callable[[Session], R]) -> R:
    """Does the work in a transaction; in a new one, if the database rolls that back for no fault of the work's."""

    def attempt() -> R:
        with database.session.begin() as session:
            return work(session)

    return repeated(attempt)


def repeated(attempt: Callable[[], R], *, start_over: Callable[[], None] = lambda: None) -> R:
    """What the attempt returns: it makes a transaction, and comes again, after `start_over`, where the database rolled that back.
    Nothing of it happened then, so trying again is safe; and whoever was in the way has gone on meanwhile."""
    for left in reversed(range(_ATTEMPTS)):
        try:
            return attempt()
        except DBAPIError as error:
            cause = cause_of(error)
            if cause is None:
                raise
            metrics.ROLLED_BACK.labels(cause).inc()
            log.warning("rolled back by the database", cause=cause, attempts_left=left)
            if not left:
                raise
            start_over()
    raise AssertionError("the last attempt returns or raises")


def cause_of(error: DBAPIError) -> str | None:
    """Why the database rolled a transaction back that may be repeated; None if it may not."""
    return _CAUSES.get(getattr(error.orig, "sqlstate", ""))
