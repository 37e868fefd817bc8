"""Registers a merchant with its first signer key, and its programs.

    ape run chain onboard --network http://127.0.0.1:8545 --name "Car wash" --key 0x... --limit 1000000000 \\
        --program "WASH=Wash points"

A key identifies a merchant and a code identifies a program; those that are already registered stay as they are.
"""

from __future__ import annotations

from typing import Any

import click

from scripts.chain._common import Session, Step, address_option, chain_command, money
from tongdui.encoding import text_word, word_text


@chain_command
@click.option("--name", required=True, help="The merchant's name, at most 32 bytes.")
@address_option("--key", required=True, help="Address of its first signer key.")
@click.option("--limit", default=0, show_default=True, help="Credit limit in micros.")
@click.option(
    "--program", "programs", multiple=True, metavar="CODE=NAME", help="A program that it runs; can be repeated."
)
def cli(
    account: str | None, house: str | None, yes: bool, name: str, key: str, limit: int, programs: tuple[str, ...]
) -> None:
    """Register a merchant and its programs."""
    session = Session(account, yes=yes)
    clearing_house = session.house(house)
    session.require_role(clearing_house, "operator")
    merchant, _, valid_until = clearing_house.signerOf(key)
    steps = []
    if not valid_until:
        merchant = clearing_house.merchantCount()
        why = f"register {name} as merchant {merchant} with credit limit {money(limit)} and key {key}"
        steps.append(Step(why, "registerMerchant", (merchant, _word("name", name), key, limit)))
    else:
        click.echo(f"Merchant {merchant} is already registered with the key {key}.")
    steps += _missing_programs(clearing_house, merchant, [_split(program) for program in programs])
    session.carry_out(clearing_house, steps)


def _missing_programs(house: Any, merchant: int, wanted: list[tuple[str, str]]) -> list[Step]:
    count = house.programCount()
    known = {word_text(bytes(code)): owner for owner, _, code, _ in map(house.programOf, range(1, count + 1))}
    steps: list[Step] = []
    for code, name in wanted:
        if known.get(code, merchant) != merchant:
            raise click.ClickException(f"a program of merchant {known[code]} already has the code {code}")
        if code not in known:
            number = count + len(steps) + 1
            why = f"register {name} ({code}) as program {number} of merchant {merchant}"
            steps.append(
                Step(why, "registerProgram", (number, merchant, _word("code", code), _word("program name", name)))
            )
    return steps


def _split(program: str) -> tuple[str, str]:
    code, equals, name = program.partition("=")
    if not (code and equals and name):
        raise click.BadParameter(f"{program} is not CODE=NAME")
    return code, name


def _word(what: str, text: str) -> bytes:
    try:
        return text_word(text)
    except ValueError as error:
        raise click.BadParameter(f"{what}: {error}") from error
