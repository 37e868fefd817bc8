"""`clearing agreement`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from clearing.runtime.commands.group import Commands, add_group
from clearing.runtime.commands.privileged import add_privileged

if TYPE_CHECKING:
    from clearing.kit.config import Settings


def add_to(commands: Commands) -> None:
    """Describes the command."""
    agreement = add_group(commands, "agreement", "end an agreement early")
    terminate = add_privileged(
        agreement, "terminate", run_terminate, "end an agreement early, on one merchant's signature", queued=True
    )
    terminate.add_argument("agreement", metavar="AGREEMENT", help="id or number")
    signed = terminate.add_argument_group("what was signed")
    signed.add_argument("--merchant", required=True, help="the merchant that ends it: id, number or name")
    signed.add_argument("--at", metavar="TIME", help="when it ends (ISO 8601 or Unix seconds; default: now)")
    signed.add_argument(
        "--signature",
        metavar="0x...",
        help="the merchant's signature; by default its managed key signs, if there is one",
    )


def run_terminate(chosen: argparse.Namespace, configured: Settings) -> int:
    """Ends an agreement early."""
    from clearing.runtime.actions import agreement_end

    return agreement_end.terminate(configured, chosen)
