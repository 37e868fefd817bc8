"""Freezes a contract, and sets another one in its place: each step looks at the chain first, so that a stopped run goes on.

What the contract allows and checks is in `contracts/interfaces/IClearingHouseSuccession.sol`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from functools import partial

from eth_utils.address import to_checksum_address

from clearing.chain import contract
from clearing.chain.client import ChainClient
from clearing.chain.contract_code import contract_fault
from clearing.chain.deployment import DEPLOYMENT_GAS, admin_sender, created_address, grant_roles
from clearing.chain.logs import rare_logs
from clearing.chain.sender import CannotSend, Sending
from clearing.chain.state import ContractState
from clearing.kit.signing.role_keys import RoleKeys
from tongdui.audit.leaves import CHUNK
from tongdui.audit.snapshot import Snapshot
from tongdui.encoding import bytes_of, hex_of, keccak256, text_word

_FREEZE_GAS = 200_000
_BEGIN_GAS = 300_000
_CHUNK_GAS = 15_000_000
"""More than 256 leaves need, each in a slot of its own; less than the 16,777,216 that chains since Osaka allow."""
_WORD = 32
_OPENED = keccak256(b"Opened(uint40,bytes32,int256)")

Report = Callable[[str], None]
"""Hears each step, in a sentence."""


class CannotSucceed(CannotSend):
    """A contract cannot be frozen, or cannot take another one's place; the message says why, and what to do about it."""


class Stage(IntEnum):
    """Where a contract is between its birth and its end."""

    OPERATING = 0
    IMPORTING = 1
    FROZEN = 2


@dataclass(frozen=True, slots=True)
class Progress:
    """What a contract says of its own end and of its predecessor."""

    stage: Stage
    chain_id: int
    predecessor: str
    leaves: int
    head: bytes
    root: bytes
    imported: int


@dataclass(frozen=True, slots=True)
class Final:
    """What a contract ends with, or would."""

    batches: int
    head: str
    funds_micros: int
    positions_micros: int
    """The sum of all positions. It equals the funds."""
    supplies: tuple[int, ...]
    """Points in circulation, program by program."""


def progress_of(client: ChainClient, address: str) -> Progress:
    """Where a contract is."""
    answer = client.eth_call(address, contract.encode_call("successionOf", []))
    words = [answer[at : at + _WORD] for at in range(0, len(answer), _WORD)]
    stage, chain_id, house, leaves, head, root, imported = words
    numbers = [int.from_bytes(one, "big") for one in (stage, chain_id, leaves, imported)]
    return Progress(Stage(numbers[0]), numbers[1], hex_of(house[12:]), numbers[2], head, root, numbers[3])


def final_of(client: ChainClient, address: str) -> Final:
    """What a contract has now."""

    def number(function: str, *arguments: object) -> int:
        answer = client.eth_call(address, contract.encode_call(function, list(arguments)))
        return int.from_bytes(answer, "big", signed=True)

    merchants, programs = number("merchantCount"), number("programCount")
    return Final(
        number("batchCount"),
        hex_of(client.eth_call(address, contract.encode_call("head", []))),
        number("settlementFunds"),
        number("positionsOf", 0, merchants - 1),
        tuple(number("totalSupply", program) for program in range(1, programs + 1)),
    )


