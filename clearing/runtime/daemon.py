"""The loop around a daemon's `step()`: leadership, pauses while idle, retries while the chain or the database is away."""

from __future__ import annotations

import signal
import threading
from typing import Protocol

import structlog
from sqlalchemy.exc import SQLAlchemyError

from clearing.chain.client import ChainError, ChainUnreachable
from clearing.kit import metrics
from clearing.kit.garbage import freeze_startup_objects
from clearing.pipeline.leadership import Leadership

log = structlog.get_logger(__name__)

_LONGEST_PAUSE = 5.0
_STANDBY_PAUSE = 0.5


class Steps(Protocol):
    """A daemon that works in bounded steps."""

    def step(self) -> bool:
        """Takes one step; False if there was nothing to do."""
        ...


def stop_on_signals() -> threading.Event:
    """An event that SIGTERM or SIGINT sets."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def run(name: str, worker: Steps, leadership: Leadership, poll_interval: float, stop: threading.Event) -> None:
    """Steps until `stop` is set. A process that is not the leader waits until the leader is gone."""
    freeze_startup_objects()
    log.info("started", daemon=name)
    pause = 0.0
    while not stop.wait(pause):
        if not leadership.acquire():
            pause = _STANDBY_PAUSE
            continue
        try:
            pause = 0.0 if worker.step() else poll_interval
        except (ChainError, ChainUnreachable, SQLAlchemyError) as error:
            # A step commits or it does not; the next one starts from what is stored.
            pause = min(max(pause, poll_interval) * 2, _LONGEST_PAUSE)
            metrics.STEPS_FAILED.labels(name).inc()
            log.warning("step failed, will try again", daemon=name, error=str(error), seconds=pause)
        except Exception:
            # A bug of ours, or an answer that no node should give. Nothing is committed, and dying would not repair it.
            pause = min(max(pause, poll_interval) * 2, _LONGEST_PAUSE)
            metrics.STEPS_FAILED.labels(name).inc()
            log.exception("step failed unexpectedly, will try again", daemon=name, seconds=pause)
    leadership.release()
    log.info("stopped", daemon=name)
