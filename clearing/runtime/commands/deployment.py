"""`clearing deploy` and `clearing keys`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from clearing.runtime.commands.group import Commands, add_command

if TYPE_CHECKING:
    from clearing.kit.config import Settings


def add_to(commands: Commands) -> None:
    """Describes the commands."""
    deploy = add_command(
        commands, "deploy", run_deploy, "make the role keys, deploy the contract and grant the roles, where missing"
    )
    deploy.add_argument(
        "--timelock-delay",
        type=int,
        metavar="SECONDS",
        help="also make a timelock with this delay and name it as the contract's next owner",
    )
    deploy.add_argument(
        "--timelock-proposer",
        action="append",
        default=[],
        metavar="0x...",
        help="who announces: best a multisig; repeatable",
    )
    deploy.add_argument(
        "--timelock-executor", action="append", default=[], metavar="0x...", help="who executes; else the proposers"
    )
    keys = add_command(
        commands, "keys", run_keys, "make and print the first API keys (operator, treasury, auditor), where missing"
    )
    keys.add_argument(
        "--role",
        choices=("operator", "treasury", "auditor"),
        help="make a further key of this role instead, which no other key has made: it stays when others are revoked",
    )
    keys.add_argument("--name", default="", help="what that key is called in the list of keys")


def run_deploy(chosen: argparse.Namespace, configured: Settings) -> int:
    """Deploys the contract."""
    from clearing.runtime.actions import deployment

    return deployment.deploy(configured, chosen.timelock_delay, chosen.timelock_proposer, chosen.timelock_executor)


def run_keys(chosen: argparse.Namespace, configured: Settings) -> int:
    """Makes API keys of the network's own roles."""
    from clearing.runtime.actions import deployment

    if chosen.role is not None:
        return deployment.make_api_key(configured, chosen.role, chosen.name)
    return deployment.make_api_keys(configured)
