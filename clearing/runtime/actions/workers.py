"""Becomes a Celery worker or its beat."""

from __future__ import annotations

import clearing.models  # noqa: F401 (every entry point loads every table: foreign keys point at them)
from clearing.kit.config import Settings
from clearing.runtime.jobs.processes import QUEUE, ROUNDS_QUEUE, become_beat, become_worker
from clearing.runtime.preflight.keys import check_secrets
from clearing.runtime.preflight.process import check_process
from clearing.runtime.preflight.sealed import check_sealed


def run_worker(settings: Settings, *, processes: int, beat: bool) -> int:
    """Becomes a worker for quick jobs."""
    check_process(settings)
    check_secrets(settings, "worker")
    check_sealed(settings, "worker")
    become_worker(settings, QUEUE, processes=processes, beat=beat)


def run_rounds(settings: Settings, *, processes: int) -> int:
    """Becomes a worker for long jobs."""
    check_process(settings)
    check_secrets(settings, "rounds")
    check_sealed(settings, "rounds")
    become_worker(settings, ROUNDS_QUEUE, processes=processes, beat=False)


def run_beat(settings: Settings) -> int:
    """Becomes the beat, which needs nothing but the broker."""
    become_beat(settings)
