"""A chain in this process: blocks that somebody mines by hand, a pool, reorganisations, and the JSON-RPC of one node.

It runs the contract's own bytecode (`evm.py`) and says what anvil says; `test_chain.py` compares the two. Nothing here is random
and nothing waits: the world decides when blocks come, what they contain and what gets lost.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import rlp

from tests.simulation.evm import CHAIN_ID, Contract, Ran, Storage
from tongdui.encoding import bytes_of, hex_of, keccak256
from tongdui.orders import recover_signer

Json = dict[str, Any]
_FIELDS = 9
"""Of a legacy transaction."""


class Refused(Exception):
    """The node answers with an error."""

    def __init__(self, message: str, code: int = -32_000, data: str | None = None) -> None:
        super().__init__(message)
        self.error: Json = {"code": code, "message": message, **({"data": data} if data is not None else {})}


@dataclass(frozen=True, slots=True)
class Transaction:
    """A signed transaction to the contract."""

    hash: str
    sender: str
    nonce: int
    gas: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Block:
    """A block, and what the chain is like after it."""

    number: int
    hash: str
    parent_hash: str
    timestamp: int
    transactions: tuple[Transaction, ...]
    receipts: tuple[Json, ...]
    storage: Storage
    nonces: Mapping[str, int]
    """Of the next transaction of each sender."""


@dataclass(slots=True)
class Chain:
    """All blocks, the pool, and what was ever mined."""

    contract: Contract
    block_gas: int
    blocks: list[Block] = field(default_factory=list)
    pool: dict[str, Transaction] = field(default_factory=dict)
    """By hash, in the order of their arrival."""
    known: dict[str, Transaction] = field(default_factory=dict)
    """All that a node ever got, by hash."""
    _forks: int = 0

    @property
    def head(self) -> Block:
        """The newest block."""
        return self.blocks[-1]

    def copy(self) -> Chain:
        """A chain that begins with the same blocks and goes its own way."""
        return Chain(self.contract, self.block_gas, list(self.blocks), dict(self.pool), dict(self.known))

    # ---------------------------------------------------------------- blocks

    def mine(self, timestamp: int, leave_out: Collection[str] = ()) -> Block:
        """Adds a block of what waits in the pool and fits, but for these hashes, and what comes behind them."""
        parent = self.head if self.blocks else None
        number = parent.number + 1 if parent else 0
        timestamp = max(timestamp, parent.timestamp) if parent else timestamp
        storage: Storage = parent.storage if parent else self.contract.founded
        nonces = dict(parent.nonces) if parent else {}
        chosen, receipts, logs, gas_left = [], [], 0, self.block_gas
        waiting = [one for one in self.pool.values() if one.hash not in leave_out]
        while transaction := next((one for one in waiting if self._is_next(one, nonces, gas_left)), None):
            waiting.remove(transaction)
            ran = self._run(storage, transaction, number, timestamp)
            storage, gas_left = ran.storage, gas_left - ran.gas_used
            nonces[transaction.sender] = transaction.nonce + 1
            chosen.append(transaction)
            receipts.append(self._receipt(transaction, ran, number, logs))
            logs += len(ran.logs)
        parent_hash = parent.hash if parent else hex_of(bytes(32))
        parts = [parent_hash, number, timestamp, self._forks, *(one.hash for one in chosen)]
        block_hash = hex_of(keccak256(repr(parts).encode()))
        for receipt in receipts:
            receipt["blockHash"] = block_hash
        block = Block(number, block_hash, parent_hash, timestamp, tuple(chosen), tuple(receipts), storage, nonces)
        self.blocks.append(block)
        self._forget_used()
        return block

    def reorganise(self, depth: int, lost: Collection[str] = ()) -> list[Transaction]:
        """Takes the newest blocks away. Their transactions wait again, but for those that are lost; returns what they contained."""
        assert 0 < depth < len(self.blocks), "the first block stays"
        gone = [transaction for block in self.blocks[-depth:] for transaction in block.transactions]
        del self.blocks[-depth:]
        self._forks += 1
        self.pool = {one.hash: one for one in gone if one.hash not in lost} | self.pool
        return gone

    def lose_pool(self, hashes: Collection[str]) -> None:
        """The nodes forget these transactions, as when they restart."""
        for tx_hash in hashes:
            self.pool.pop(tx_hash, None)

    @staticmethod
    def _is_next(one: Transaction, nonces: Mapping[str, int], gas_left: int) -> bool:
        """Whether a block can take it now: the first in the order of their arrival, but each sender's by their nonces."""
        return one.nonce == nonces.get(one.sender, 0) and one.gas <= gas_left

    def _forget_used(self) -> None:
        nonces = self.head.nonces
        self.pool = {h: one for h, one in self.pool.items() if one.nonce >= nonces.get(one.sender, 0)}

    def _run(self, storage: Storage, one: Transaction, number: int, timestamp: int) -> Ran:
        return self.contract.run(storage, one.sender, one.data, one.gas, number, timestamp, self.block_gas)

    def _receipt(self, transaction: Transaction, ran: Ran, number: int, logs: int) -> Json:
        address = self.contract.address.lower()
        return {
            "transactionHash": transaction.hash,
            "from": transaction.sender,
            "status": "0x1" if ran.succeeded else "0x0",
            "gasUsed": hex(ran.gas_used),
            "blockNumber": hex(number),
            "blockHash": "",
            "logs": [
                {"address": address, "topics": list(log.topics), "data": log.data, "logIndex": hex(logs + place)}
                for place, log in enumerate(ran.logs)
            ],
        }


