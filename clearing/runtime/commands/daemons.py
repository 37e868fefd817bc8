"""`clearing sequencer`, `clearing signer` and `clearing projector`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from clearing.runtime.commands.group import Commands, add_command

if TYPE_CHECKING:
    from clearing.kit.config import Settings


def add_to(commands: Commands) -> None:
    """Describes the commands."""
    add_command(commands, "sequencer", run_sequencer, "put orders into batches and batches onto the chain")
    signer = add_command(
        commands, "signer", run_signer, "sign the calls that the operator and the treasury asked for, and send them"
    )
    signer.add_argument(
        "--role", action="append", dest="roles", choices=("operator", "treasury"), metavar="ROLE",
        help="whose calls: operator, treasury, or both, given twice (default: both). Only their keys are opened",
    )  # fmt: skip
    add_command(commands, "projector", run_projector, "turn chain events into the read model")


def run_sequencer(_chosen: argparse.Namespace, configured: Settings) -> int:
    """Runs the sequencer."""
    from clearing.runtime.actions import daemons

    return daemons.run_sequencer(configured)


def run_signer(chosen: argparse.Namespace, configured: Settings) -> int:
    """Runs a signer of privileged calls."""
    from clearing.runtime.actions import daemons

    return daemons.run_signer(configured, list(dict.fromkeys(chosen.roles or ["operator", "treasury"])))


def run_projector(_chosen: argparse.Namespace, configured: Settings) -> int:
    """Runs the projector."""
    from clearing.runtime.actions import daemons

    return daemons.run_projector(configured)
