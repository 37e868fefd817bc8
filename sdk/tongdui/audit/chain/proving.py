"""Proves one block against its header, and decodes what it did to the contract. Knows no node: JSON in, `Block` out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...encoding import bytes_of, hex_of
from ..findings import Finding, Place
from ..watching import Event
from . import receipts as receipts_of
from . import transactions as transactions_of
from .calls import call_of
from .events import event_of
from .headers import Header
from .signatures import NOBODY
from .transactions import UnsupportedType
from .trie import ordered_root

RULES = {
    "block.hash": "a block's header hashes to the hash by which the block is known",
    "block.parent": "each block names the hash of the one before it",
    "block.transactions": "a block's transactions lead to the root in its header",
    "block.receipts": "the receipts of a block's transactions, with their events, lead to the root in its header",
    "block.bloom": "the filter of events in a block's header is that of its events",
    "transaction.hash": "a transaction's content hashes to the hash by which it is known",
    "transaction.sender": "a transaction's sender is the one who signed it",
    "event.unknown": "every event of the contract is one that a clearing house has",
}

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """A transaction that called the contract, or in which the contract had events."""

    transaction: str
    """Its hash, 0x and lower case."""
    index: int
    """Its place in the block, from 0."""
    sender: str
    """Who signed it, in lower case."""
    to: str | None
    """Whom it called, in lower case; None if it created a contract."""
    succeeded: bool
    method: str
    """As in the interface; empty if it failed, or did not call the contract itself; `calls.UNKNOWN` if its data cannot be read."""
    arguments: tuple[Any, ...]
    """See `calls.call_of`."""
    events: tuple[Event, ...]
    """Of the contract, in order."""


@dataclass(frozen=True, slots=True)
class Block:
    """A block, with what it did to the contract and what is wrong with it."""

    number: int
    hash: str
    parent: str
    time: int
    """Unix seconds."""
    state_root: bytes
    calls: tuple[Call, ...]
    faults: tuple[Finding, ...]


class BlockProver:
    """Proves and decodes the blocks of one chain for one contract."""

    def __init__(self, contract: str, separator: bytes) -> None:
        """`contract` in lower case; `separator` is the contract's EIP-712 domain separator."""
        self._contract = contract
        self._separator = separator
        self._bits = receipts_of.bloom_of(contract)

    def concerns(self, header: Header) -> bool:
        """Whether the block can hold an event of the contract: its filter says so, or the header cannot be believed."""
        return header.bloom & self._bits == self._bits or not header.holds

    def without_calls(self, header: Header, asked: int) -> Block:
        """The block `asked`, which does not concern the contract."""
        header, faults = _as_asked(header, asked)
        return _block(header, (), tuple(faults))

    def block(
        self, header: Header, asked: int, transactions: Sequence[Json], receipts: Sequence[Json]
    ) -> tuple[Block, str | None]:
        """Proves the block `asked` and decodes it.

        Returns:
            The block, and what in it could not be proven, if anything.

        Raises:
            KeyError, TypeError, ValueError: The JSON is not that of transactions and receipts.
        """
        header, faults = _as_asked(header, asked)
        unproven = None
        for check, items in ((_transaction_faults, transactions), (_receipt_faults, receipts)):
            try:
                faults += check(header, items)
            except UnsupportedType as error:
                unproven = unproven or str(error)
        faults += _pairing_faults(header, transactions, receipts)
        calls = []
        for index, (transaction, receipt) in enumerate(zip(transactions, receipts, strict=False)):
            logs = [log for log in receipt["logs"] if log["address"].lower() == self._contract]
            if logs or _lower(transaction.get("to")) == self._contract:
                call, found = self._call(header, index, transaction, receipt, logs)
                calls.append(call)
                faults += found
        return _block(header, tuple(calls), tuple(faults)), unproven

    def _call(
        self, header: Header, index: int, transaction: Json, receipt: Json, logs: Sequence[Json]
    ) -> tuple[Call, list[Finding]]:
        name, to = transaction["hash"].lower(), _lower(transaction.get("to"))
        sender, faults = _sender(header, transaction, name)
        events = []
        for log in logs:
            try:
                events.append(event_of(log))
            except ValueError as error:
                faults.append(
                    _fault(
                        "event.unknown",
                        f"an event of transaction {name}",
                        "an event of the contract",
                        str(error),
                        header,
                        name,
                    )
                )
        succeeded = int(receipt.get("status") or "0x1", 16) == 1
        # What failed changed nothing, and anybody can make a failing call that is long to decode.
        is_call = to == self._contract and (succeeded or events)
        method, arguments = call_of(bytes_of(transaction["input"]), self._separator) if is_call else ("", ())
        return Call(name, index, sender, to, succeeded, method, arguments, tuple(events)), faults