class Node:
    """The JSON-RPC of one node, which may be some blocks behind."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.behind = 0
        """So many of the newest blocks it does not have yet."""
        self._methods: dict[str, Callable[..., Any]] = {
            "eth_chainId": lambda: hex(CHAIN_ID),
            "eth_blockNumber": lambda: hex(self._head().number),
            "eth_getBlockByNumber": self._block,
            "eth_getBlockReceipts": self._receipts,
            "eth_getTransactionCount": self._count,
            "eth_getTransactionReceipt": self._receipt,
            "eth_getCode": self._code,
            "eth_call": self._call,
            "eth_sendRawTransaction": self._send,
        }

    def answer(self, request: Json) -> Json:
        """The answer to one request."""
        said = {"jsonrpc": "2.0", "id": request["id"]}
        try:
            return {**said, "result": self._methods[request["method"]](*request["params"])}
        except Refused as refusal:
            return {**said, "error": refusal.error}

    # ---------------------------------------------------------------- reading

    def _blocks(self) -> Sequence[Block]:
        blocks = self.chain.blocks
        return blocks[: max(1, len(blocks) - self.behind)] if self.behind else blocks

    def _head(self) -> Block:
        return self._blocks()[-1]

    def _at(self, name: str) -> Block | None:
        blocks = self._blocks()
        if name in ("latest", "pending"):
            return blocks[-1]
        number = int(name, 16)
        return blocks[number] if number < len(blocks) else None

    def _block(self, name: str, _whole: bool) -> Json | None:
        block = self._at(name)
        if block is None:
            return None
        return {
            "number": hex(block.number),
            "hash": block.hash,
            "parentHash": block.parent_hash,
            "timestamp": hex(block.timestamp),
            "gasLimit": hex(self.chain.block_gas),
            "transactions": [one.hash for one in block.transactions],
        }

    def _receipts(self, name: str) -> list[Json] | None:
        block = self._at(name)
        return list(block.receipts) if block is not None else None

    def _count(self, sender: str, name: str) -> str:
        block = self._at(name)
        if block is None:
            raise Refused("block not found")
        return hex(block.nonces.get(sender.lower(), 0))

    def _receipt(self, tx_hash: str) -> Json | None:
        found = (one for block in self._blocks() for one in block.receipts if one["transactionHash"] == tx_hash)
        return next(found, None)

    def _code(self, address: str, _name: str) -> str:
        return "0x01" if address.lower() == self.chain.contract.address.lower() else "0x"

    def _call(self, request: Json, name: str) -> str:
        block = self._at(name)
        if block is None:
            raise Refused("block not found")
        gas = int(request.get("gas", hex(self.chain.block_gas)), 16)
        sender = request.get("from", "0x" + "00" * 20)
        ran = self.chain.contract.run(
            block.storage, sender, bytes_of(request["data"]), gas, block.number, block.timestamp, self.chain.block_gas
        )
        if ran.succeeded:
            return ran.output
        if ran.halted:
            raise Refused("EVM error OutOfGas", -32_003)
        raise Refused("execution reverted", 3, ran.output)

    # ---------------------------------------------------------------- writing

    def _send(self, raw: str) -> str:
        transaction = decoded(bytes_of(raw))
        nonces = self._head().nonces
        if transaction.nonce < nonces.get(transaction.sender, 0):
            raise Refused("nonce too low", -32_003)
        if transaction.gas > self.chain.block_gas:
            raise Refused("intrinsic gas too high -- tx.gas_limit > env.block.gas_limit", -32_003)
        if transaction.hash in self.chain.pool:
            raise Refused("transaction already imported", -32_003)
        for other in self.chain.pool.values():
            if (other.sender, other.nonce) == (transaction.sender, transaction.nonce):
                raise Refused("replacement transaction underpriced", -32_003)
        self.chain.pool[transaction.hash] = self.chain.known[transaction.hash] = transaction
        return transaction.hash


@lru_cache(maxsize=1_024)
def decoded(raw: bytes) -> Transaction:
    """A signed legacy transaction from its bytes."""
    fields: list[bytes] = rlp.decode(raw)
    assert len(fields) == _FIELDS, "gas is free here, so all transactions are legacy ones"
    nonce, _, gas, _, _, data, v, r, s = fields
    parity = (int.from_bytes(v, "big") - 35) % 2
    signed = rlp.encode([*fields[:6], CHAIN_ID, b"", b""])
    number = int.from_bytes(s, "big") | parity << 255
    compact = r.rjust(32, b"\0") + number.to_bytes(32, "big")
    sender = recover_signer(keccak256(signed), compact).lower()
    return Transaction(hex_of(keccak256(raw)), sender, int.from_bytes(nonce, "big"), int.from_bytes(gas, "big"), data)
