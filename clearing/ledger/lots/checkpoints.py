"""What an address has of each lot, as its checkpoint says it: plain lists of numbers, because every busy address has one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from clearing.ledger.accounts.repository import AccountKey
from clearing.ledger.lots.replay import Origin, Portion, Replay


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The lots of all accounts of an address after a batch."""

    address: str
    last_batch: int
    holdings: dict[AccountKey, list[Portion]]

    @classmethod
    def read(cls, address: str, last_batch: int, lots: Mapping[str, Any]) -> Checkpoint:
        """The checkpoint as it was written."""
        holdings = {(address, int(program)): portions_of(portions) for program, portions in lots.items()}
        return cls(address, last_batch, holdings)

    @classmethod
    def of(cls, replay: Replay, address: str, last_batch: int) -> Checkpoint:
        """The checkpoint of an address at the end of a replay."""
        accounts = [(address, program) for program in replay.programs_of(address)]
        return cls(address, last_batch, {account: lots for account in accounts if (lots := replay.lots(account))})

    def agrees_with(self, replay: Replay) -> bool:
        """Whether a replay up to its batch ends with the same lots."""
        return self.holdings == Checkpoint.of(replay, self.address, self.last_batch).holdings

    def lots(self) -> dict[str, Any]:
        """Its holdings, to be written."""
        return {str(program): written(portions) for (_, program), portions in self.holdings.items()}


def written(portions: Iterable[Portion]) -> list[Any]:
    """Portions as plain numbers."""
    return [
        [portion.origin.expires, portion.origin.batch, portion.origin.index, portion.origin.leaf.hex(), portion.points]
        for portion in portions
    ]


def portions_of(rows: Iterable[Any]) -> list[Portion]:
    """The portions that were written."""
    return [
        Portion(Origin(expires, batch, index, bytes.fromhex(leaf)), points)
        for expires, batch, index, leaf, points in rows
    ]
