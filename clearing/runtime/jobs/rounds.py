"""What a round is: a long job in the rounds' queue that never runs beside itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, TypeVar

import structlog
from celery import shared_task

from clearing.kit.database import Database
from clearing.pipeline.leadership import Leadership
from clearing.runtime.jobs.context import context
from clearing.runtime.jobs.processes import ROUNDS_QUEUE

log = structlog.get_logger(__name__)

T = TypeVar("T")

_SOFT_LIMIT, _LIMIT = 1_500, 1_530
"""Seconds after which a round is told to end, and killed. It goes on where it was when its time comes again."""


@contextmanager
def alone(database: Database, name: str) -> Iterator[bool]:
    """Holds the lock of a round, and says whether this process got it. When the process dies, the database or the operating system
    gives the lock free."""
    lock = Leadership(database, f"round-{name}")
    try:
        yield lock.acquire()
    finally:
        lock.release()


def a_round(name: str) -> Callable[[Callable[[], T]], Any]:
    """Makes a job of a function that does what is due. While it runs in one process, others leave it alone."""

    def define(work: Callable[[], T]) -> Any:
        @shared_task(name=name, queue=ROUNDS_QUEUE, soft_time_limit=_SOFT_LIMIT, time_limit=_LIMIT)
        @wraps(work)
        def job() -> T | None:
            with alone(context().database, name) as is_mine:
                if is_mine:
                    return work()
            log.info("a round is still running", round=name)
            return None

        return job

    return define
