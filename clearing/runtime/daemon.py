"""The loop around a daemon's `step()`: leadership, pauses while idle, retries while the chain or the database is away."""

from __future__ import annotations

import os
import select
import signal
import weakref
from collections.abc import Collection
from contextlib import suppress
from typing import Protocol

import structlog
from sqlalchemy.exc import SQLAlchemyError

from clearing.chain.errors import ChainError, ChainUnreachable
from clearing.kit import metrics
from clearing.kit.garbage import freeze_startup_objects
from clearing.kit.signing.signer import SignerUnavailable
from clearing.kit.wakeups.channels import Channel, Pause
from clearing.pipeline.failures.repository import FailureRepository
from clearing.pipeline.leadership import Leadership
from clearing.runtime.preflight.refusal import CannotRun

log = structlog.get_logger(__name__)

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
"""Seconds after a step that failed; they double with each further failure."""
_STANDBY_PAUSE = 0.5


class Steps(Protocol):
    """A daemon that works in bounded steps."""

    def step(self) -> bool:
        """Takes one step; False if there was nothing to do."""
        ...

    def pause(self, *, worked: bool, woken: bool) -> Pause:
        """How long to do nothing after a step; whether that found anything to do, and whether a wake-up led to it."""
        ...


class Failures:
    """Tells the network's health why a daemon does not get on. It writes where something has changed, and at its beginning: whoever
    led before may have ended in the middle of a failure."""

    def __init__(self, leadership: Leadership) -> None:
        self._leadership = leadership
        self._told: str | None = ""

    def tell(self, error: Exception | None) -> None:
        """Why the step has failed; None if it has not."""
        said = None if error is None else _in_words(error)
        if said == self._told:
            return
        with suppress(SQLAlchemyError):  # nobody can be told then: the next step tries again
            with self._leadership.database.session.begin() as session:
                failures = FailureRepository(session)
                if said is None:
                    failures.clear(self._leadership.names)
                else:
                    failures.note(self._leadership.names, said)
            self._told = said


def _in_words(error: Exception) -> str:
    if isinstance(error, SQLAlchemyError):
        return f"the database does not answer as it should ({type(error).__name__})"
    if isinstance(error, (ChainError, ChainUnreachable, SignerUnavailable)):
        return str(error)
    return f"an error that it does not expect ({type(error).__name__}): its log says more"


class Attention:
    """Where a daemon pauses: until somebody stops it, or something that it waits for has happened."""

    def __init__(self) -> None:
        # A signal handler may not wait for a lock, as setting a `threading.Event` would.
        self._bell, self._rope = os.pipe()
        os.set_blocking(self._rope, False)
        weakref.finalize(self, _close, self._bell, self._rope)
        self._awaited: Collection[Channel] = ()
        self._missed: set[Channel] = set()
        self._stopped = False

    def is_stopped(self) -> bool:
        """Whether it was stopped."""
        return self._stopped

    def stop(self) -> None:
        """Ends the pause and lets the daemon end."""
        self._stopped = True
        self._ring()

    def hear(self, channel: Channel) -> None:
        """Ends the pause, if it is for that."""
        self._missed.add(channel)
        if channel in self._awaited:
            self._ring()

    def pause(self, pause: Pause) -> bool:
        """Waits; True if a wake-up ended it. What happened since the last pause that would have ended this one ends it at once."""
        self._awaited = pause.channels
        was_missed = not self._missed.isdisjoint(pause.channels)
        is_rung = self._is_rung(0 if was_missed else pause.seconds)
        self._awaited = ()
        self._missed.clear()
        return was_missed or is_rung

    def _ring(self) -> None:
        with suppress(BlockingIOError):  # it has not been heard yet
            os.write(self._rope, b".")

    def _is_rung(self, seconds: float) -> bool:
        poll = select.poll()
        poll.register(self._bell, select.POLLIN)
        return bool(poll.poll(seconds * 1_000)) and bool(os.read(self._bell, 4_096))


def _close(*descriptors: int) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def stop_on_signals() -> Attention:
    """What SIGTERM or SIGINT stops."""
    attention = Attention()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: attention.stop())
    return attention


def run(name: str, worker: Steps, leadership: Leadership, attention: Attention) -> None:
    """Steps until it is stopped. A process that is not the leader waits until the leader is gone. Raises CannotRun where a step
    does: no later one would be better."""
    freeze_startup_objects()
    log.info("started", daemon=name)
    woken, leads, failed, failures = False, False, 0.0, Failures(leadership)
    while not attention.is_stopped():
        if not leadership.acquire():
            leads, failures = False, Failures(leadership)  # whoever leads now may leave some
            woken = attention.pause(Pause(_STANDBY_PAUSE))
            continue
        if not leads:
            leads = True
            log.info("leads now", daemon=name)
        failure: Exception | None = None
        try:
            pause = worker.pause(worked=worker.step(), woken=woken)
            failed = 0.0
        except CannotRun:
            leadership.release()
            raise
        except (ChainError, ChainUnreachable, SignerUnavailable, SQLAlchemyError) as error:
            # A step commits or it does not; the next one starts from what is stored.
            failed, failure = _longer(failed), error
            log.warning("step failed, will try again", daemon=name, error=str(error), seconds=failed)
        except Exception as error:
            # A bug of ours, or an answer that no node should give. Nothing is committed, and dying would not repair it.
            failed, failure = _longer(failed), error
            log.exception("step failed unexpectedly, will try again", daemon=name, seconds=failed)
        if failed:
            metrics.STEPS_FAILED.labels(name).inc()
            pause = Pause(failed)
        failures.tell(failure)
        woken = attention.pause(pause)
    leadership.release()
    log.info("stopped", daemon=name)


def _longer(pause: float) -> float:
    return min(max(pause * 2, _FIRST_PAUSE), _LONGEST_PAUSE)
