"""`clearing reconcile` and `clearing rebuild`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from clearing.runtime.commands.group import Commands, add_command

if TYPE_CHECKING:
    from clearing.kit.config import Settings


def add_to(commands: Commands) -> None:
    """Describes the commands."""
    reconcile = add_command(
        commands, "reconcile", run_reconcile, "check that the database agrees with the contract and its events"
    )
    reconcile.add_argument("--news", action="store_true", help="only what has changed since the last clean one")
    reconcile.add_argument(
        "--scratch",
        metavar="FILE",
        help="keep what is worked out in this file: after a kill, the same command goes on there",
    )
    reconcile.add_argument("--json", metavar="FILE", help="write the report as JSON; - for standard output")
    reconcile.add_argument("--record", action="store_true", help="also record the outcome as an event")
    rebuild = add_command(commands, "rebuild", run_rebuild, "project the whole chain into an empty database")
    rebuild.add_argument("--into", required=True, metavar="URL", help="the empty database")
    rebuild.add_argument("--resume", action="store_true", help="go on with a rebuild that was stopped")
    rebuild.add_argument("--compare", action="store_true", help="compare it with the live database, bit for bit")


def run_reconcile(chosen: argparse.Namespace, configured: Settings) -> int:
    """Compares database, contract and events."""
    from clearing.runtime.actions import reconciliation

    return reconciliation.reconcile(
        configured, news=chosen.news, scratch=chosen.scratch, json_file=chosen.json, record_outcome=chosen.record
    )


def run_rebuild(chosen: argparse.Namespace, configured: Settings) -> int:
    """Projects the chain into an empty database."""
    from clearing.runtime.actions import reconciliation

    return reconciliation.rebuild(configured, into=chosen.into, compare=chosen.compare, resume=chosen.resume)
