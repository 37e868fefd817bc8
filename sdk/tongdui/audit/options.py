"""What an audit is asked for, what it says on its way, and what comes of it. `run.audit` takes the first and returns the last."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, TypeAlias

from .findings import Finding, NotChecked
from .rules.lots import LATE_DAYS

Bound: TypeAlias = int | datetime
"""A block by its number, or by a time with its zone."""


@dataclass(frozen=True, slots=True)
class Options:
    """What to audit, against what, and how. What is None is left to the audit."""

    rpc: tuple[str, ...]
    """URLs of nodes. All are read from the first; the others must have the same blocks."""
    contract: str
    """The clearing house's address, from somebody whom the auditor trusts."""
    chain_id: int | None = None
    """The chain's id, from the same. None: the first node's word."""
    first: Bound | None = None
    """Where the reported period begins: the first block, or the first block at or after a time. What came before is replayed and
    checked all the same, because what holds later follows from it. None: with the contract's creation."""
    last: Bound | None = None
    """Where the audit ends: the last block, or the last block at or before a time. None: the node's latest."""
    as_of: date | None = None
    """Instead of `last`: the last block of this day in the network's time zone. Points that expired on an earlier day are over."""
    bank: tuple[Path, ...] = ()
    """Files of the settlement account: CSV or camt.053."""
    bank_columns: tuple[str, ...] = ()
    """What the columns of a CSV file mean, as `day=Buchungstag` (`rules.bank.columns_of`). Empty: the usual names."""
    currency: str = "CNY"
    """The settlement currency: a file in another one is refused."""
    liability: Path | None = None
    """A TOML file with an issuer's own estimates of what its points are worth and how many are redeemed. None: from history."""
    snapshot: Path | None = None
    """Where to write the snapshot of a frozen contract that its successor takes over."""
    predecessor: Path | None = None
    """A snapshot of the contract's predecessor that the auditor took itself: what was taken over is compared with it."""
    state: Path | None = None
    """A directory to resume from, and to go on in. None: the audit begins anew, and keeps nothing."""
    checkpoint_blocks: int = 10_000
    """How many blocks, at most, a stopped audit repeats."""
    workers: int | None = None
    """Processes that prove blocks beside this one; 0: none, all in this one. None: as many as there are processors."""
    timeout: float = 60.0
    """Seconds for one answer of a node."""
    grace_days: int = LATE_DAYS
    """How many days after its expiry day the points of a lot may still stand before that is a finding."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an audit is."""

    block: int
    """The last block that was checked; those of an earlier run count."""
    first_block: int
    """Where this run began."""
    last_block: int
    entries: int
    """Entries that this run has checked."""
    findings: int
    seconds: float
    """Since this run began."""


OnProgress: TypeAlias = Callable[[Progress], None]
"""Called some times a second, in the process that called `audit`."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an audit that could be made."""

    report: Any
    """All figures, tables and lists, as `report/` writes them."""
    findings: tuple[Finding, ...]
    """What does not hold, in the order of the chain. Empty: all holds."""
    not_checked: tuple[NotChecked, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing was found."""
        return not self.findings
