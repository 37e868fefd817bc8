"""OpenZeppelin's timelock as owner of the contract: what it executes was announced on the chain a while before.

A multisig may be its proposer: `schedule` is then the call that the multisig's members sign.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from importlib.resources import files
from typing import Any

from eth_abi.abi import decode, encode
from eth_typing import HexAddress, HexStr
from eth_utils.address import to_checksum_address
from web3.types import Nonce
from web3.utils import get_create_address

from clearing.chain.client import ChainClient
from clearing.chain.sender import Sender, Sending
from tongdui.encoding import bytes_of, keccak256

_DEPLOYMENT_GAS = 3_000_000
_CALL_GAS = 500_000
_NOTHING_BEFORE = bytes(32)
"""No other operation has to be done first."""


class OperationState(IntEnum):
    """What became of an operation."""

    UNSET = 0
    WAITING = 1
    READY = 2
    DONE = 3


@dataclass(frozen=True, slots=True)
class Operation:
    """A call of the clearing house that the timelock makes. `salt` tells equal calls apart: the timelock makes each once."""

    target: str
    data: bytes
    salt: bytes = bytes(32)

    @property
    def id(self) -> bytes:
        """Its name in the timelock."""
        types = ["address", "uint256", "bytes", "bytes32", "bytes32"]
        return keccak256(encode(types, [self.target, 0, self.data, _NOTHING_BEFORE, self.salt]))


def schedule(operation: Operation, delay: int) -> bytes:
    """The proposer's call of the timelock: announces the operation, to be executed no earlier than `delay` seconds later."""
    types = "address,uint256,bytes,bytes32,bytes32,uint256"
    return _call(f"schedule({types})", operation.target, 0, operation.data, _NOTHING_BEFORE, operation.salt, delay)


def execute(operation: Operation) -> bytes:
    """The executor's call of the timelock: makes the call that was announced."""
    types = "address,uint256,bytes,bytes32,bytes32"
    return _call(f"execute({types})", operation.target, 0, operation.data, _NOTHING_BEFORE, operation.salt)


def cancel(operation: Operation) -> bytes:
    """The proposer's call of the timelock: calls the operation off before it is executed."""
    return _call("cancel(bytes32)", operation.id)


class Timelock:
    """One timelock on the chain."""

    def __init__(self, client: ChainClient, address: str) -> None:
        self._client = client
        self.address = address

    def delay(self) -> int:
        """The least seconds between an announcement and its execution."""
        return int(self._ask("getMinDelay()", "uint256"))

    def state(self, operation: Operation) -> OperationState:
        """What became of an operation."""
        return OperationState(self._ask("getOperationState(bytes32)", "uint8", operation.id))

    def propose(self, sender: Sender, operation: Operation) -> None:
        """Announces an operation, if it was not announced yet. Raises CannotSend where the sender is no proposer."""
        self._send(sender, schedule(operation, self.delay()), operation, OperationState.WAITING)

    def execute(self, sender: Sender, operation: Operation) -> None:
        """Executes an operation whose time has come. Raises CannotSend before that, and where the sender is no executor."""
        self._send(sender, execute(operation), operation, OperationState.DONE)

    def cancel(self, sender: Sender, operation: Operation) -> None:
        """Calls an operation off. Raises CannotSend where there is none, and where the sender is no proposer."""
        sending = Sending(
            self.address, cancel(operation), _CALL_GAS, lambda: self.state(operation) is OperationState.UNSET
        )
        sender.send(sending)

    def _send(self, sender: Sender, data: bytes, operation: Operation, least: OperationState) -> None:
        sender.send(Sending(self.address, data, _CALL_GAS, lambda: self.state(operation) >= least))

    def _ask(self, signature: str, answer: str, *arguments: Any) -> Any:
        (value,) = decode([answer], self._client.eth_call(self.address, _call(signature, *arguments)))
        return value


def deploy_timelock(
    client: ChainClient, sender: Sender, account: str, *, delay: int, proposers: Sequence[str], executors: Sequence[str]
) -> Timelock:
    """Deploys a timelock with the account's key. Nobody is its admin but itself: who proposes changes only after its delay.

    Args:
        client: The node.
        sender: Sends the account's transactions.
        account: The account's address.
        delay: The least seconds between an announcement and its execution.
        proposers: Who may announce and call off: best a multisig.
        executors: Who may execute what was announced. The zero address stands for anybody.
    """
    nonce = client.next_nonce(account)
    address = str(get_create_address(HexAddress(HexStr(account)), Nonce(nonce)))
    types = ["uint256", "address[]", "address[]", "address"]
    arguments = encode(types, [delay, list(proposers), list(executors), "0x" + "00" * 20])
    code = bytes_of(_artifact()["bytecode"]) + arguments
    sender.send(Sending(None, code, _DEPLOYMENT_GAS, lambda: client.call("eth_getCode", address, "latest") != "0x"))
    return Timelock(client, to_checksum_address(address))


@lru_cache
def _artifact() -> dict[str, Any]:
    """The compiled timelock that ships with the package (`scripts/dev/compile.py` writes it)."""
    loaded: dict[str, Any] = json.loads(
        files("clearing.chain").joinpath("artifacts/TimelockController.json").read_text()
    )
    return loaded


def _call(signature: str, *arguments: Any) -> bytes:
    inner = signature[signature.index("(") + 1 : -1]
    return keccak256(signature.encode())[:4] + encode(inner.split(",") if inner else [], arguments)
