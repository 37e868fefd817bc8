"""Reconciliation: database = contract = events, while the network runs.

The database is read in snapshots, each of which ends with some block. The contract is asked for its state after that same block,
and the events are followed up to it. Whatever the three do not agree on is a drift, with what each of them says.

A full reconciliation follows all events from the first block on, and compares everything; what it has worked out so far is in a
file, so that its memory stays small and it goes on after a kill. One of the news begins where the last clean one ended, and costs
what has happened since: every entry, every account that an entry touched, every order that ended, all positions and totals.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import structlog
from sqlalchemy.orm import Session

from clearing.chain.client import ChainClient, Log
from clearing.chain.errors import ChainError
from clearing.chain.lineage import Lineage
from clearing.chain.logs import log_pages
from clearing.kit.clock import clock_of
from clearing.kit.config import Settings
from clearing.kit.database import Database
from clearing.kit.events.recorder import EventRecorder
from clearing.ledger.accounts.repository import AccountKey
from clearing.oversight.reconciliation.chain_state import ChainState, Page
from clearing.oversight.reconciliation.comparison import Comparison, Drift, Findings
from clearing.oversight.reconciliation.contract_views import ContractViews
from clearing.oversight.reconciliation.models import Reconciliation, Scope
from clearing.oversight.reconciliation.report_repository import ReportRepository
from clearing.oversight.reconciliation.repository import NO_ACCOUNT, Snapshot
from clearing.oversight.reconciliation.scratch_repository import ScratchInUse, ScratchRepository
from tongdui.encoding import bytes_of, hex_of

log = structlog.get_logger(__name__)

_ATTEMPTS = 5
_ROWS = 2_000
"""Accounts or orders in a step."""
_CHECKPOINTS = 20
"""In a step."""
_PAGES = 20
"""Pages of events in a step."""
_STORED_DRIFTS = 1_000


class CannotReconcile(Exception):
    """Nothing was compared, for the reason in the message. That is not a drift."""


class _ChainMoved(Exception):
    """The node knows another chain than the database, or has forgotten the state that was asked for."""


@dataclass(frozen=True, slots=True)
class Report:
    """What was compared, at which block, and what did not agree."""

    scope: Scope
    block: int
    block_hash: str
    contract: str
    seconds: float
    checked: dict[str, int]
    drifts: list[Drift]
    drifted: int
    """How many drifts there are: of very many, `drifts` has only the first."""
    chain_state: dict[str, Any] = field(repr=False)
    oldest_open_order: int

    @property
    def is_clean(self) -> bool:
        """Whether everything agreed."""
        return self.drifted == 0

    def as_json(self) -> dict[str, Any]:
        """The report as JSON."""
        shown = {
            name: value for name, value in asdict(self).items() if name not in ("chain_state", "oldest_open_order")
        }
        return {"clean": self.is_clean, **shown}


@dataclass(slots=True)
class _Run:
    """A reconciliation that is under way. Everything that it needs to go on is in it, and in the scratch file."""

    scope: Scope
    events: ChainState
    findings: Findings = field(default_factory=Findings)
    phase: int = 0
    """Of a full one: whether it follows events, compares accounts, orders, or checkpoints of lots."""
    next_account: AccountKey | None = None
    next_order: int | None = 0
    next_checkpoint: str = ""
    oldest_open_order: int = 0
    seconds: float = 0.0

    def place(self) -> str:
        """How far it is, for people."""
        if self.phase == 0:
            return f"events up to block {self.events.block}"
        if self.phase == 1:
            return f"accounts up to {self.next_account}"
        return f"orders before {self.next_order}" if self.phase == 2 else f"lots up to {self.next_checkpoint}"

    def as_json(self) -> dict[str, Any]:
        return {
            "scope": self.scope,
            "events": self.events.as_json(),
            "findings": self.findings.as_json(),
            "next_account": self.next_account,
            "phase": self.phase,
            "next_order": self.next_order,
            "next_checkpoint": self.next_checkpoint,
            "oldest_open_order": self.oldest_open_order,
            "seconds": self.seconds,
        }

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> _Run:
        place = kept["next_account"]
        return cls(
            **{
                **kept,
                "scope": Scope(kept["scope"]),
                "events": ChainState.from_json(kept["events"]),
                "findings": Findings.from_json(kept["findings"]),
                "next_account": (place[0], place[1]) if place else None,
            }
        )


class ReconciliationService:
    """Compares the database, the contract and the contract's events. It changes nothing."""

    def __init__(
        self,
        database: Database,
        client: ChainClient,
        settings: Settings,
        progress: Callable[[str], None] = lambda _place: None,
    ) -> None:
        """`progress` hears how far a full reconciliation is."""
        self._progress = progress
        self._database = database
        self._client = client
        self._address = settings.contract
        self._lineage = Lineage.of(settings)

    def run(self, scratch: Path | None = None) -> Report:
        """Compares everything. With a `scratch` file, it goes on where an earlier one was stopped that had the same file.

        Raises CannotReconcile where the node does not know the past, ChainUnreachable where it is down.
        """
        if scratch is None:
            with TemporaryDirectory(prefix="tongdui-reconciliation-") as directory:
                return self.run(Path(directory) / "scratch.db")
        try:
            opened = ScratchRepository(scratch)
        except ScratchInUse as error:
            raise CannotReconcile(str(error)) from error
        with closing(opened) as kept:
            report = self._insist(lambda: self._run_full(kept), kept)
            kept.remove()
        return report

    def run_news(self) -> Report | None:
        """Compares what has changed since the last clean reconciliation; None where there is none to begin at."""
        with self._database.reading() as session:
            clean = [row for row in ReportRepository(session).last_clean() if row.contract == self._address]
        begin = next((row for row in clean if self._client.block_hash(row.block) == row.block_hash), None)
        if begin is None:
            return None
        return self._insist(lambda: self._run_news(begin), None)

    def _insist(self, attempt: Callable[[], Report], kept: ScratchRepository | None) -> Report:
        """The chain may move under a reconciliation; perhaps the projector has yet to follow it."""
        for number in range(_ATTEMPTS):
            if number:
                time.sleep(0.2 * number)
            try:
                report = attempt()
            except _ChainMoved:
                if kept is not None:
                    self._undo_step(kept)
            else:
                return report
        raise CannotReconcile(f"the node does not know the state at the database's newest block ({_ATTEMPTS} attempts)")

    def _undo_step(self, scratch: ScratchRepository) -> None:
        """Takes back what a step had begun; and everything where the events that it followed are no longer the chain's."""
        scratch.roll_back()
        events = (scratch.progress() or {}).get("events")
        if (
            events
            and events["block_hash"]
            and self._client.block_hash(events["block"]) != bytes_of(events["block_hash"])
        ):
            scratch.clear()

    # ---------------------------------------------------------------- everything

    def _run_full(self, scratch: ScratchRepository) -> Report:
        kept = scratch.progress()
        run = _Run.from_json(kept) if kept is not None else _Run(Scope.FULL, ChainState(block=self._first_block() - 1))
        phases = (self._follow_events, self._compare_accounts, self._compare_orders, self._compare_checkpoints)
        while run.phase < len(phases):
            begin = time.monotonic()
            with self._comparison(run) as comparison:
                run.phase += phases[run.phase](run, comparison, scratch)
            run.seconds += time.monotonic() - begin
            scratch.commit(run.as_json())
            self._progress(run.place())
        with self._comparison(run) as comparison:
            self._catch_up(run, comparison, scratch)
            self._compare_rest(run, comparison, comparison.snapshot.posted_by_program())
            return self._report(run, comparison)

    def _first_block(self) -> int:
        with self._database.reading() as session:
            snapshot = Snapshot(session)
            if snapshot.block is None:
                raise CannotReconcile("the database has no block yet: is the projector running?")
            return snapshot.first_block()

    def _follow_events(self, run: _Run, comparison: Comparison, scratch: ScratchRepository) -> bool:
        """Follows the events for some pages, and compares the journal with them; whether that is all."""
        for number, page in enumerate(self._pages(run, comparison)):
            _keep(page, scratch)
            if number == _PAGES:
                return False
        return True

    def _catch_up(self, run: _Run, comparison: Comparison, scratch: ScratchRepository) -> None:
        """Follows the events up to the snapshot's block: most often there are few, or none. What they touched may have been
        compared before they came."""
        for page in self._pages(run, comparison):
            _keep(page, scratch)
            self._compare_touched(page, comparison)

    def _compare_accounts(self, run: _Run, comparison: Comparison, scratch: ScratchRepository) -> bool:
        self._catch_up(run, comparison, scratch)
        rows = comparison.snapshot.accounts_after(run.next_account, _ROWS)
        is_last = len(rows) < _ROWS
        up_to = None if is_last else list(rows)[-1]
        comparison.compare_accounts(rows, scratch.balances_between(run.next_account, up_to))
        run.next_account = up_to
        return is_last

    def _compare_orders(self, run: _Run, comparison: Comparison, scratch: ScratchRepository) -> bool:
        self._catch_up(run, comparison, scratch)
        if run.next_order == 0:  # orders that are open now may end behind our back: the next news begin at them
            run.oldest_open_order = comparison.snapshot.oldest_open_order()
        orders, run.next_order = comparison.snapshot.orders(run.next_order or 0, _ROWS)
        used = scratch.used({(order.merchant, order.nonce) for order in orders})
        comparison.compare_nonces(orders, used)
        return run.next_order is None

    @staticmethod
    def _compare_checkpoints(run: _Run, comparison: Comparison, _scratch: ScratchRepository) -> bool:
        """Compares the checkpoints of lots with replays from the first entry on."""
        wrong, following = comparison.snapshot.wrong_checkpoints(run.next_checkpoint, _CHECKPOINTS)
        for address in wrong:
            run.findings.drift("checkpoint of lots", address, "not what the entries say")
        run.next_checkpoint = following or run.next_checkpoint
        return following is None

    # ---------------------------------------------------------------- the news

    def _run_news(self, begin: Reconciliation) -> Report:
        run = _Run(Scope.NEWS, ChainState.from_json(begin.chain_state), next_order=begin.oldest_open_order)
        run.events.events = run.events.entries = 0  # of these only
        started = time.monotonic()
        done = False
        while not done:
            with self._comparison(run) as comparison:
                done = self._follow_news(run, comparison)
        while run.next_order is not None:
            with self._comparison(run) as comparison:
                if run.oldest_open_order == 0:
                    run.oldest_open_order = comparison.snapshot.oldest_open_order()
                orders, run.next_order = comparison.snapshot.orders_without_block(run.next_order, _ROWS)
                comparison.compare_nonces(orders, None)
        with self._comparison(run) as comparison:
            for page in self._pages(run, comparison):
                self._compare_touched(page, comparison)
            self._compare_rest(run, comparison, None)
            run.seconds = time.monotonic() - started
            return self._report(run, comparison)

    def _follow_news(self, run: _Run, comparison: Comparison) -> bool:
        for number, page in enumerate(self._pages(run, comparison)):
            self._compare_touched(page, comparison)
            if number == _PAGES:
                return False
        return True

    @staticmethod
    def _compare_touched(page: Page, comparison: Comparison) -> None:
        """Compares the accounts that events touched. What they had before these events is not added up again."""
        touched = sorted(page.balances)
        for begin in range(0, len(touched), _ROWS):
            some = touched[begin : begin + _ROWS]
            rows = comparison.snapshot.accounts(some)
            comparison.compare_accounts({key: rows.get(key, NO_ACCOUNT) for key in some}, None)

    # ---------------------------------------------------------------- both

    @contextmanager
    def _comparison(self, run: _Run) -> Iterator[Comparison]:
        """One snapshot of the database, at a block of the node's chain, with the contract after that block."""
        with self._database.reading() as session:
            snapshot = Snapshot(session)
            if snapshot.block is None:
                raise CannotReconcile("the database has no block yet: is the projector running?")
            self._require(snapshot.block, snapshot.block_hash)
            if run.events.block_hash:
                self._require(run.events.block, bytes_of(run.events.block_hash))
            try:
                yield Comparison(snapshot, ContractViews(self._client, self._address, snapshot.block), run.findings)
            except ChainError as error:
                log.warning("cannot read the chain's past", block=snapshot.block, error=str(error))
                raise _ChainMoved from error
            self._require(snapshot.block, snapshot.block_hash)

    def _require(self, block: int, block_hash: bytes) -> None:
        if self._client.block_hash(block) != block_hash:
            raise _ChainMoved

    def _logs(self, first: int, last: int) -> Iterator[tuple[int, list[Log]]]:
        for span in self._lineage.spans(first, last):
            yield from log_pages(self._client, *span)

    def _pages(self, run: _Run, comparison: Comparison) -> Iterator[Page]:
        """Follows the events up to the snapshot's block, page by page, and compares the journal and its orders with each."""
        events, snapshot = run.events, comparison.snapshot
        assert snapshot.block is not None
        for until, logs in self._logs(events.block + 1, snapshot.block):
            first = events.block + 1
            events.apply_page(logs, snapshot.originals)
            events.block, events.block_hash = until, hex_of(snapshot.hash_of(until) or b"")
            page = events.take_page()
            for fault in events.take_faults():
                run.findings.drift("events", fault)
            comparison.compare_batches(snapshot.batches(first, until), page.batches)
            if run.scope is Scope.NEWS or run.phase > 0:
                comparison.compare_nonces(snapshot.orders_of_blocks(first, until), page.used)
            yield page

    def _compare_rest(self, run: _Run, comparison: Comparison, posted: dict[int, int] | None) -> None:
        """What there is little of, all of it at one block."""
        comparison.compare_reservations()
        comparison.compare_positions(run.events)
        comparison.compare_programs(run.events, posted)
        comparison.compare_issuance_caps()
        comparison.compare_activity(with_days=run.scope is Scope.FULL)
        comparison.compare_head(run.events)

    def _report(self, run: _Run, comparison: Comparison) -> Report:
        snapshot = comparison.snapshot
        assert snapshot.block is not None
        return Report(
            scope=run.scope,
            block=snapshot.block,
            block_hash=hex_of(snapshot.block_hash),
            contract=self._address,
            seconds=round(run.seconds, 3),
            checked={**run.findings.checked, "event": run.events.events, "entry": run.events.entries},
            drifts=run.findings.drifts,
            drifted=run.findings.drifted,
            chain_state=run.events.as_json(),
            oldest_open_order=run.oldest_open_order,
        )


