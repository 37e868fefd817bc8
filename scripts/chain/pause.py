"""Pauses a program or the whole network, or resumes it.

ape run chain pause --network http://127.0.0.1:8545 --program 2
ape run chain pause --network http://127.0.0.1:8545 --everything
ape run chain pause --network http://127.0.0.1:8545 --everything --resume
"""

from __future__ import annotations

from typing import Any

import click

from scripts.chain._common import Session, Step, chain_command


@chain_command
@click.option("--program", type=int, help="Number of the program.")
@click.option("--everything", is_flag=True, help="The whole network: the contract executes no more batches.")
@click.option("--resume", is_flag=True, help="Resume instead of pausing.")
def cli(account: str | None, house: str | None, yes: bool, program: int | None, everything: bool, resume: bool) -> None:
    """Pause or resume a program or the network."""
    if everything == (program is not None):
        raise click.UsageError("give either --program or --everything")
    session = Session(account, yes=yes)
    clearing_house = session.house(house)
    session.require_role(clearing_house, "pauser")
    step = _network(clearing_house, resume) if program is None else _program(clearing_house, program, resume)
    session.carry_out(clearing_house, [step] if step else [])


def _network(house: Any, resume: bool) -> Step | None:
    if house.paused() != resume:
        return None
    return Step("resume the network", "unpause", ()) if resume else Step("pause the network", "pause", ())


def _program(house: Any, program: int, resume: bool) -> Step | None:
    if not 0 < program <= house.programCount():
        raise click.ClickException(f"there is no program {program}")
    if house.programOf(program)[1] != resume:
        return None
    verb = "resume" if resume else "pause"
    return Step(f"{verb} {house.symbol(program)}, program {program}", "setProgramPaused", (program, not resume))
