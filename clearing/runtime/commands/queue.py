"""`clearing queue`, `pause`, `resume`, `cancel` and `quarantine`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from clearing.runtime.commands.group import Commands, add_command

if TYPE_CHECKING:
    from clearing.kit.config import Settings


def add_to(commands: Commands) -> None:
    """Describes the commands."""
    queue = add_command(commands, "queue", run_queue, "show what waits for the chain")
    queue.add_argument("--json", action="store_true", help="as JSON")
    pause = add_command(commands, "pause", run_pause, "put no more orders into batches")
    pause.add_argument("--reason", default="", help="for whoever looks at it later")
    add_command(commands, "resume", run_resume, "put orders into batches again after a pause")
    cancel = add_command(commands, "cancel", run_cancel, "cancel an order that is in no batch yet")
    cancel.add_argument("order", metavar="ord_...")
    quarantine = add_command(commands, "quarantine", run_quarantine, "show the chain events that could not be applied")
    quarantine.add_argument("--retry", action="store_true", help="first try to apply them again")


def run_queue(chosen: argparse.Namespace, configured: Settings) -> int:
    """Shows what waits."""
    from clearing.runtime.actions import queue

    return queue.show(configured, as_json=chosen.json)


def run_pause(chosen: argparse.Namespace, configured: Settings) -> int:
    """Pauses sequencing."""
    from clearing.runtime.actions import queue

    return queue.pause(configured, chosen.reason)


def run_resume(_chosen: argparse.Namespace, configured: Settings) -> int:
    """Resumes sequencing."""
    from clearing.runtime.actions import queue

    return queue.resume(configured)


def run_cancel(chosen: argparse.Namespace, configured: Settings) -> int:
    """Cancels an order."""
    from clearing.runtime.actions import queue

    return queue.cancel(configured, chosen.order)


def run_quarantine(chosen: argparse.Namespace, configured: Settings) -> int:
    """Shows the quarantined events."""
    from clearing.runtime.actions import queue

    return queue.show_quarantine(configured, retry=chosen.retry)
