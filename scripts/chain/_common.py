"""What the chain scripts share: the account that signs, the clearing house, and how to show, confirm and make the calls.

Each script reads the chain, lists the calls that are still missing, and stops when there are none. So it can be run again after any
failure.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import ape
import click
from ape.cli import ConnectedProviderCommand
from ape_accounts.accounts import ApeSigner, KeyfileAccount
from eth_utils.address import is_address, to_checksum_address

from clearing.chain.contract import artifact, decode_error
from tongdui.encoding import bytes_of

ROOT = Path(__file__).resolve().parent.parent.parent
ROLES = ("operator", "sequencer", "treasury", "pauser")
FOREVER = 2**40 - 1

_Command = TypeVar("_Command", bound=Callable[..., Any])


@dataclass(frozen=True)
class Step:
    """One call that is still missing, and the reason for it."""

    why: str
    function: str
    arguments: tuple[Any, ...]

    def __str__(self) -> str:
        shown = ", ".join(map(_shown, self.arguments))
        return f"{self.why}\n      {self.function}({shown})"


class Session:
    """A connected chain and the account that sends."""

    def __init__(self, account: Any, *, yes: bool) -> None:
        """`account` is an account, an alias in ape's keystore, or None for the key in the environment."""
        self.sender = load_account(account, "TONGDUI_KEY") if account is None or isinstance(account, str) else account
        self.yes = yes
        self.provider = ape.networks.provider
        self.chain_id = int(self.provider.make_request("eth_chainId", []), 16)
        if self.chain_id != self.provider.chain_id:
            mistaken = f"the node runs chain {self.chain_id}, but ape signs for chain {self.provider.chain_id}"
            raise click.ClickException(f"{mistaken}; name the network by the node's address: --network http://...")

    @property
    def now(self) -> int:
        """The timestamp of the latest block."""
        return int(ape.chain.blocks.head.timestamp)

    def house(self, address: str | None) -> Any:
        """Returns the clearing house at `address`, or the one that `deploy` recorded for this chain."""
        address = address or recorded_house(self.chain_id)
        if not address:
            raise click.UsageError(f"no clearing house is recorded for chain {self.chain_id}; name one with --house")
        if not self.provider.get_code(address):
            raise click.ClickException(f"there is no contract at {address} on chain {self.chain_id}")
        return ape.Contract(address, abi=artifact()["abi"])

    def require_role(self, house: Any, role: str) -> None:
        """Fails before anything is sent if the account lacks the role."""
        if not house.hasRole(ROLES.index(role), self.sender.address):
            raise click.ClickException(f"{self.sender.address} does not have the role {role} of {house.address}")

    def carry_out(self, house: Any, steps: Sequence[Step]) -> None:
        """Shows the steps, asks for consent, and makes the calls in order."""
        if not steps:
            click.echo("Nothing to do: the chain is already in this state.")
            return
        click.echo(f"On chain {self.chain_id}, clearing house {house.address}, {self.sender.address} will:")
        for number, step in enumerate(steps, 1):
            click.echo(f"  {number}. {step}")
        self.confirm()
        for number, step in enumerate(steps, 1):
            receipt = self.send(getattr(house, step.function), *step.arguments)
            click.echo(f"  {number}. done in block {receipt.block_number}, transaction {receipt.txn_hash}")

    def confirm(self) -> None:
        """Asks for consent unless `--yes` was given; the account then signs without asking again."""
        if not self.yes:
            click.confirm("Go on?", abort=True)
        unlock(self.sender)

    def send(self, function: Any, *arguments: Any) -> Any:
        """Sends one transaction at the node's gas price, which is 0 on a permissioned chain."""
        try:
            return function(*arguments, sender=self.sender, gas_price=self.provider.gas_price)
        except ape.exceptions.ContractLogicError as error:
            raise click.ClickException(_reason(error)) from error


def chain_command(command: _Command) -> click.Command:
    """Makes a command with the options that all chain scripts share."""
    for option in (
        click.option("--yes", is_flag=True, help="Do not ask for consent."),
        click.option("--house", callback=_address, envvar="TONGDUI_CONTRACT", help="Address of the clearing house."),
        click.option("--account", metavar="ALIAS", help="Account in ape's keystore (default: the key in TONGDUI_KEY)."),
    ):
        command = option(command)
    return click.command(cls=ConnectedProviderCommand)(command)


def address_option(*names: str, **settings: Any) -> Callable[[_Command], _Command]:
    """Makes an option whose value must be an address."""
    return click.option(*names, callback=_address, metavar="ADDRESS", **settings)


def load_account(alias: str | None, variable: str) -> Any:
    """Loads an account from ape's keystore, or from a private key in an environment variable."""
    if alias:
        return ape.accounts.load(alias)
    key = os.environ.get(variable)
    if not key:
        raise click.UsageError(f"name a keystore account, or set {variable} to a private key")
    return ApeSigner(private_key=key)


def unlock(account: Any) -> None:
    """Lets a keystore account sign without asking each time. Ape asks for the password once, or reads it from the environment."""
    if isinstance(account, KeyfileAccount):
        account.set_autosign(True)


# -------------------------------------------------------------------- which clearing house


def recorded_house(chain_id: int) -> str | None:
    """Returns the address of the clearing house that was deployed from this checkout to the chain."""
    path = record_of(chain_id)
    return str(json.loads(path.read_text())["house"]) if path.exists() else None


def record_of(chain_id: int) -> Path:
    """Returns the file in which `deploy` records what it deployed."""
    directory = Path(os.environ.get("TONGDUI_DEPLOYMENTS", ROOT / "var" / "deployments"))
    return directory / f"{chain_id}.json"


def runs_our_code(deployed: bytes) -> bool:
    """Whether this is the code that ships with the package, whatever the constructor's arguments were."""
    ours = bytearray(bytes_of(artifact()["deployedBytecode"]))
    theirs = bytearray(deployed)
    if len(ours) != len(theirs):
        return False
    for place in artifact()["immutableReferences"]:
        start, end = place["start"], place["start"] + place["length"]
        ours[start:end] = theirs[start:end] = bytes(end - start)
    return ours == theirs


# -------------------------------------------------------------------- output


def money(micros: int) -> str:
    """Formats micros as units of the currency."""
    sign = "-" if micros < 0 else ""
    return f"{sign}{abs(micros) // 1_000_000:,}.{abs(micros) % 1_000_000:06}"


def moment(seconds: int) -> str:
    """Says how long a key stays valid."""
    return "forever" if seconds == FOREVER else f"until {datetime.fromtimestamp(seconds, UTC).isoformat()}"


def _shown(value: Any) -> str:
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)


def _reason(error: Any) -> str:
    data = error.revert_message or ""
    if data.startswith("0x"):
        return f"the contract refuses: {decode_error(bytes_of(data))}"
    return f"the contract refuses: {data or type(error).__name__}"


def _address(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    if not value:
        return None
    if not is_address(value):
        raise click.BadParameter(f"{value} is not an address")
    return str(to_checksum_address(value))
