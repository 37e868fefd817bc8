"""`clearing merchant add`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from clearing.runtime.commands.group import Commands, add_command

if TYPE_CHECKING:
    from clearing.kit.config import Settings

_TEXT = "take a merchant on board"
_EPILOG = """\
Repeating the command does no harm: it names what is there and makes what is missing. It prints the API key only when it makes it.

    clearing merchant add "My station" --managed-key --program FUEL --program-name "Fuel points" --lifetime-days 730
    clearing merchant add "My station" --new-key station.json --password-file station.password --program FUEL
"""


def add_to(commands: Commands) -> None:
    """Describes the command."""
    merchant = commands.add_parser("merchant", help=_TEXT, description=f"{_TEXT[0].upper()}{_TEXT[1:]}.")
    add = add_command(
        merchant.add_subparsers(required=True, metavar="COMMAND"),
        "add",
        run_add,
        "register a merchant with its key, program and API key, wait for the chain, and print what the merchant needs",
    )
    add.formatter_class, add.epilog = argparse.RawDescriptionHelpFormatter, _EPILOG
    add.add_argument("name", help="the merchant's name, at most 32 bytes")
    _add_key(add.add_argument_group("who signs (one of these)").add_mutually_exclusive_group(required=True))
    add.add_argument(
        "--password-file", type=Path, metavar="FILE", help="the password of --new-key; otherwise it is asked for"
    )
    _add_program(add.add_argument_group("its program"))
    money = add.add_argument_group("its money")
    money.add_argument("--credit-limit", metavar="AMOUNT", help="how far its position may go below zero, such as 1000")
    money.add_argument("--deposit", metavar="AMOUNT", help="a first deposit; only on a chain for development")
    _add_access(add.add_argument_group("its access"))
    add.add_argument(
        "--timeout", type=float, default=60.0, metavar="S", help="seconds to wait for the chain (default: 60)"
    )
    add.add_argument("--json", action="store_true", help="as JSON")


def _add_key(key: argparse._MutuallyExclusiveGroup) -> None:
    key.add_argument("--signer", metavar="0x...", help="address of the key that the merchant made (`tongdui key new`)")
    key.add_argument(
        "--new-key", type=Path, metavar="FILE", help="make a key in this keystore file; if it exists, take its address"
    )
    key.add_argument("--managed-key", action="store_true", help="let the gateway make a key, keep it, and sign with it")


def _add_program(program: argparse._ArgumentGroup) -> None:
    program.add_argument("--program", metavar="CODE", help="code of the points that it issues, such as FUEL")
    program.add_argument("--program-name", metavar="NAME", help="what customers call them (default: the code)")
    program.add_argument(
        "--lifetime-days", type=int, metavar="N", help="days after which points expire (default: they never do)"
    )


def _add_access(access: argparse._ArgumentGroup) -> None:
    access.add_argument(
        "--scopes", metavar="LIST", help="what the API key may do, such as issue,members,read (default: all)"
    )
    access.add_argument(
        "--new-api-key", action="store_true", help="make an API key even if there is one with these scopes"
    )
    access.add_argument(
        "--url", help="where the merchant reaches the gateway (default: where the settings say it listens)"
    )


def run_add(chosen: argparse.Namespace, configured: Settings) -> int:
    """Takes a merchant on board."""
    from clearing.runtime.actions import merchants

    return merchants.add(configured, chosen)
