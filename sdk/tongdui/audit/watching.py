"""What the replay shows to those who watch it: the rules that no contract checks, the figures of the report, the liability."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..orders import AgreementTerms
from ..receipts import Entry
from .findings import Finding
from .network import NetworkState

Event = tuple[str, tuple[Any, ...]]
"""An event of the contract as the model writes it: its name, and its values in the order of the interface. Addresses are in lower
case, words are bytes, `EntryPosted` and `LinkedEntryPosted` carry one `Entry`, `AgreementRegistered` the terms as a tuple."""


@dataclass(frozen=True, slots=True)
class BlockSeen:
    """A block that did something to the contract."""

    number: int
    hash: str
    time: int
    """Unix seconds."""
    day: int
    """Days since 1970-01-01 in the network's time zone."""


@dataclass(frozen=True, slots=True)
class EntrySeen:
    """An accepted instruction, as the chain recorded it."""

    entry: Entry
    leaf: bytes
    block: BlockSeen
    transaction: str
    terms: AgreementTerms | None
    """Of its agreement, with their present end; None for a kind without agreement."""
    original: Entry | None
    """What a reversal undoes."""


@dataclass(frozen=True, slots=True)
class EventSeen:
    """Any other event of the contract, and `BatchClosed`."""

    name: str
    values: tuple[Any, ...]
    block: BlockSeen
    transaction: str
    sender: str
    """Who made the call that the event belongs to: the transaction's sender, or the contract that it called."""


class Watcher:
    """Somebody who watches the replay, in the order of the chain. Each method returns what it found; by default nothing.

    A watcher keeps what it must remember in tables (`tables.Tables`) and nowhere else, so that an audit can be resumed.
    """

    def on_entry(self, seen: EntrySeen) -> Sequence[Finding]:
        """Takes in an entry, after the model has."""
        return ()

    def on_event(self, seen: EventSeen) -> Sequence[Finding]:
        """Takes in an event that is no entry, after the model has."""
        return ()

    def on_succession(self, state: NetworkState, block: BlockSeen) -> None:
        """Takes in what the contract took over from its predecessor: its whole state, when it is set to work in this block."""

    def at_end(self, block: BlockSeen) -> Sequence[Finding]:
        """Concludes: `block` is the last of the audit, whether or not it did anything to the contract."""
        return ()