def _block(header: Header, calls: tuple[Call, ...], faults: tuple[Finding, ...]) -> Block:
    return Block(header.number, header.hash, header.parent, header.time, header.state_root, calls, faults)


def _as_asked(header: Header, asked: int) -> tuple[Header, list[Finding]]:
    """The header with the number that was asked for, and what is wrong with it."""
    if header.number != asked:
        fault = Finding(
            "block.hash", f"block {asked}", f"number {asked}", f"number {header.number}", Place(block=asked)
        )
        return replace(header, number=asked), [fault]
    if not header.holds:
        expected, found = f"{header.hash}, as the node says", f"{header.computed}, computed from its header"
        return header, [Finding("block.hash", f"hash of block {asked}", expected, found, Place(block=asked))]
    return header, []


def _transaction_faults(header: Header, transactions: Sequence[Json]) -> list[Finding]:
    raw = [transactions_of.encoded(transaction) for transaction in transactions]
    faults = []
    for transaction, encoded in zip(transactions, raw, strict=True):
        stated, computed = transaction["hash"].lower(), transactions_of.hash_of(encoded)
        if stated != computed:
            found = f"{computed}, computed from its content"
            faults.append(_fault("transaction.hash", f"transaction {stated}", stated, found, header, stated))
    root = ordered_root(raw)
    if root != header.transactions_root:
        faults.append(_root_fault("transactions", header, header.transactions_root, root))
    return faults


def _receipt_faults(header: Header, receipts: Sequence[Json]) -> list[Finding]:
    faults = []
    root = ordered_root([receipts_of.encoded(receipt) for receipt in receipts])
    if root != header.receipts_root:
        faults.append(_root_fault("receipts", header, header.receipts_root, root))
    bloom = receipts_of.bloom_of_logs(receipts)
    if bloom != header.bloom:
        expected = f"{header.bloom:#0514x}, as the header says"
        found = f"{bloom:#0514x}, computed from its events"
        faults.append(_fault("block.bloom", f"filter of the events of block {header.number}", expected, found, header))
    return faults


def _pairing_faults(header: Header, transactions: Sequence[Json], receipts: Sequence[Json]) -> list[Finding]:
    names = [transaction["hash"].lower() for transaction in transactions]
    told = [receipt["transactionHash"].lower() for receipt in receipts]
    if names == told:
        return []
    expected = f"one for each of its {len(names)} transactions, in their order"
    found = f"{len(told)} receipts, of " + (", ".join(told[:3]) or "nothing") + (", ..." if len(told) > 3 else "")
    return [_fault("block.receipts", f"receipts of block {header.number}", expected, found, header)]


def _sender(header: Header, transaction: Json, name: str) -> tuple[str, list[Finding]]:
    """Who signed the transaction, and a finding if the node says that it was somebody else."""
    stated = _lower(transaction["from"]) or NOBODY
    try:
        sender = transactions_of.sender_of(transaction)
    except UnsupportedType:
        return stated, []
    if sender == stated:
        return sender, []
    found = sender or "nobody: its signature is none"
    fault = _fault(
        "transaction.sender", f"sender of transaction {name}", f"{stated}, as the node says", found, header, name
    )
    return sender, [fault]


def _root_fault(what: str, header: Header, expected: bytes, found: bytes) -> Finding:
    return _fault(
        f"block.{what}",
        f"root of the {what} of block {header.number}",
        f"{hex_of(expected)}, as the header says",
        f"{hex_of(found)}, computed from what the node gave",
        header,
    )


def _fault(
    rule: str, subject: str, expected: str, found: str, header: Header, transaction: str | None = None
) -> Finding:
    return Finding(rule, subject, expected, found, Place(block=header.number, transaction=transaction))


def _lower(address: Any) -> str | None:
    return None if address is None else str(address).lower()
