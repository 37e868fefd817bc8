"""`clearing contract`, `clearing program`, `clearing role` and `clearing owner`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from clearing.runtime.commands.group import Commands, add_command, add_group
from clearing.runtime.commands.privileged import add_privileged

if TYPE_CHECKING:
    from clearing.kit.config import Settings

_ROLES = ("operator", "sequencer", "treasury", "pauser")


def add_to(commands: Commands) -> None:
    """Describes the commands."""
    contract = add_group(commands, "contract", "look at the contract, stop it, let it go on")
    show = add_command(contract, "show", run_show, "show the owner, who has which role, and what is paused")
    show.add_argument("--json", action="store_true", help="as JSON")
    add_privileged(contract, "pause", run_pause, "stop the whole network on the chain (key of the pauser)")
    add_privileged(contract, "resume", run_resume, "let the network go on (key of the pauser)")
    program = add_group(commands, "program", "stop a program's points, let them move again")
    for name, run, text in (
        ("pause", run_program_pause, "stop every movement of a program's points (key of the pauser)"),
        ("resume", run_program_resume, "let a program's points move again (key of the pauser)"),
    ):
        add_privileged(program, name, run, text).add_argument("program", metavar="PROGRAM", help="code, id or number")
    cap = add_privileged(program, "cap", run_program_cap, "cap what a program issues in a network day", queued=True)
    cap.add_argument("program", metavar="PROGRAM", help="code, id or number")
    cap.add_argument("points", type=int, metavar="POINTS", help="the most points of a network day; 0: any number")
    role = add_group(commands, "role", "give roles of the contract, and take them away")
    for name, run, text in (
        ("grant", run_role_grant, "give an address a role (key of the owner)"),
        ("take", run_role_take, "take a role away from an address (key of the owner)"),
    ):
        parser = add_privileged(role, name, run, text)
        parser.add_argument("role", choices=_ROLES)
        parser.add_argument("address", metavar="0x...")
    owner = add_group(commands, "owner", "move the ownership of the contract, in two steps")
    propose = add_privileged(owner, "propose", run_owner_propose, "name the next owner (key of the owner)")
    propose.add_argument("address", metavar="0x...")
    add_privileged(owner, "accept", run_owner_accept, "become the owner, with the key of whoever was named")


def run_show(chosen: argparse.Namespace, configured: Settings) -> int:
    """Shows the contract."""
    from clearing.runtime.actions import contract

    return contract.show(configured, as_json=chosen.json)


def run_pause(chosen: argparse.Namespace, configured: Settings) -> int:
    """Stops the network."""
    from clearing.runtime.actions import contract

    return contract.set_paused(configured, chosen, paused=True)


def run_resume(chosen: argparse.Namespace, configured: Settings) -> int:
    """Lets the network go on."""
    from clearing.runtime.actions import contract

    return contract.set_paused(configured, chosen, paused=False)


def run_program_pause(chosen: argparse.Namespace, configured: Settings) -> int:
    """Stops a program."""
    from clearing.runtime.actions import contract

    return contract.set_program_paused(configured, chosen, paused=True)


def run_program_resume(chosen: argparse.Namespace, configured: Settings) -> int:
    """Lets a program go on."""
    from clearing.runtime.actions import contract

    return contract.set_program_paused(configured, chosen, paused=False)


def run_program_cap(chosen: argparse.Namespace, configured: Settings) -> int:
    """Caps what a program issues in a day."""
    from clearing.runtime.actions import contract

    return contract.set_issuance_cap(configured, chosen)


def run_role_grant(chosen: argparse.Namespace, configured: Settings) -> int:
    """Gives a role."""
    from clearing.runtime.actions import contract

    return contract.set_role(configured, chosen, held=True)


def run_role_take(chosen: argparse.Namespace, configured: Settings) -> int:
    """Takes a role away."""
    from clearing.runtime.actions import contract

    return contract.set_role(configured, chosen, held=False)


def run_owner_propose(chosen: argparse.Namespace, configured: Settings) -> int:
    """Names the next owner."""
    from clearing.runtime.actions import contract

    return contract.propose_owner(configured, chosen)


def run_owner_accept(chosen: argparse.Namespace, configured: Settings) -> int:
    """Accepts the ownership."""
    from clearing.runtime.actions import contract

    return contract.accept_owner(configured, chosen)
