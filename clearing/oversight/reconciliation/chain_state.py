"""The state of the clearing house from the contract's events alone: every position, total and root, and what balances changed by.

On purpose this shares nothing with the projector but the decoding of an event. It reads the logs by another method of the node and
replays them, so a mistake goes unnoticed only if both make it. It keeps what is few (merchants, programs, agreements); what is many
(balances, nonces, batches) it hands over after each page of events.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, field
from typing import Any

from clearing.chain import contract
from clearing.chain.client import Log
from clearing.ledger.accounts.repository import AccountKey
from tongdui.encoding import ZERO_WORD, bytes_of, hex_of
from tongdui.orders import NO_NONCE, Kind, Reason
from tongdui.receipts import Entry, chain_head, merkle_root

TOTALS = ("issued", "exchanged_in", "restored", "redeemed", "spent", "exchanged_out", "expired", "revoked")
"""Fields of the contract's `ProgramTotals`, in its order."""

_MINTING = 3
"""The first three mint points; the others burn them."""

_OPERATOR = 0

OriginalOf = Callable[[Collection[bytes]], dict[bytes, tuple[int, bytes]]]
"""From leaves to kind and link of their entries. A leaf is a hash of all of its entry, so whoever names the entry cannot lie."""


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
class Page:
    """What a page of events did to what is many."""

    balances: dict[AccountKey, int] = field(default_factory=lambda: defaultdict(int))
    """By how much balances changed."""
    used: set[tuple[int, int]] = field(default_factory=set)
    """Merchant and nonce of what was used up."""
    batches: dict[int, ClosedBatch] = field(default_factory=dict)