def _keep(page: Page, scratch: ScratchRepository) -> None:
    scratch.add_balances(page.balances)
    scratch.use(page.used)


def record(session: Session, report: Report, actor: str) -> None:
    """Stores a reconciliation, and records its event with its first drifts, in the caller's transaction."""
    reports = ReportRepository(session)
    shown = report.as_json()
    reports.add(
        Reconciliation(
            scope=report.scope,
            block=report.block,
            block_hash=bytes_of(report.block_hash),
            contract=report.contract,
            drifts=report.drifted,
            report={**shown, "drifts": shown["drifts"][:_STORED_DRIFTS]},
            chain_state=report.chain_state,
            oldest_open_order=report.oldest_open_order,
            ended_at=clock_of(session).now(),
        )
    )
    if report.is_clean:
        reports.end_alarms(report.scope)
    outcome = "reconciliation.clean" if report.is_clean else "reconciliation.drifted"
    data = {
        "scope": report.scope,
        "block": report.block,
        "checked": report.checked,
        "drifts": report.drifted,
        "first": [asdict(drift) for drift in report.drifts[:20]],
    }
    EventRecorder(session).record(outcome, report.block_hash, actor=actor, data=data)
    (log.info if report.is_clean else log.error)("reconciled", block=report.block, drifts=report.drifted)


def summary(report: Report) -> Iterable[tuple[str, int, int]]:
    """Each thing that was compared, how often, and how often it drifted."""
    drifted: dict[str, int] = {}
    for drift in report.drifts:
        drifted[drift.what] = drifted.get(drift.what, 0) + 1
    for what, count in {**dict.fromkeys(drifted, 0), **report.checked}.items():
        yield what, count, drifted.get(what, 0)