class Succession:
    """Works with the owner's key. Where somebody else owns the contract, it says what that one has to send."""

    def __init__(self, client: ChainClient, keys: RoleKeys, max_fee_per_gas: int | None, report: Report) -> None:
        self._client = client
        self._keys = keys
        self._sender = admin_sender(client, keys, max_fee_per_gas)
        self._report = report

    # ---------------------------------------------------------------- the end

    def freeze(self, address: str) -> Final:
        """Freezes a contract, unless it is frozen already. Raises CannotSucceed where another account owns it."""
        if progress_of(self._client, address).stage is Stage.FROZEN:
            self._report("The contract is frozen already.")
            return final_of(self._client, address)
        data = contract.encode_call("freeze", [])
        self._require_owner(address, data)
        self._sender.check_funds(_FREEZE_GAS)
        self._sender.send(Sending(address, data, _FREEZE_GAS, partial(self._is, address, Stage.FROZEN)))
        self._report(f"The contract {address} is frozen.")
        return final_of(self._client, address)

    def _require_owner(self, address: str, data: bytes) -> None:
        owner = ContractState(self._client, address).owner()
        if owner != self._sender.address.lower():
            raise CannotSucceed(
                f"the contract {address} belongs to {to_checksum_address(owner)}, not to the admin key: have its owner send the "
                f"call {hex_of(data)} to it, then run the same command again"
            )

    # ---------------------------------------------------------------- the beginning

    def succeed(self, snapshot: Snapshot, operator_name: str, utc_offset_seconds: int) -> tuple[str, int]:
        """Sets another contract in the place of the frozen one that the snapshot is of.

        Returns:
            The new contract's address, checksummed, and the block in which it was opened.

        Raises:
            CannotSucceed: Some of it must be done by somebody else, or differently.
        """
        root = bytes_of(snapshot.head.root)
        address = self._successor(root) or self._deploy(operator_name, utc_offset_seconds)
        progress = progress_of(self._client, address)
        if progress.stage is Stage.OPERATING and not any(progress.root):
            self._begin(address, snapshot)
        self._import(address, snapshot)
        if progress_of(self._client, address).stage is Stage.IMPORTING:
            data = contract.encode_call("open", [])
            self._sender.send(Sending(address, data, _BEGIN_GAS, partial(self._is, address, Stage.OPERATING)))
            self._report("Every leaf is there, points and money add up: the contract is open.")
        grant_roles(self._client, self._sender, self._keys, address)
        return address, self._opened_in(address)

    def _successor(self, root: bytes) -> str | None:
        """What an earlier run has deployed: a contract of the admin key that imports this snapshot, or that nothing happened to."""
        found = None
        for nonce in range(self._client.next_nonce(self._sender.address)):
            address = created_address(self._sender.address, nonce)
            if not self._client.has_code(address):
                continue
            progress = progress_of(self._client, address)
            if progress.root == root:
                return address
            if progress.stage is Stage.OPERATING and self._is_new(address):
                found = address
        return found

    def _is_new(self, address: str) -> bool:
        final = final_of(self._client, address)
        merchants = self._client.eth_call(address, contract.encode_call("merchantCount", []))
        return not final.batches and not final.supplies and int.from_bytes(merchants, "big") == 1

    def _deploy(self, operator_name: str, utc_offset_seconds: int) -> str:
        self._sender.check_funds(DEPLOYMENT_GAS)
        address = created_address(self._sender.address, self._client.next_nonce(self._sender.address))
        code = contract.deployment_code(self._sender.address, text_word(operator_name), utc_offset_seconds)
        self._sender.send(Sending(None, code, DEPLOYMENT_GAS, partial(self._client.has_code, address)))
        fault = contract_fault(
            self._client, address, chain_id=self._client.chain_id(), utc_offset_seconds=utc_offset_seconds
        )
        if fault is not None:
            raise CannotSucceed(fault.what)
        self._report(f"The new contract is at {address}.")
        return address

    def _begin(self, address: str, snapshot: Snapshot) -> None:
        head = snapshot.head
        predecessor = [head.chain_id, to_checksum_address(head.contract), head.leaves, head.head, head.root]
        data = contract.encode_call("beginImport", [predecessor])
        self._sender.send(Sending(address, data, _BEGIN_GAS, partial(self._is, address, Stage.IMPORTING)))
        self._report(f"It takes over {head.leaves} leaves with the root {head.root}.")

    def _import(self, address: str, snapshot: Snapshot) -> None:
        progress = progress_of(self._client, address)
        for first in range(progress.imported, progress.leaves, CHUNK):
            number = first // CHUNK
            leaves = [list(leaf) for leaf in snapshot.chunk(number)]
            proof = [hex_of(node) for node in snapshot.tree.proof_of_chunk(number)]
            data = contract.encode_call("importLeaves", [first, leaves, proof])
            until = first + len(leaves)
            self._sender.send(Sending(address, data, _CHUNK_GAS, partial(self._has, address, until)))
            self._report(f"{until} of {progress.leaves} leaves are imported.")

    def _is(self, address: str, stage: Stage) -> bool:
        return progress_of(self._client, address).stage is stage

    def _has(self, address: str, leaves: int) -> bool:
        return progress_of(self._client, address).imported >= leaves

    def _opened_in(self, address: str) -> int:
        """The block in which it was opened."""
        (opened,) = rare_logs(self._client, address, hex_of(_OPENED))
        return opened.block
