"""`clearing deploy` and `clearing keys`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from clearing.runtime.commands.group import Commands, add_command

if TYPE_CHECKING:
    from clearing.kit.config import Settings


def add_to(commands: Commands) -> None:
    """Describes the commands."""
    add_command(
        commands, "deploy", run_deploy, "make the role keys, deploy the contract and grant the roles, where missing"
    )
    add_command(
        commands, "keys", run_keys, "make and print the first API keys (operator, treasury, auditor), where missing"
    )


def run_deploy(_chosen: argparse.Namespace, configured: Settings) -> int:
    """Deploys the contract."""
    from clearing.runtime.actions import deployment

    return deployment.deploy(configured)


def run_keys(_chosen: argparse.Namespace, configured: Settings) -> int:
    """Makes the first API keys."""
    from clearing.runtime.actions import deployment

    return deployment.make_api_keys(configured)
