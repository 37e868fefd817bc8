"""`clearing up`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from clearing.runtime.commands.group import Commands, add_command
from clearing.runtime.embedded import DIRECTORY

if TYPE_CHECKING:
    from clearing.kit.config import Settings


def add_to(commands: Commands) -> None:
    """Describes the command."""
    up = add_command(commands, "up", run_up, "run a whole network on this machine until Ctrl-C")
    up.add_argument(
        "--dir", type=Path, default=DIRECTORY, help="where the network keeps everything (default: %(default)s)"
    )
    up.add_argument(
        "--port", type=_port, default=8080, help="the gateway's port; 0 for a free one (default: %(default)s)"
    )
    up.add_argument(
        "--rpc-port",
        type=_port,
        help="the chain's port; 0 for a free one (default: 8545, or another one if that is taken)",
    )
    console = up.add_mutually_exclusive_group()
    console.add_argument(
        "--console-port",
        type=_port,
        help="the web console's port; 0 for a free one (default: 8088, or another one if that is taken)",
    )
    console.add_argument("--no-console", action="store_true", help="leave the web console out")


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) < 65_536):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: a whole number from 0 to 65535")
    return int(text)


def run_up(chosen: argparse.Namespace, _configured: Settings) -> int:
    """Runs the embedded network in the foreground."""
    from clearing.runtime.actions import network

    return network.run(
        chosen.dir,
        gateway_port=chosen.port,
        rpc_port=chosen.rpc_port,
        console=not chosen.no_console,
        console_port=chosen.console_port,
    )
