"""Several processes that serve one socket. They share nothing else but the database.

The parent listens and answers nothing: it replaces a worker that dies, and passes on what it is told by signals.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable

import structlog

from clearing.runtime.prctl import die_with_parent

log = structlog.get_logger(__name__)

NOT_STARTED = 3
"""Exit code of a worker that could not begin to serve; another one could not either."""
_HEARD = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGALRM)
_FIRST_PAUSE, _LONGEST_PAUSE = 1, 30
"""Seconds before a worker is replaced that has died soon after its start; they double each time."""
_SOON = 10.0

Work = Callable[[int], int]
"""Serves as the worker with this number, until SIGTERM; the process's exit code."""


class Workers:
    """The parent of the workers."""

    def __init__(self, count: int, work: Work, *, patience: int) -> None:
        """`patience`: how many seconds workers may take to end after SIGTERM, before they are killed."""
        self._work = work
        self._patience = patience
        self._numbers: dict[int, int] = {}
        """The number of each worker that lives, by its process id."""
        self._missing = list(range(count))
        self._began = 0.0
        self._pause = 0
        self._stopping = False
        self._exit_code = 0

    def run(self) -> int:
        """Serves until SIGTERM or SIGINT, then lets the workers answer what they have begun; the exit code."""
        signal.signal(signal.SIGCHLD, lambda *_: None)  # elsewhere than on Linux, what is ignored cannot be waited for
        blocked = signal.pthread_sigmask(
            signal.SIG_BLOCK, _HEARD
        )  # they are taken one by one: no handler interrupts anything
        try:
            self._start_missing()
            while self._numbers or not self._stopping:
                self._hear(signal.Signals(signal.sigwait(_HEARD)))
        finally:
            signal.alarm(0)
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        return self._exit_code

    def _hear(self, heard: signal.Signals) -> None:
        if heard == signal.SIGCHLD:
            self._bury()
        elif heard != signal.SIGALRM:
            self._stop()
        elif self._stopping:
            self._send(signal.SIGKILL)
        else:
            self._start_missing()

    # ---------------------------------------------------------------- beginning

    def _start_missing(self) -> None:
        self._began = time.monotonic()
        while self._missing:
            self._start(self._missing.pop(0))

    def _start(self, number: int) -> None:
        parent = os.getpid()
        child = os.fork()
        if child:
            self._numbers[child] = number
            log.info("worker started", worker=number, pid=child)
            return
        code = 1
        try:
            code = self._serve(number, parent)
        except BaseException:
            log.exception("worker failed", worker=number)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)  # what the parent has begun is not this process's to end

    def _serve(self, number: int, parent: int) -> int:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _HEARD)
        die_with_parent(signal.SIGTERM)
        if os.getppid() != parent:
            return 0  # it died before we could ask to be told
        return self._work(number)

    # ---------------------------------------------------------------- ending

    def _stop(self) -> None:
        if not self._stopping:
            self._stopping = True
            self._send(signal.SIGTERM)
            signal.alarm(self._patience)

    def _send(self, number: signal.Signals) -> None:
        for child in self._numbers:
            os.kill(child, number)

    def _bury(self) -> None:
        """Takes note of all workers that have ended: one signal may stand for several of them."""
        while self._numbers and (ended := os.waitpid(-1, os.WNOHANG))[0]:
            number = self._numbers.pop(ended[0], None)
            if number is not None and not self._stopping:
                self._replace(number, os.waitstatus_to_exitcode(ended[1]))

    def _replace(self, number: int, code: int) -> None:
        if code == NOT_STARTED:
            self._exit_code = code
            self._stop()
            return
        is_soon = time.monotonic() - self._began < _SOON
        self._pause = min(max(self._pause * 2, _FIRST_PAUSE), _LONGEST_PAUSE) if is_soon else 0
        log.error("worker died, will be replaced", worker=number, exit_code=code, seconds=self._pause)
        self._missing.append(number)
        if self._pause:
            signal.alarm(self._pause)
        else:
            self._start_missing()
