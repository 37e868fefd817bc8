"""`clearing worker`, `clearing rounds` and `clearing beat`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from clearing.runtime.commands.group import Commands, add_command

if TYPE_CHECKING:
    from clearing.kit.config import Settings


def add_to(commands: Commands) -> None:
    """Describes the commands."""
    worker = add_command(commands, "worker", run_worker, "run quick jobs (Celery): webhooks, mails, holds, alerts")
    worker.add_argument("--beat", action="store_true", help="also send out the jobs; for a worker that is the only one")
    rounds = "run long jobs (Celery): expiry, merges, reconciliation, statements, cleaning up"
    for parser, count in ((worker, 2), (add_command(commands, "rounds", run_rounds, rounds), 3)):
        parser.add_argument(
            "--processes", type=int, default=count, help="how many run at a time (default: %(default)s)"
        )
    add_command(commands, "beat", run_beat, "send out the jobs (Celery beat)")


def run_worker(chosen: argparse.Namespace, configured: Settings) -> int:
    """Becomes a Celery worker for quick jobs."""
    from clearing.runtime.actions import workers

    return workers.run_worker(configured, processes=chosen.processes, beat=chosen.beat)


def run_rounds(chosen: argparse.Namespace, configured: Settings) -> int:
    """Becomes a Celery worker for long jobs."""
    from clearing.runtime.actions import workers

    return workers.run_rounds(configured, processes=chosen.processes)


def run_beat(_chosen: argparse.Namespace, configured: Settings) -> int:
    """Becomes Celery's beat."""
    from clearing.runtime.actions import workers

    return workers.run_beat(configured)
