"""What the rounds cost in a generated network: the hour's reconciliation and the expiry round, for what is new or due only."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing

from sqlalchemy import case, func, select, tuple_, update
from sqlalchemy.orm import Session

from clearing.kit.config import Settings
from clearing.kit.database import Database
from clearing.kit.identity import NetworkIdentity
from clearing.kit.signing.managed_keys import ManagedKeys
from clearing.ledger.accounts.models import Account
from clearing.ledger.journal.models import Entry
from clearing.ordering.expiry.rounds import ExpiryRound
from clearing.oversight.reconciliation.report_repository import ReportRepository
from clearing.oversight.reconciliation.service import ReconciliationService
from scripts.bench.generated import GIANT, ORDER, Size
from scripts.bench.generated_node import GeneratedNode, clean_report
from tongdui.encoding import ZERO_WORD
from tongdui.orders import Kind

NEW_BATCHES = 5
_ROUGH = "activity"
"""What generated daily totals say of positions is not exact."""
DUE = 1_000
"""Accounts. The small network has some thousands that may be among them."""


def round_figures(
    database: Database, settings: Settings, keyring: ManagedKeys, size: Size, due: int = DUE
) -> Iterator[tuple[str, float]]:
    """Each figure with its milliseconds, at this size, with so many accounts that are due."""
    yield f"reconciliation of {NEW_BATCHES * ORDER} new entries", _reconciliation(database, settings, size)
    yield "expiry round, for each account that is due", _expiry(database, settings, keyring, due) / due


def _reconciliation(database: Database, settings: Settings, size: Size) -> float:
    with closing(GeneratedNode(database, NEW_BATCHES)) as node:
        with database.session.begin() as session:
            ReportRepository(session).add(clean_report(node, settings.contract, size))
        service = ReconciliationService(database, node, settings)
        times = []
        for _ in range(2):  # the quicker one counts
            node.seconds, began = 0.0, time.perf_counter()
            report = service.run_news()
            times.append(time.perf_counter() - began - node.seconds)
            assert report is not None, "it has a report to begin at"
            wrong = [drift for drift in report.drifts if drift.what != _ROUGH]
            assert not wrong, wrong[:3]
            assert report.checked["entry"] > NEW_BATCHES * ORDER // 2
    return min(times) * 1_000


def _expiry(database: Database, settings: Settings, keyring: ManagedKeys, due: int) -> float:
    today = NetworkIdentity.of(settings).day_at(database.clock.unix())
    with database.session.begin() as session:
        addresses = _let_expire(session, today, due)
    assert len(addresses) == due, f"only {len(addresses)} accounts have points that expire"
    began = time.perf_counter()
    looked_at = ExpiryRound(database, settings, keyring).run()
    took = time.perf_counter() - began
    assert looked_at == due, f"the round looked at {looked_at} accounts"
    with database.reading() as session:
        key = tuple_(Account.address, Account.program)
        burnt = session.scalars(select(Account.expiring).where(key.in_([(address, GIANT) for address in addresses])))
        assert all(points > 0 for points in burnt), "an account was not burnt"
    return took * 1_000


def _let_expire(session: Session, today: int, due: int) -> list[str]:
    """Lets the giant's points of some of its oldest members expire today. All that happened to them becomes an issuance: generated
    entries take points that were never given, and a replay of lots refuses that. Requests that were measured before have reserved
    points of some members, who are left out."""
    of_giant = Entry.program == GIANT
    reserved = select(Account.address).where(Account.program == GIANT, Account.reserved > 0)
    free = of_giant & Entry.address.not_in(reserved)
    oldest = select(Entry.address).where(free).order_by(Entry.batch, Entry.index).limit(20 * due).subquery()
    addresses = list(session.scalars(select(oldest.c.address).distinct().order_by(oldest.c.address).limit(due)))
    issuance = {"kind": int(Kind.ISSUE), "points": 10, "agreement": 0, "out": 0, "settled": 0, "link": ZERO_WORD}
    days = case((of_giant, today), else_=0)
    session.execute(update(Entry).where(Entry.address.in_(addresses)).values(**issuance, expiry_day=days))
    posted = (
        select(func.sum(Entry.points))
        .where(Entry.address == Account.address, Entry.program == Account.program)
        .scalar_subquery()
    )
    account = update(Account).where(Account.address.in_(addresses), Account.program == GIANT)
    session.execute(account.values(posted=posted, due_on=today), execution_options={"synchronize_session": False})
    return addresses