@dataclass(slots=True)
class ChainState:
    """The state of the clearing house after the events that were applied."""

    block: int = -1
    """The newest block whose events were applied."""
    block_hash: str = ""
    positions: dict[int, int] = field(default_factory=dict)
    limits: dict[int, int] = field(default_factory=dict)
    totals: dict[int, list[int]] = field(default_factory=dict)
    agreements: dict[int, AgreementSides] = field(default_factory=dict)
    funds: int = 0
    head: bytes = ZERO_WORD
    batches: int = 0
    entries: int = 0
    events: int = 0
    faults: list[str] = field(default_factory=list)
    """Where the events contradict each other."""
    page: Page = field(default_factory=Page)
    """What came since somebody last called `take_page`."""
    _originals: dict[bytes, tuple[int, bytes]] = field(default_factory=dict)
    """Kind and link of the entries that the page's reversals undo."""
    _open: list[bytes] = field(default_factory=list)
    """Leaves of the batch that is not closed yet."""

    # ---------------------------------------------------------------- what is kept between two runs

    def as_json(self) -> dict[str, Any]:
        """What has to be known to go on from here."""
        return {
            "block": self.block,
            "block_hash": self.block_hash,
            "positions": list(self.positions.items()),
            "limits": list(self.limits.items()),
            "totals": list(self.totals.items()),
            "agreements": [(number, *astuple(sides)) for number, sides in self.agreements.items()],
            "funds": self.funds,
            "head": hex_of(self.head),
            "batches": self.batches,
            "entries": self.entries,
            "events": self.events,
        }

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> ChainState:
        """The state that was kept."""
        values = dict(kept)
        for name in ("positions", "limits", "totals"):
            values[name] = dict(kept[name])
        values["agreements"] = {number: AgreementSides(*sides) for number, *sides in kept["agreements"]}
        values["head"] = bytes_of(kept["head"])
        return cls(**values)

    # ---------------------------------------------------------------- events

    def apply_page(self, logs: Sequence[Log], original_of: OriginalOf) -> None:
        """Applies the next events. An event that builds on an unknown thing is a fault, and the rest goes on."""
        reversed_here = {
            entry.link for entry in _entries(logs, contract.LINKED_ENTRY_POSTED) if entry.kind == Kind.REVERSE
        }
        self._originals = original_of(reversed_here) if reversed_here else {}
        for log in logs:
            self.events += 1
            try:
                self._apply(log, reversed_here)
            except LookupError as missing:
                text = f"event {log.index} of transaction {hex_of(log.tx_hash)} builds on an unknown {missing}"
                self.faults.append(text)

    def take_page(self) -> Page:
        """What the events did to what is many since the last call."""
        taken, self.page = self.page, Page()
        return taken

    def take_faults(self) -> list[str]:
        """Where the events contradicted each other since the last call."""
        taken, self.faults = self.faults, []
        return taken

    def supply(self, program: int) -> int:
        """Points of a program in circulation."""
        totals = self.totals[program]
        return sum(totals[:_MINTING]) - sum(totals[_MINTING:])

    def _apply(self, log: Log, reversed_here: Collection[bytes]) -> None:
        if log.topics[0] in (contract.ENTRY_POSTED, contract.LINKED_ENTRY_POSTED):
            self._apply_entry(entry_of(log), reversed_here)
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
                self.agreements[arguments["agreement"]] = AgreementSides(
                    terms["sourceMerchant"], terms["targetMerchant"], terms["targetProgram"]
                )
            case "Deposited" | "Withdrawn":
                micros = arguments["micros"] if name == "Deposited" else -arguments["micros"]
                self.positions[arguments["merchant"]] += micros
                self.funds += micros
            case "SignerChanged" if arguments["nonce"] != NO_NONCE:
                self.page.used.add((arguments["merchant"], arguments["nonce"]))
            case "InstructionRejected":
                self.page.used.add((arguments["merchant"], arguments["nonce"]))
            case "OrderRejected" if arguments["reason"] == Reason.ATOMIC_FAILED:
                self.page.used.add((arguments["merchant"], arguments["nonce"]))
            case "BatchClosed":
                self._close(
                    arguments["batch"], arguments["entries"], bytes_of(arguments["root"]), bytes_of(arguments["head"])
                )

    def _close(self, batch: int, entries: int, root: bytes, head: bytes) -> None:
        if batch != self.batches + 1:
            self.faults.append(f"batch {batch} follows batch {self.batches}")
        if entries != len(self._open):
            self.faults.append(f"batch {batch} says {entries} entries and has {len(self._open)}")
        if root != merkle_root(self._open):
            self.faults.append(f"the root of batch {batch} does not recompute")
        if head != chain_head(self.head, batch, entries, root):
            self.faults.append(f"the head after batch {batch} does not recompute")
        self.page.batches[batch] = ClosedBatch(entries, root, head)
        self.batches += 1
        self.head = head
        self._open = []

    # ---------------------------------------------------------------- entries

    def _apply_entry(self, entry: Entry, reversed_here: Collection[bytes]) -> None:
        if (entry.batch, entry.index) != (self.batches + 1, len(self._open)):
            self.faults.append(f"entry {entry.batch}/{entry.index} is out of order")
        leaf = entry.leaf()
        self._open.append(leaf)
        if leaf in reversed_here:
            self._originals[leaf] = (entry.kind, entry.link)
        self.page.used.add((entry.merchant, entry.nonce))
        self.entries += 1
        match entry.kind:
            case Kind.ISSUE:
                self._move(entry.member, entry.program, entry.points, "issued")
            case Kind.REDEEM:
                self._move(entry.member, entry.program, -entry.points, "redeemed")
            case Kind.EXPIRE:
                self._move(entry.member, entry.program, -entry.points, "expired")
            case Kind.TRANSFER:
                self.page.balances[entry.member, entry.program] -= entry.points
                self.page.balances[hex_of(entry.link[12:]), entry.program] += entry.points
            case Kind.EXCHANGE | Kind.SPEND:
                self._conversion(entry)
            case Kind.REVERSE if entry.link in self._originals:
                self._reversal(entry, *self._originals[entry.link])
            case _:
                self.faults.append(f"entry {entry.batch}/{entry.index} makes no sense: {entry}")

    def _conversion(self, entry: Entry) -> None:
        sides = self.agreements[entry.agreement]
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
                self.page.balances[hex_of(link[12:]), entry.program] -= entry.points
                self.page.balances[entry.member, entry.program] += entry.points
            case _:
                sides = self.agreements[entry.agreement]
                self._move(entry.member, entry.program, entry.points, "restored")
                if sides.target_program:
                    self._move(entry.member, sides.target_program, -entry.out, "revoked")
                self.positions[sides.source] += entry.settled + entry.fee
                self.positions[sides.target] -= entry.settled + entry.fee

    def _move(self, member: str, program: int, points: int, total: str) -> None:
        self.page.balances[member, program] += points
        self.totals[program][TOTALS.index(total)] += abs(points)


def entry_of(log: Log) -> Entry:
    """The entry that an event posts."""
    return Entry.from_log(hex_of(log.topics[1][12:]), log.data, log.topics[2] if len(log.topics) > 2 else ZERO_WORD)


def _entries(logs: Iterable[Log], topic: bytes) -> Iterator[Entry]:
    return (entry_of(log) for log in logs if log.topics[0] == topic)
