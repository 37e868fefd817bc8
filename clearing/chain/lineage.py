"""Which contract's events count in which block: a network's contract may have taken the place of another one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from clearing.kit.config import Settings


class Span(NamedTuple):
    """Blocks in which the events of one contract count."""

    contract: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Lineage:
    """A contract and those before it. What a contract says before it was opened is about its import and changes nothing."""

    contract: str
    predecessors: tuple[tuple[str, int], ...]
    """The address of each, and the last block in which its events count: that in which the next one was opened. Oldest first."""

    @classmethod
    def of(cls, settings: Settings) -> Lineage:
        """The one that the settings name."""
        pairs = (one.split("@") for one in settings.predecessors.split(",") if one)
        return cls(settings.contract, tuple((address, int(block)) for address, block in pairs))

    @property
    def founder(self) -> str:
        """The oldest of them."""
        return self.predecessors[0][0] if self.predecessors else self.contract

    def spans(self, first: int, last: int) -> Iterator[Span]:
        """These blocks, contract by contract."""
        for address, until in self.predecessors:
            if first <= min(until, last):
                yield Span(address, first, min(until, last))
                first = until + 1
        if first <= last:
            yield Span(self.contract, first, last)

    def at(self, block: int) -> str:
        """The contract whose events count in a block."""
        return next(self.spans(block, block)).contract

    def and_successor(self, address: str, opened_in: int) -> Lineage:
        """With a contract that was opened in this block."""
        return Lineage(address, (*self.predecessors, (self.contract, opened_in)))

    def setting(self) -> str:
        """The predecessors, as the setting says them."""
        return ",".join(f"{address}@{block}" for address, block in self.predecessors)
