"""OpenZeppelin's TimelockController as the contract's owner: it executes a call after a delay that everybody sees."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from eth_abi.abi import decode, encode

from clearing.chain.client import ChainClient
from clearing.chain.errors import ChainError
from clearing.chain.node_errors import explanation_of, is_contract_failure, revert_data
from tongdui.encoding import ZERO_WORD, hex_of, keccak256, word

_OPERATION = ["address", "uint256", "bytes", "bytes32", "bytes32"]
_DONE = 1
"""What `getTimestamp` answers of an operation that was executed."""
_UNAUTHORIZED = keccak256(b"AccessControlUnauthorizedAccount(address,bytes32)")[:4]
_UNEXPECTED_STATE = keccak256(b"TimelockUnexpectedOperationState(bytes32,bytes32)")[:4]
_ROLES = {keccak256(f"{role.upper()}_ROLE".encode()): role for role in ("proposer", "executor", "canceller")}


class Step(StrEnum):
    """What an operation needs next."""

    SCHEDULE = "schedule"
    WAIT = "wait"
    EXECUTE = "execute"


@dataclass(frozen=True, slots=True)
class Operation:
    """A call that a timelock makes for somebody."""

    id: bytes
    step: Step
    ready_at: int
    """Unix seconds from which it can be executed; if it has to be scheduled: from which it could be, if that were done now."""
    delay: int
    """Seconds."""
    schedule: bytes
    execute: bytes
    """The calldata for the timelock of each step."""

    @property
    def data(self) -> bytes:
        """The calldata of the next step."""
        return self.execute if self.step is Step.EXECUTE else self.schedule


class Timelock:
    """A timelock on a node's chain."""

    def __init__(self, client: ChainClient, address: str) -> None:
        self._client = client
        self.address = address

    @classmethod
    def at(cls, client: ChainClient, address: str) -> Timelock | None:
        """The timelock at this address; None if something else is there, such as a key or another kind of multisig."""
        timelock = cls(client, address)
        try:
            answer = timelock._ask("getMinDelay()")
        except ChainError as error:
            if not is_contract_failure(error):
                raise
            return None
        return timelock if len(answer) == 32 else None

    def operation(self, target: str, data: bytes) -> Operation:
        """The operation that calls `target`: the one that is on its way, or a new one if all like it were executed.

        Its salt is the count of its like before it, so whoever asks again later finds the same one.
        """
        count = 0
        while True:
            salt = word(count)
            arguments = encode(_OPERATION, [target, 0, data, ZERO_WORD, salt])
            operation_id = keccak256(arguments)
            timestamp = self._number("getTimestamp(bytes32)", operation_id)
            if timestamp != _DONE:
                return self._found(target, data, salt, operation_id, timestamp)
            count += 1

    def is_scheduled(self, operation_id: bytes) -> bool:
        """Whether it has the operation, executed or not."""
        return self._number("getTimestamp(bytes32)", operation_id) != 0

    def _found(self, target: str, data: bytes, salt: bytes, operation_id: bytes, timestamp: int) -> Operation:
        delay, now = self._number("getMinDelay()"), self._client.newest_block().timestamp
        arguments = [target, 0, data, ZERO_WORD, salt]
        return Operation(
            operation_id,
            _step(timestamp, now),
            timestamp or now + delay,
            delay,
            _selector(f"schedule({','.join([*_OPERATION, 'uint256'])})")
            + encode([*_OPERATION, "uint256"], [*arguments, delay]),
            _selector(f"execute({','.join(_OPERATION)})") + encode(_OPERATION, arguments),
        )

    def _number(self, signature: str, *arguments: bytes) -> int:
        return int.from_bytes(self._ask(signature, *arguments), "big")

    def _ask(self, signature: str, *arguments: bytes) -> bytes:
        return self._client.eth_call(self.address, _selector(signature) + b"".join(arguments))


def _step(timestamp: int, now: int) -> Step:
    if timestamp == 0:
        return Step.SCHEDULE
    return Step.EXECUTE if timestamp <= now else Step.WAIT


def timelock_refusal(error: ChainError) -> str:
    """Why a timelock refuses, in words."""
    data = revert_data(error)
    if data[:4] == _UNAUTHORIZED:
        account, role = decode(["address", "bytes32"], data[4:])
        return f"{account} is no {_ROLES.get(role, hex_of(role))} of the timelock (AccessControlUnauthorizedAccount)"
    if data[:4] == _UNEXPECTED_STATE:
        return "the timelock's operation has changed meanwhile; run the same command again (TimelockUnexpectedOperationState)"
    return explanation_of(error)


def _selector(signature: str) -> bytes:
    return keccak256(signature.encode())[:4]
