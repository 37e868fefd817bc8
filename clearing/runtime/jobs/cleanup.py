"""Removes rows that nobody needs any more, a limited number in each transaction."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy.orm import Session

from clearing.kit.bulk_delete import Expiring
from clearing.kit.database import Database
from clearing.kit.rollbacks import transact

_ROWS = 5_000


Step = Callable[[Session, datetime, int], bool]
"""Removes some old rows, and says whether there may be more."""


def remove_old(database: Database, step: Step, before: datetime) -> None:
    """Repeats a step, each time in a transaction of its own, until nothing from before this moment is left to do."""
    while True:
        if not transact(database, lambda session: step(session, before, _ROWS)):
            return


def remove_expired(database: Database, repository: Callable[[Session], Expiring], before: datetime) -> int:
    """Removes the rows of a repository that were over before this moment; how many."""
    total = 0
    while True:
        removed = transact(database, lambda session: repository(session).remove_expired(before, _ROWS))
        total += removed
        if removed < _ROWS:
            return total
