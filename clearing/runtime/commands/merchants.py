"""`clearing merchant`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from clearing.runtime.commands.group import Commands, add_command, add_group
from clearing.runtime.commands.privileged import add_privileged

if TYPE_CHECKING:
    from clearing.kit.config import Settings

_EPILOG = """\
Repeating the command does no harm: it names what is there and makes what is missing. It prints the API key only when it makes it.

    clearing merchant add "My station" --managed-key --program FUEL --program-name "Fuel points" --lifetime-days 730
    clearing merchant add "My station" --new-key station.json --password-file station.password --program FUEL
"""


def add_to(commands: Commands) -> None:
    """Describes the commands."""
    merchant = add_group(
        commands, "merchant", "take a merchant on board, suspend it, close it, end or replace its keys"
    )
    _add_add(merchant)
    for name, run, text in (
        ("suspend", run_suspend, "let a merchant start no new business; what it owes stays payable"),
        ("resume", run_resume, "let a suspended merchant go on"),
        ("close", run_close, "let a merchant sign nothing more, for ever"),
    ):
        _add_merchant(add_privileged(merchant, name, run, text, queued=True))
    revoke = add_privileged(
        merchant, "revoke-signer", run_revoke_signer, "end a key of a merchant early, such as a stolen one", queued=True
    )
    recover = add_privileged(
        merchant,
        "recover-signer",
        run_recover_signer,
        "give a merchant that lost all its keys a new one (key of the owner)",
    )
    for parser in (revoke, recover):
        _add_merchant(parser)
        parser.add_argument("address", metavar="0x...", help="address of the key")
    change = add_privileged(
        merchant,
        "change-signer",
        run_change_signer,
        "bring a merchant's own change of its keys to the chain",
        queued=True,
    )
    change.add_argument("file", type=Path, metavar="FILE", help="what `tongdui key replace` printed at the merchant's")
    revoke.add_argument("--at", metavar="TIME", help="when it ends (ISO 8601 or Unix seconds; default: now)")


def _add_merchant(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("merchant", metavar="MERCHANT", help="id, number or name")


def _add_add(merchant: Commands) -> None:
    add = add_command(
        merchant,
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


def run_suspend(chosen: argparse.Namespace, configured: Settings) -> int:
    """Suspends a merchant."""
    from clearing.runtime.actions import merchant_life

    return merchant_life.set_status(configured, chosen, status="suspended")


def run_resume(chosen: argparse.Namespace, configured: Settings) -> int:
    """Lets a merchant go on."""
    from clearing.runtime.actions import merchant_life

    return merchant_life.set_status(configured, chosen, status="active")


def run_close(chosen: argparse.Namespace, configured: Settings) -> int:
    """Closes a merchant."""
    from clearing.runtime.actions import merchant_life

    return merchant_life.set_status(configured, chosen, status="closed")


def run_revoke_signer(chosen: argparse.Namespace, configured: Settings) -> int:
    """Ends a key."""
    from clearing.runtime.actions import merchant_life

    return merchant_life.revoke_signer(configured, chosen)


def run_change_signer(chosen: argparse.Namespace, configured: Settings) -> int:
    """Brings a change of keys to the chain."""
    from clearing.runtime.actions import merchant_life

    return merchant_life.change_signer(configured, chosen)


def run_recover_signer(chosen: argparse.Namespace, configured: Settings) -> int:
    """Gives a merchant a new key."""
    from clearing.runtime.actions import merchant_life

    return merchant_life.recover_signer(configured, chosen)
