"""The state of the clearing house from the contract's events alone: every balance, position, total and root.

On purpose this shares nothing with the projector but the decoding of an event. It reads the logs by another method of the node,
replays them in memory, and knows nothing of the database, so a mistake goes unnoticed only if both make it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from clearing.chain import contract
from clearing.chain.client import ChainClient, ChainError, Log
from tongdui.encoding import ZERO_WORD, bytes_of, hex_of
from tongdui.orders import NO_NONCE, Kind, Reason
from tongdui.receipts import Entry, chain_head, merkle_root

TOTALS = ("issued", "exchanged_in", "restored", "redeemed", "spent", "exchanged_out", "expired", "revoked")
"""Fields of the contract's `ProgramTotals`, in its order."""

_MINTING = 3
"""The first three mint points; the others burn them."""

_BLOCKS_A_READ = 2_000
_OPERATOR = 0


@dataclass(slots=True)
class AgreementSides:
    """The merchants of an agreement, and the program that receives points."""

    source: int
    target: int
    target_program: int


@dataclass(slots=True)
class ClosedBatch:
    """A batch as the journal closed it."""

    entries: int
    root: bytes
    head: bytes


@dataclass(slots=True)
class ChainState:
    """The state of the clearing house after the events that were applied."""

    balances: dict[tuple[str, int], int] = field(default_factory=lambda: defaultdict(int))
    positions: dict[int, int] = field(default_factory=dict)
    limits: dict[int, int] = field(default_factory=dict)
    totals: dict[int, list[int]] = field(default_factory=dict)
    batches: dict[int, ClosedBatch] = field(default_factory=dict)
    funds: int = 0
    head: bytes = ZERO_WORD
    entries: int = 0
    events: int = 0
    faults: list[str] = field(default_factory=list)
    """Where the events contradict each other."""
    _agreements: dict[int, AgreementSides] = field(default_factory=dict)
    reversed: frozenset[bytes] = frozenset()
    """Leaves that reversals undo, known beforehand, so that nothing has to be kept of the others."""
    _originals: dict[bytes, tuple[int, bytes]] = field(default_factory=dict)
    """Kind and link of each of those leaves."""
    _nonces: dict[tuple[int, int], int] = field(default_factory=lambda: defaultdict(int))
    """Used nonces as the contract keeps them: a word of 256 bits by merchant and number of the word."""
    _open: list[bytes] = field(default_factory=list)
    """Leaves of the batch that is not closed yet."""

    def has_used(self, merchant: int, nonce: int) -> bool:
        """Whether the events show that a nonce was used up."""
        return bool(self._nonces.get((merchant, nonce >> 8), 0) >> (nonce & 0xFF) & 1)

    def _use(self, merchant: int, nonce: int) -> None:
        self._nonces[merchant, nonce >> 8] |= 1 << (nonce & 0xFF)

    def supply(self, program: int) -> int:
        """Points of a program in circulation."""
        totals = self.totals[program]
        return sum(totals[:_MINTING]) - sum(totals[_MINTING:])

    def apply(self, log: Log) -> None:
        """Applies the next event. An event that builds on an unknown thing is a fault, and the rest goes on."""
        self.events += 1
        try:
            self._apply(log)
        except LookupError as missing:
            self.faults.append(f"event {log.index} of transaction {hex_of(log.tx_hash)} builds on an unknown {missing}")

    def _apply(self, log: Log) -> None:
        if log.topics[0] in (contract.ENTRY_POSTED, contract.LINKED_ENTRY_POSTED):
            link = log.topics[2] if len(log.topics) > 2 else ZERO_WORD
            self._apply_entry(Entry.from_log(hex_of(log.topics[1][12:]), log.data, link))
            return
        event = contract.decode_log(log)
        if event is None:
            self.faults.append(f"event with the unknown topic {hex_of(log.topics[0])}")
        else:
            self._apply_event(event.name, event.arguments)

    # ---------------------------------------------------------------- rare events

    def _apply_event(self, name: str, arguments: dict[str, Any]) -> None:
        match name:
            case "MerchantRegistered":
                self.positions[arguments["merchant"]] = 0
                self.limits[arguments["merchant"]] = arguments["creditLimitMicros"]
            case "CreditLimitChanged":
                self.limits[arguments["merchant"]] = arguments["creditLimitMicros"]
            case "ProgramRegistered":
                self.totals[arguments["program"]] = [0] * len(TOTALS)
            case "AgreementRegistered":
                terms = arguments["terms"]
                self._agreements[arguments["agreement"]] = AgreementSides(
                    terms["sourceMerchant"], terms["targetMerchant"], terms["targetProgram"]
                )
            case "Deposited" | "Withdrawn":
                micros = arguments["micros"] if name == "Deposited" else -arguments["micros"]
                self.positions[arguments["merchant"]] += micros
                self.funds += micros
            case "SignerChanged" if arguments["nonce"] != NO_NONCE:
                self._use(arguments["merchant"], arguments["nonce"])
            case "InstructionRejected":
                self._use(arguments["merchant"], arguments["nonce"])
            case "OrderRejected" if arguments["reason"] == Reason.ATOMIC_FAILED:
                self._use(arguments["merchant"], arguments["nonce"])
            case "BatchClosed":
                self._close(
                    arguments["batch"], arguments["entries"], bytes_of(arguments["root"]), bytes_of(arguments["head"])
                )

    def _close(self, batch: int, entries: int, root: bytes, head: bytes) -> None:
        if batch != len(self.batches) + 1:
            self.faults.append(f"batch {batch} follows batch {len(self.batches)}")
        if entries != len(self._open):
            self.faults.append(f"batch {batch} says {entries} entries and has {len(self._open)}")
        if root != merkle_root(self._open):
            self.faults.append(f"the root of batch {batch} does not recompute")
        if head != chain_head(self.head, batch, entries, root):
            self.faults.append(f"the head after batch {batch} does not recompute")
        self.batches[batch] = ClosedBatch(entries, root, head)
        self.head = head
        self._open = []

    # ---------------------------------------------------------------- entries

    def _apply_entry(self, entry: Entry) -> None:
        if (entry.batch, entry.index) != (len(self.batches) + 1, len(self._open)):
            self.faults.append(f"entry {entry.batch}/{entry.index} is out of order")
        leaf = entry.leaf()
        self._open.append(leaf)
        if leaf in self.reversed:
            self._originals[leaf] = (entry.kind, entry.link)
        self._use(entry.merchant, entry.nonce)
        self.entries += 1
        match entry.kind:
            case Kind.ISSUE:
                self._move(entry.member, entry.program, entry.points, "issued")
            case Kind.REDEEM:
                self._move(entry.member, entry.program, -entry.points, "redeemed")
            case Kind.EXPIRE:
                self._move(entry.member, entry.program, -entry.points, "expired")
            case Kind.TRANSFER:
                self.balances[entry.member, entry.program] -= entry.points
                self.balances[hex_of(entry.link[12:]), entry.program] += entry.points
            case Kind.EXCHANGE | Kind.SPEND:
                self._conversion(entry)
            case Kind.REVERSE if entry.link in self._originals:
                self._reversal(entry, *self._originals[entry.link])
            case _:
                self.faults.append(f"entry {entry.batch}/{entry.index} makes no sense: {entry}")

    def _conversion(self, entry: Entry) -> None:
        sides = self._agreements[entry.agreement]
        self._move(entry.member, entry.program, -entry.points, "exchanged_out" if sides.target_program else "spent")
        if sides.target_program:
            self._move(entry.member, sides.target_program, entry.out, "exchanged_in")
        self.positions[sides.source] -= entry.settled + entry.fee
        self.positions[sides.target] += entry.settled
        self.positions[_OPERATOR] += entry.fee

    def _reversal(self, entry: Entry, kind: int, link: bytes) -> None:
        match kind:
            case Kind.ISSUE:
                self._move(entry.member, entry.program, -entry.points, "revoked")
            case Kind.REDEEM | Kind.EXPIRE:
                self._move(entry.member, entry.program, entry.points, "restored")
            case Kind.TRANSFER:
                self.balances[hex_of(link[12:]), entry.program] -= entry.points
                self.balances[entry.member, entry.program] += entry.points
            case _:
                sides = self._agreements[entry.agreement]
                self._move(entry.member, entry.program, entry.points, "restored")
                if sides.target_program:
                    self._move(entry.member, sides.target_program, -entry.out, "revoked")
                self.positions[sides.source] += entry.settled + entry.fee
                self.positions[sides.target] -= entry.settled + entry.fee

    def _move(self, member: str, program: int, points: int, total: str) -> None:
        self.balances[member, program] += points
        self.totals[program][TOTALS.index(total)] += abs(points)


