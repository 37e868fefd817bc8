"""Turns this process into a Celery worker or beat, so that signals reach it directly."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import NoReturn

from clearing.kit.config import Settings

QUEUE = "tongdui"
"""Jobs that are done in a moment: webhooks, mails, holds, alerts."""
ROUNDS_QUEUE = "tongdui-rounds"
"""Rounds, which may take long: expiry, reminders, statements, reconciliation, cleaning up. Nothing quick waits behind one. Merges
are among them, because they sign as expiry does: so workers for quick jobs need no keys of merchants."""

_METRICS = "tongdui-metrics-"
_APP = ["-m", "celery", "-A", "clearing.runtime.jobs.app", "--quiet"]
_ALONE = ["--without-gossip", "--without-mingle", "--without-heartbeat"]


def worker_command(queue: str, *, processes: int, beat: bool) -> list[str]:
    """The command of a worker on one queue; with `beat`, of one that also sends out the jobs."""
    arguments = ["worker", "--queues", queue, "--hostname", f"{queue}@%h", "--pool", "prefork"]
    arguments += ["--concurrency", str(processes), "--loglevel", "WARNING", *_ALONE]
    return [sys.executable, *_APP, *arguments, *(["--beat"] if beat else [])]


def become_worker(settings: Settings, queue: str, *, processes: int, beat: bool) -> NoReturn:
    """Becomes a worker."""
    _become(settings, worker_command(queue, processes=processes, beat=beat))


def become_beat(settings: Settings) -> NoReturn:
    """Becomes the beat. A second one does no harm."""
    _become(settings, [sys.executable, *_APP, "beat", "--loglevel", "WARNING", "--pidfile", ""])


def _become(settings: Settings, command: list[str]) -> NoReturn:
    environment = dict(os.environ)
    if settings.metrics_port is not None:
        environment["PROMETHEUS_MULTIPROC_DIR"] = metrics_directory()
    os.execve(sys.executable, command, environment)  # noqa: S606 (our own command)


def metrics_directory() -> str:
    """A new directory for the metrics of this worker's processes. Removes those of workers that are gone: whoever was killed could
    not."""
    for directory in Path(tempfile.gettempdir()).glob(f"{_METRICS}*"):
        pid = directory.name.removeprefix(_METRICS).partition("-")[0]
        if pid.isdigit() and not _lives(int(pid)):
            shutil.rmtree(directory, ignore_errors=True)  # it may be another user's
    return tempfile.mkdtemp(prefix=f"{_METRICS}{os.getpid()}-")


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
