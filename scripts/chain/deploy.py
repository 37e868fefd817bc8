"""Deploys the clearing house and grants its roles.

    ape run chain deploy --network http://127.0.0.1:8545 --account admin

Deploys the bytecode that ships with the package, so no compiler is needed. Records the address under var/deployments; a second run
finds it there and grants only the missing roles.
"""

from __future__ import annotations

import json
from typing import Any

import ape
import click
from ape.contracts import ContractContainer
from ethpm_types import ContractType

from clearing.chain.contract import artifact
from scripts.chain._common import (
    ROLES,
    Session,
    Step,
    address_option,
    chain_command,
    record_of,
    recorded_house,
    runs_our_code,
)
from tongdui.encoding import text_word


@chain_command
@click.option("--name", default="Tongdui", show_default=True, help="Name of the operator, who is merchant 0.")
@click.option(
    "--utc-offset", default=28_800, show_default=True, help="The network's time zone, in seconds east of UTC."
)
@address_option("--operator", help="Who gets the role (default: the sender).")
@address_option("--sequencer", help="As --operator.")
@address_option("--treasury", help="As --operator.")
@address_option("--pauser", help="As --operator.")
def cli(account: str | None, house: str | None, yes: bool, name: str, utc_offset: int, **roles: str | None) -> None:
    """Deploy the clearing house and grant its roles."""
    session = Session(account, yes=yes)
    known = house or recorded_house(session.chain_id)
    deployed = session.house(known) if known and session.provider.get_code(known) else None
    if deployed is None:
        deployed = _deploy(session, name, utc_offset)
    elif not runs_our_code(bytes(session.provider.get_code(deployed.address))):
        raise click.ClickException(f"{deployed.address} does not run the code of this package")
    steps = _missing_roles(session, deployed, roles)
    if steps and deployed.owner() != session.sender.address:
        raise click.ClickException(f"only the owner, {deployed.owner()}, can grant roles")
    session.carry_out(deployed, steps)
    click.echo(f"TONGDUI_CONTRACT={deployed.address}")


def _deploy(session: Session, name: str, utc_offset: int) -> Any:
    click.echo(f"On chain {session.chain_id}, {session.sender.address} will deploy the clearing house of {name},")
    click.echo(f"  own it, and set its time zone to {utc_offset} seconds east of UTC.")
    session.confirm()
    kind = ContractType(
        name="ClearingHouse",
        abi=artifact()["abi"],
        deploymentBytecode={"bytecode": artifact()["bytecode"]},
        runtimeBytecode={"bytecode": artifact()["deployedBytecode"]},
    )
    arguments = (session.sender.address, text_word(name), utc_offset)
    house = session.sender.deploy(ContractContainer(kind), *arguments, gas_price=session.provider.gas_price)
    record = record_of(session.chain_id)
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text(json.dumps({"house": house.address, "chainId": session.chain_id}) + "\n")
    click.echo(f"  deployed at {house.address} in block {ape.chain.blocks.height}")
    return house


def _missing_roles(session: Session, house: Any, roles: dict[str, str | None]) -> list[Step]:
    holders = [(number, role, roles[role] or session.sender.address) for number, role in enumerate(ROLES)]
    return [
        Step(f"make {holder} {role}", "setRole", (number, holder, True))
        for number, role, holder in holders
        if not house.hasRole(number, holder)
    ]