def read_chain_state(client: ChainClient, address: str, first: int, last: int) -> ChainState:
    """The state after block `last`, from the logs since `first` (the contract's own block, or an earlier one)."""
    state = ChainState(reversed=_reversed(client, address, first, last))
    for log in logs(client, address, first, last):
        state.apply(log)
    return state


def _reversed(client: ChainClient, address: str, first: int, last: int) -> frozenset[bytes]:
    """Leaves of the entries that reversals undo."""
    linked = logs(client, address, first, last, topic=contract.LINKED_ENTRY_POSTED)
    entries = (Entry.from_log(hex_of(log.topics[1][12:]), log.data, log.topics[2]) for log in linked)
    return frozenset(entry.link for entry in entries if entry.kind == Kind.REVERSE)


def logs(client: ChainClient, address: str, first: int, last: int, topic: bytes | None = None) -> Iterator[Log]:
    """The contract's logs in order, of one topic or all. Reads fewer blocks at a time where the node finds the answer too large."""
    wanted: dict[str, Any] = {"address": address, "topics": [hex_of(topic)]} if topic else {"address": address}
    step = _BLOCKS_A_READ
    while first <= last:
        until = min(first + step - 1, last)
        try:
            found = client.call("eth_getLogs", {**wanted, "fromBlock": hex(first), "toBlock": hex(until)})
        except ChainError:
            if step == 1:
                raise
            step = max(1, step // 4)
            continue
        yield from map(_log, found)
        first = until + 1
        step = min(step * 2, _BLOCKS_A_READ)


def _log(raw: dict[str, Any]) -> Log:
    return Log(
        topics=tuple(bytes_of(topic) for topic in raw["topics"]),
        data=bytes_of(raw["data"]),
        index=int(raw["logIndex"], 16),
        tx_hash=bytes_of(raw["transactionHash"]),
    )
