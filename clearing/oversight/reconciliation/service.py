"""Reconciliation: database = contract = events, at one block, while the network runs.

The database is read in one snapshot, which ends with some block. The contract is asked for its state after that same block, and
the events are replayed up to it. Whatever the three do not agree on is a drift, with what each of them says.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import structlog
from sqlalchemy.orm import Session

from clearing.chain.client import ChainClient, ChainError
from clearing.kit.config import Settings
from clearing.kit.database import Database
from clearing.kit.events.recorder import EventRecorder
from clearing.oversight.reconciliation.chain_state import read_chain_state
from clearing.oversight.reconciliation.comparison import Comparison, Drift
from clearing.oversight.reconciliation.contract_views import ContractViews
from clearing.oversight.reconciliation.repository import DatabaseState, read_database_state, read_names
from tongdui.encoding import hex_of

log = structlog.get_logger(__name__)

_ATTEMPTS = 5


class CannotReconcile(Exception):
    """Nothing was compared, for the reason in the message. That is not a drift."""


@dataclass(frozen=True, slots=True)
class Report:
    """What was compared, at which block, and what did not agree."""

    block: int
    block_hash: str
    contract: str
    seconds: float
    checked: dict[str, int]
    drifts: list[Drift]

    @property
    def is_clean(self) -> bool:
        """Whether everything agreed."""
        return not self.drifts

    def as_json(self) -> dict[str, Any]:
        """The report as JSON."""
        return {"clean": self.is_clean, **asdict(self)}


class ReconciliationService:
    """Compares the database, the contract and the contract's events. It changes nothing."""

    def __init__(self, database: Database, client: ChainClient, settings: Settings) -> None:
        self._database = database
        self._client = client
        self._address = settings.contract

    def run(self) -> Report:
        """Compares everything. Raises CannotReconcile where the node does not know the past, ChainUnreachable where it is down."""
        for attempt in range(_ATTEMPTS):
            if attempt:
                time.sleep(0.2 * attempt)  # the chain moved under us; perhaps the projector has yet to follow it
            state = read_database_state(self._database)
            if state is None:
                raise CannotReconcile("the database has no block yet: is the projector running?")
            if self._client.block_hash(state.block) != state.block_hash:
                continue
            try:
                report = self._reconcile(state)
            except ChainError as error:
                log.warning("cannot read the chain's past", block=state.block, error=str(error))
                continue
            if self._client.block_hash(state.block) == state.block_hash:
                return report
        raise CannotReconcile(f"the node does not know the state at the database's newest block ({_ATTEMPTS} attempts)")

    def _reconcile(self, state: DatabaseState) -> Report:
        begin = time.monotonic()
        events = read_chain_state(self._client, self._address, state.first_block, state.block)
        views = ContractViews(self._client, self._address, state.block)
        addresses = {address for address, _ in {**state.balances, **events.balances}}
        comparison = Comparison(state, views, events, read_names(self._database, addresses))
        comparison.compare_everything()
        return Report(
            block=state.block,
            block_hash=hex_of(state.block_hash),
            contract=self._address,
            seconds=round(time.monotonic() - begin, 3),
            checked={**comparison.checked, "event": events.events, "entry": events.entries},
            drifts=comparison.drifts,
        )


def record(session: Session, report: Report, actor: str) -> None:
    """Records the event of a reconciliation, with its first drifts, in the caller's transaction."""
    outcome = "reconciliation.clean" if report.is_clean else "reconciliation.drifted"
    data = {
        "block": report.block,
        "checked": report.checked,
        "drifts": len(report.drifts),
        "first": [asdict(drift) for drift in report.drifts[:20]],
    }
    EventRecorder(session).record(outcome, report.block_hash, actor=actor, data=data)
    (log.info if report.is_clean else log.error)("reconciled", block=report.block, drifts=len(report.drifts))


def summary(report: Report) -> Iterable[tuple[str, int, int]]:
    """Each thing that was compared, how often, and how often it drifted."""
    drifted: dict[str, int] = {}
    for drift in report.drifts:
        drifted[drift.what] = drifted.get(drift.what, 0) + 1
    for what, count in {**dict.fromkeys(drifted, 0), **report.checked}.items():
        yield what, count, drifted.get(what, 0)
