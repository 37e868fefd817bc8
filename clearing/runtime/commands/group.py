"""What a group of commands is made of."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from clearing.kit.config import Settings

Run = Callable[[argparse.Namespace, "Settings"], int]
"""Runs a command with its arguments and the settings; returns the exit code."""


class Commands(Protocol):
    """The part of argparse's parser that holds the commands."""

    def add_parser(self, name: str, **options: Any) -> argparse.ArgumentParser:
        """Adds a command."""
        ...


def add_command(commands: Commands, name: str, run: Run, text: str) -> argparse.ArgumentParser:
    """Adds a command that `run` runs; its parser, for the arguments."""
    parser = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    parser.set_defaults(run=run)
    return parser


def add_group(commands: Commands, name: str, text: str) -> Commands:
    """Adds a command that has commands of its own."""
    parser = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    group: Commands = parser.add_subparsers(required=True, metavar="COMMAND")
    return group
