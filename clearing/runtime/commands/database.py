"""`clearing migrate`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from clearing.runtime.commands.group import Commands, add_command

if TYPE_CHECKING:
    from clearing.kit.config import Settings


def add_to(commands: Commands) -> None:
    """Describes the command."""
    add_command(commands, "migrate", run_migrate, "bring the database's schema up to date")


def run_migrate(_chosen: argparse.Namespace, configured: Settings) -> int:
    """Upgrades the schema."""
    from clearing.runtime.actions import database

    return database.migrate(configured)
