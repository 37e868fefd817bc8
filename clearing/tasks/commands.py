"""Becoming a Celery worker or its beat: the same process, so that signals reach it without a go-between."""

from __future__ import annotations

import os
import sys
import tempfile
from typing import NoReturn

from ..config import settings

_APP = ["-m", "celery", "-A", "clearing.tasks.app", "--quiet"]
_ALONE = ["--without-gossip", "--without-mingle", "--without-heartbeat"]


def run_worker(*, processes: int, beat: bool) -> NoReturn:
    """Becomes a worker; with `beat`, one that gives out the timed work, too."""
    arguments = ["worker", "--pool", "prefork", "--concurrency", str(processes), "--loglevel", "WARNING", *_ALONE]
    _become([*arguments, "--beat"] if beat else arguments)


def run_beat() -> NoReturn:
    """Becomes the beat. Two of them do no harm."""
    _become(["beat", "--loglevel", "WARNING", "--pidfile", ""])


def _become(arguments: list[str]) -> NoReturn:
    environment = dict(os.environ)
    if settings().metrics_port is not None:
        environment["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="tongdui-metrics-")
    os.execve(sys.executable, [sys.executable, *_APP, *arguments], environment)  # noqa: S606 (our own command)
