"""`clearing staff`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from clearing.runtime.commands.group import Commands, add_command, add_group

if TYPE_CHECKING:
    from clearing.kit.config import Settings


def add_to(commands: Commands) -> None:
    """Describes the commands."""
    group = add_group(commands, "staff", "manage the people who sign in")
    add = add_command(group, "add", run_add, "add somebody with a password, which is printed this once")
    add.add_argument("email", help="the address to sign in with")
    add.add_argument("--name", required=True, help="how the person is called")
    add.add_argument(
        "--title", default="operator", help="operator, treasury or auditor; with --merchant: admin (default: operator)"
    )
    add.add_argument("--merchant", metavar="mer_...", help="make the person the first admin of this merchant")
    add.add_argument("--language", choices=("zh", "en"), default="zh", help="of mails and pages (default: zh)")
    show = add_command(group, "list", run_list, "show who may sign in, and with which seats")
    show.add_argument("--json", action="store_true", help="as JSON")
    disable = add_command(group, "disable", run_disable, "let somebody in no more, at once")
    disable.add_argument("email")
    enable = add_command(group, "enable", run_enable, "let somebody in again")
    enable.add_argument("email")
    reset = add_command(group, "reset", run_reset, "give somebody a new password, which is printed this once")
    reset.add_argument("email")
    reset.add_argument("--second-factor", action="store_true", help="also forget the person's app of one-time codes")


def run_add(chosen: argparse.Namespace, configured: Settings) -> int:
    """Adds a person."""
    from clearing.runtime.actions import staff

    return staff.add(configured, chosen)


def run_list(chosen: argparse.Namespace, configured: Settings) -> int:
    """Shows everybody."""
    from clearing.runtime.actions import staff

    return staff.show(configured, as_json=chosen.json)


def run_disable(chosen: argparse.Namespace, configured: Settings) -> int:
    """Disables a person."""
    from clearing.runtime.actions import staff

    return staff.disable(configured, chosen.email)


def run_enable(chosen: argparse.Namespace, configured: Settings) -> int:
    """Enables a person."""
    from clearing.runtime.actions import staff

    return staff.enable(configured, chosen.email)


def run_reset(chosen: argparse.Namespace, configured: Settings) -> int:
    """Gives a person a new password."""
    from clearing.runtime.actions import staff

    return staff.reset(configured, chosen.email, second_factor=chosen.second_factor)
