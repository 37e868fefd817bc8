"""Deploys OpenZeppelin's timelock and names it as the contract's next owner."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

from eth_abi.abi import encode
from eth_utils.address import to_checksum_address

from clearing.chain.client import ChainClient
from clearing.chain.contract import encode_call
from clearing.chain.deployment import created_address
from clearing.chain.fees import Fees
from clearing.chain.sender import Sender, Sending
from clearing.chain.state import ContractState
from clearing.chain.timelock import Timelock
from clearing.kit.signing.signer import Signer
from tongdui.encoding import bytes_of
from tongdui.orders import ZERO_ADDRESS

_DEPLOYMENT_GAS = 3_000_000
_CALL_GAS = 200_000


@dataclass(frozen=True, slots=True)
class TimelockTerms:
    """What a timelock is made with. Nobody is its admin: who proposes and executes changes only after its own delay."""

    delay: int
    """The least seconds between an announcement and its execution."""
    proposers: Sequence[str]
    """Who may announce operations and call them off: best a multisig."""
    executors: Sequence[str]
    """Who may execute what was announced."""


def hand_over(
    client: ChainClient, admin: Signer, contract: str, terms: TimelockTerms, max_fee_per_gas: int | None = None
) -> str:
    """Makes a timelock and names it as the contract's next owner, unless one is named or owns it already. Returns its address.

    The admin stays the owner until the timelock accepts: a proposer announces that, and an executor executes it after the delay
    (`clearing owner accept`). Raises CannotSend where the admin is not the owner, or has no funds.
    """
    sender, state = Sender(client, admin, Fees(client, max_fee_per_gas), owner="admin"), ContractState(client, contract)
    for known in (state.owner(), state.pending_owner()):
        if known is not None and Timelock.at(client, known) is not None:
            return str(to_checksum_address(known))
    sender.check_funds(_DEPLOYMENT_GAS + _CALL_GAS)
    timelock = created_address(sender.address, client.next_nonce(sender.address))
    sender.send(Sending(None, _code(terms), _DEPLOYMENT_GAS, lambda: state.has_code(timelock)))
    naming = encode_call("transferOwnership", [timelock])
    sender.send(Sending(contract, naming, _CALL_GAS, lambda: state.pending_owner() == timelock.lower()))
    return timelock


def _code(terms: TimelockTerms) -> bytes:
    """The initcode that deploys it."""
    types = ["uint256", "address[]", "address[]", "address"]
    return bytes_of(_artifact()["bytecode"]) + encode(
        types, [terms.delay, list(terms.proposers), list(terms.executors), ZERO_ADDRESS]
    )


@lru_cache
def _artifact() -> dict[str, Any]:
    """The compiled timelock that ships with the package (`scripts/dev/compile.py` writes it)."""
    text = files("clearing.chain").joinpath("artifacts/TimelockController.json").read_text()
    loaded: dict[str, Any] = json.loads(text)
    return loaded
