"""Sets a merchant's credit limit: how far below zero its position may go.

ape run chain set_limit --network http://127.0.0.1:8545 --merchant 3 --limit 5000000000
"""

from __future__ import annotations

import click

from scripts.chain._common import Session, Step, chain_command, money


@chain_command
@click.option("--merchant", type=int, required=True, help="The merchant's number.")
@click.option("--limit", type=click.IntRange(min=0), required=True, help="The new limit in micros.")
def cli(account: str | None, house: str | None, yes: bool, merchant: int, limit: int) -> None:
    """Set a merchant's credit limit."""
    session = Session(account, yes=yes)
    clearing_house = session.house(house)
    session.require_role(clearing_house, "operator")
    status, position, present = clearing_house.merchantOf(merchant)
    if not status:
        raise click.ClickException(f"there is no merchant {merchant}")
    click.echo(f"Merchant {merchant}: position {money(position)}, credit limit {money(present)}.")
    if position < -limit:
        raise click.ClickException(f"the merchant has used {money(-position)} of its credit; the limit cannot be lower")
    why = f"set the credit limit of merchant {merchant} from {money(present)} to {money(limit)}"
    steps = [] if limit == present else [Step(why, "setCreditLimit", (merchant, limit))]
    session.carry_out(clearing_house, steps)
