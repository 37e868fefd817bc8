"""Becoming a Celery worker or its beat: the same process, so that signals reach it without a go-between."""

from __future__ import annotations

import os
import sys
import tempfile
from typing import NoReturn

from clearing.kit.config import settings

_APP = ["-m", "celery", "-A", "clearing.runtime.jobs.app", "--quiet"]
_ALONE = ["--without-gossip", "--without-mingle", "--without-heartbeat"]


def worker_command(*, processes: int, beat: bool) -> list[str]:
    """The command of a worker; with `beat`, of one that gives the timed work out, too."""
    arguments = ["worker", "--pool", "prefork", "--concurrency", str(processes), "--loglevel", "WARNING", *_ALONE]
    return [sys.executable, *_APP, *arguments, *(["--beat"] if beat else [])]


def run_worker(*, processes: int, beat: bool) -> NoReturn:
    """Becomes a worker."""
    _become(worker_command(processes=processes, beat=beat))


def run_beat() -> NoReturn:
    """Becomes the beat. Two of them do no harm."""
    _become([sys.executable, *_APP, "beat", "--loglevel", "WARNING", "--pidfile", ""])


def _become(command: list[str]) -> NoReturn:
    environment = dict(os.environ)
    if settings().metrics_port is not None:
        environment["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="tongdui-metrics-")
    os.execve(sys.executable, command, environment)  # noqa: S606 (our own command)
