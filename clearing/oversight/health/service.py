"""Rules of the network's health: what each part must do to count as working. Looked up anew for every question."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from sqlalchemy.exc import SQLAlchemyError

from clearing.chain.client import ChainClient, Standing
from clearing.chain.errors import ChainError, ChainUnreachable
from clearing.kit.config import Settings
from clearing.kit.database import Database, is_later, newest_revision
from clearing.kit.identity import NetworkIdentity
from clearing.ledger.journal.repository import BlockRepository
from clearing.oversight.progress.repository import ProgressRepository
from clearing.oversight.reconciliation.watch import watches
from clearing.pipeline.failures.models import Failure
from clearing.pipeline.failures.repository import FailureRepository
from clearing.pipeline.leadership import has_leader
from clearing.pipeline.privileged_calls import SIGNING_ROLES, leadership_of
from clearing.pipeline.switches.repository import SEQUENCING, SwitchRepository

MAX_WAIT_SECONDS = 15
"""The longest that an order may wait for the sequencer."""
MAX_FLIGHT_SECONDS = 300
"""The longest that a transaction may be on its way to a block."""
MAX_LAG_BLOCKS = 15
"""How far the projector may be behind the node, or the node behind the projector."""


@dataclass(frozen=True, slots=True)
class Check:
    """Whether one part works, and what it does."""

    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Health:
    """A check of each part."""

    database: Check
    migrations: Check
    chain: Check
    sequencer: Check
    projector: Check
    signer: Check
    """Whoever signs the calls of operator and treasury. Orders go on without: it is said here, and counts for nothing else."""
    reconciliation: Check
    """Nobody has to be kept away from a network that was not reconciled: it is said here, and counts for nothing else."""

    @property
    def ok(self) -> bool:
        """Whether every part works."""
        return all(check.ok for check in (self.database, self.migrations, self.chain, self.sequencer, self.projector))


class HealthService:
    """The health of the network that this database and this node serve."""

    def __init__(self, database: Database, chain: ChainClient, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self._chain = chain
        self._network = NetworkIdentity.of(settings)

    def check(self) -> Health:
        """Checks every part. The node is asked once."""
        node = self._node()
        return Health(
            database=_checked(self._check_database),
            migrations=_checked(self._check_migrations),
            chain=_checked(partial(self._check_chain, node)),
            sequencer=_checked(self._check_sequencer),
            projector=_checked(partial(self._check_projector, node)),
            signer=_checked(self._check_signer),
            reconciliation=_checked(self._check_reconciliation),
        )

    def _node(self) -> Standing | ChainError | ChainUnreachable:
        """Where the node stands, or why it does not say so."""
        try:
            return self._chain.standing()
        except (ChainError, ChainUnreachable) as error:
            return error

    def _check_database(self) -> Check:
        began = time.perf_counter()
        self._database.probe()
        taken = f"answers in {(time.perf_counter() - began) * 1000:.1f} ms"
        if self._database.is_sqlite:
            return Check(ok=True, detail=taken)
        kept = "for a standby" if self._database.waits_for_standby() else "for no standby"
        return Check(ok=True, detail=f"{taken}; commits wait {kept}")

    def _check_migrations(self) -> Check:
        has, needs = self._database.revision(), newest_revision()
        if has is not None and is_later(has):
            return Check(ok=True, detail=f"at {has}, of a version later than this one, which needs {needs}")
        if has == needs:
            return Check(ok=True, detail=f"at {has}")
        return Check(ok=False, detail=f"at {has}, but this version needs {needs}: run `clearing migrate`")

    def _check_chain(self, node: Standing | ChainError | ChainUnreachable) -> Check:
        if not isinstance(node, Standing):
            return _silent(node)
        if node.chain_id != self._network.chain_id:
            return Check(ok=False, detail=f"the node serves chain {node.chain_id}, not {self._network.chain_id}")
        age, longest = int(self._database.clock.unix()) - node.timestamp, self._settings.longest_block_time
        if longest and age > longest:
            detail = f"chain {node.chain_id} stands still: block {node.head} is the newest, and {age} s old"
            return Check(ok=False, detail=detail)
        return Check(ok=True, detail=f"chain {node.chain_id}, block {node.head}")

    def _check_sequencer(self) -> Check:
        with self._database.reading() as session:
            progress = ProgressRepository(session)
            waiting_since = progress.oldest_waiting()
            signed_at = progress.oldest_in_flight()
            pause = SwitchRepository(session).off(SEQUENCING)
            is_led = has_leader(session, "sequencer")
            failure = FailureRepository(session).of("sequencer")
        now = self._database.clock.now()
        if pause is not None:
            return Check(ok=False, detail=f"paused by {pause.actor}: {pause.reason}")
        if not is_led:
            return Check(ok=False, detail="not running")
        if failure is not None:
            return self._failing(failure)
        if signed_at is not None and now - signed_at > timedelta(seconds=MAX_FLIGHT_SECONDS):
            detail = f"runs, but the transaction signed at {signed_at:%Y-%m-%d %H:%M} UTC is in no block yet"
            return Check(ok=False, detail=detail)
        if waiting_since is None:
            return Check(ok=True, detail="runs; nothing waits")
        waited = now - waiting_since
        return Check(
            ok=waited < timedelta(seconds=MAX_WAIT_SECONDS),
            detail=f"runs; the oldest order has waited {waited.total_seconds():.0f} s",
        )

    def _check_signer(self) -> Check:
        with self._database.reading() as session:
            waiting_since = ProgressRepository(session).oldest_waiting_call()
            missing = [role for role in SIGNING_ROLES if not has_leader(session, leadership_of(role))]
            failures = [FailureRepository(session).of(leadership_of(role)) for role in SIGNING_ROLES]
        waited = "" if waiting_since is None else f"; a call waits since {waiting_since:%Y-%m-%d %H:%M} UTC"
        if missing:
            return Check(ok=False, detail=f"not running for {' and '.join(missing)}{waited}")
        for failure in filter(None, failures):
            return self._failing(failure)
        late = waiting_since is not None and self._database.clock.now() - waiting_since > timedelta(
            seconds=MAX_WAIT_SECONDS
        )
        return Check(ok=not late, detail=f"runs{waited or '; nothing waits'}")

    def _check_projector(self, node: Standing | ChainError | ChainUnreachable) -> Check:
        with self._database.reading() as session:
            block = BlockRepository(session).last()
            is_led = has_leader(session, "projector")
            failure = FailureRepository(session).of("projector")
        if not is_led:
            return Check(ok=False, detail="not running")
        if failure is not None:
            return self._failing(failure)
        if not isinstance(node, Standing):
            return _silent(node)
        projected = block.number if block else -1
        return Check(
            ok=abs(node.head - projected) <= MAX_LAG_BLOCKS,
            detail=f"runs; at block {projected} of {node.head}",
        )

    def _failing(self, failure: Failure) -> Check:
        """What a daemon that does not get on says of itself. A moment of that is no fault yet: nodes are restarted."""
        lasts = self._database.clock.now() - failure.since
        detail = f"runs, but every step fails since {failure.since:%Y-%m-%d %H:%M:%S} UTC: {failure.error}"
        return Check(ok=lasts < timedelta(seconds=MAX_WAIT_SECONDS), detail=detail)

    def _check_reconciliation(self) -> Check:
        with self._database.reading() as session:
            watched = [(watch.overdue_since(), watch.deadline()) for watch in watches(session, self._settings)]
        (overdue, deadline), (full_overdue, _) = watched
        if deadline is None:
            return Check(ok=True, detail="nothing to reconcile yet")
        if overdue is not None:
            return Check(ok=False, detail=f"not reconciled since {overdue:%Y-%m-%d %H:%M} UTC")
        if full_overdue is not None:
            return Check(ok=False, detail=f"not fully reconciled since {full_overdue:%Y-%m-%d %H:%M} UTC")
        return Check(ok=True, detail=f"to be reconciled by {deadline:%Y-%m-%d %H:%M} UTC")


def _checked(check: Callable[[], Check]) -> Check:
    try:
        return check()
    except SQLAlchemyError as error:
        return Check(ok=False, detail=f"the database does not answer ({type(error).__name__})")


def _silent(error: ChainError | ChainUnreachable) -> Check:
    return Check(ok=False, detail=f"the chain node does not answer ({type(error).__name__})")
