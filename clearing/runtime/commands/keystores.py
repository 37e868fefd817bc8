"""`clearing keystore`: passwords of keys and secrets, and keys that somebody else keeps."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from clearing.runtime.commands.group import Commands, add_command, add_group

if TYPE_CHECKING:
    from clearing.kit.config import Settings

_NAMES = (
    *("admin", "operator", "pauser", "sequencer", "treasury"),
    *("managed_keys", "webhook_secrets", "staff_secrets", "mailed_links"),
)
_EPILOG = """\
To change a password, put the new one into the first line of its file, and leave the old one in the second; start the processes that
need it again; run this; take the second line away, and start them once more. It may be killed at any moment: run it again.
"""


def add_to(commands: Commands) -> None:
    """Describes the commands."""
    group = add_group(commands, "keystore", "change passwords, or name who keeps a merchant's key")
    rewrap = add_command(
        group, "rewrap", run_rewrap, "bring what is encrypted under the first line of its password file"
    )
    rewrap.formatter_class, rewrap.epilog = argparse.RawDescriptionHelpFormatter, _EPILOG
    rewrap.add_argument("name", choices=_NAMES, metavar="NAME", help=f"one of {', '.join(_NAMES)}")
    rewrap.add_argument("--dry-run", action="store_true", help="only count what would change")
    link = add_command(
        group, "link", run_link, "have a merchant's registered key managed by whoever keeps it elsewhere"
    )
    link.add_argument("address", metavar="ADDRESS", help="of the key, which the merchant has registered")
    link.add_argument(
        "reference", metavar="REFERENCE", help="web3signer:0x..., or awskms: and a key's id, ARN or alias"
    )
    link.add_argument("--dry-run", action="store_true", help="ask for a signature, and change nothing")


def run_rewrap(chosen: argparse.Namespace, configured: Settings) -> int:
    """Changes a password."""
    from clearing.runtime.actions import keystores

    return keystores.rewrap(configured, chosen.name, dry_run=chosen.dry_run)


def run_link(chosen: argparse.Namespace, configured: Settings) -> int:
    """Names who keeps a merchant's key."""
    from clearing.runtime.actions import keystores

    return keystores.link(configured, chosen.address, chosen.reference, dry_run=chosen.dry_run)
