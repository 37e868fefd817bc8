"""`clearing freeze`, `snapshot` and `succeed`: the way from one contract to the next."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from clearing.runtime.commands.group import Commands, add_command

if TYPE_CHECKING:
    from clearing.kit.config import Settings


def add_to(commands: Commands) -> None:
    """Describes the commands."""
    freeze = add_command(
        commands, "freeze", run_freeze, "end the contract for ever, so that another one can take its place"
    )
    freeze.add_argument("--cancel-waiting", action="store_true", help="cancel the orders that no batch contains yet")
    freeze.add_argument("--dry-run", action="store_true", help="say what would happen, and change nothing")
    snapshot = add_command(
        commands,
        "snapshot",
        run_snapshot,
        "write what the frozen contract's successor takes over, from the chain alone",
    )
    snapshot.add_argument("file", type=Path, metavar="FILE")
    snapshot.add_argument("--state", type=Path, metavar="DIR", help="remember here what was read, and go on from there")
    succeed = add_command(
        commands, "succeed", run_succeed, "deploy a contract that takes over a snapshot; run it again to go on"
    )
    succeed.add_argument("file", type=Path, metavar="FILE", help="the snapshot")
    succeed.add_argument("--dry-run", action="store_true", help="check the snapshot, and change nothing")


def run_freeze(chosen: argparse.Namespace, configured: Settings) -> int:
    """Freezes the contract."""
    from clearing.runtime.actions import succession

    return succession.freeze(configured, cancel_waiting=chosen.cancel_waiting, dry_run=chosen.dry_run)


def run_snapshot(chosen: argparse.Namespace, configured: Settings) -> int:
    """Writes the snapshot."""
    from clearing.runtime.actions import succession

    return succession.snapshot(configured, chosen.file, chosen.state)


def run_succeed(chosen: argparse.Namespace, configured: Settings) -> int:
    """Sets another contract in the place of the frozen one."""
    from clearing.runtime.actions import succession

    return succession.succeed(configured, chosen.file, dry_run=chosen.dry_run)
