"""`clearing worker` and `clearing beat`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from clearing.runtime.commands.group import Commands, add_command

if TYPE_CHECKING:
    from clearing.kit.config import Settings


def add_to(commands: Commands) -> None:
    """Describes the commands."""
    worker = add_command(commands, "worker", run_worker, "run jobs (Celery): webhooks, expiry, alerts, statements")
    worker.add_argument("--beat", action="store_true", help="also send out the jobs; for a worker that is the only one")
    worker.add_argument("--processes", type=int, default=2, help="how many jobs run at a time (default: %(default)s)")
    add_command(commands, "beat", run_beat, "send out the jobs (Celery beat)")


def run_worker(chosen: argparse.Namespace, configured: Settings) -> int:
    """Becomes a Celery worker."""
    from clearing.runtime.actions import workers

    return workers.run_worker(configured, processes=chosen.processes, beat=chosen.beat)


def run_beat(_chosen: argparse.Namespace, configured: Settings) -> int:
    """Becomes Celery's beat."""
    from clearing.runtime.actions import workers

    return workers.run_beat(configured)
