"""The options that all privileged calls share."""

from __future__ import annotations

import argparse
from pathlib import Path

from clearing.runtime.commands.group import Commands, Run, add_command

_DIRECT = "sign and send it here with the role's own key, past the sequencer's queue: only a node has to run"


def add_privileged(
    commands: Commands, name: str, run: Run, text: str, *, queued: bool = False
) -> argparse.ArgumentParser:
    """Adds a command that makes a privileged call. `queued`: the sequencer makes it, unless somebody chooses otherwise."""
    parser = add_command(commands, name, run, text)
    parser.add_argument("--reason", metavar="TEXT", help="why, for the audit log; asked for on a terminal")
    way = parser.add_argument_group("whether and how")
    way.add_argument(
        "--dry-run",
        action="store_true",
        help="try it out on the node and say what would change, or why not; send nothing",
    )
    way.add_argument("--yes", action="store_true", help="do not ask for consent")
    way.add_argument(
        "--print-call",
        action="store_true",
        help="print the call as JSON for a multisig, a timelock or a hardware signer; send nothing",
    )
    if queued:
        way.add_argument("--direct", action="store_true", help=_DIRECT)
    else:
        parser.set_defaults(direct=False)  # there is no other way for it
    way.add_argument("--key-file", type=Path, metavar="FILE", help="sign here with this key file (Ethereum keystore)")
    way.add_argument("--password-file", type=Path, metavar="FILE", help="its password; otherwise it is asked for")
    way.add_argument(
        "--timeout", type=float, default=60.0, metavar="S", help="seconds to wait for a block with it (default: 60)"
    )
    way.add_argument("--json", action="store_true", help="tell the outcome as JSON")
    return parser
