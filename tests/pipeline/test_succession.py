"""The rehearsal of a succession: a network with everything in it is frozen, and another contract goes on in its place."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from clearing.chain.calls.models import Call, CallState
from clearing.chain.calls.service import request_call
from clearing.chain.contract import encode_call
from clearing.chain.lineage import Lineage, Span
from clearing.chain.succession import CannotSucceed, Stage, Succession, final_of, progress_of
from clearing.kit.config import Settings
from clearing.kit.database import Database
from clearing.kit.events.audit import AuditFilter
from clearing.kit.events.repository import EventRepository
from clearing.kit.identity import NetworkIdentity
from clearing.ledger.availability.models import Hold
from clearing.ledger.journal.models import Batch
from clearing.ledger.lots.service import LotService
from clearing.ordering.holds.service import HoldService
from clearing.ordering.orders.kinds.issue import IssueRequest
from clearing.ordering.orders.models import OrderState
from clearing.oversight.operations.service import OperationsService
from clearing.oversight.reconciliation.rebuild import RebuildService
from clearing.oversight.reconciliation.service import ReconciliationService
from clearing.parties.agreements.usability import NamedAgreement
from clearing.parties.merchants.models import Merchant
from clearing.runtime.actions import succession
from tests.support.harness import Harness
from tongdui.audit.options import Options, Outcome
from tongdui.audit.run import audit
from tongdui.audit.snapshot import Snapshot
from tongdui.encoding import hex_of, keccak256

MANY = 130
"""Members beside those with a story: with them, the snapshot is imported in two chunks."""


class KilledError(Exception):
    """The process died here."""


class Dying:
    """Hears each step of a succession, and dies at the first of each kind."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def __call__(self, step: str) -> None:
        self.heard.append(step)
        raise KilledError


def audited(settings: Settings, **more: Any) -> Outcome:
    """What an auditor finds who has the node and the contract's address alone."""
    options = Options(rpc=(settings.rpc_url,), contract=settings.contract.lower(), workers=0, **more)
    return audit(options, lambda _: None)


def lots(harness: Harness, member: str, program: int = 1) -> list[tuple[int, int]]:
    """Expiry days and points of an account's lots."""
    account = harness.account(member, program)
    with harness.database.session.begin() as session:
        return [(lot.expiry_day, lot.points) for lot in LotService(session, network=harness.network).of(account)]


def hold(harness: Harness, member: str, points: int) -> str:
    """Sets FUEL aside for a day."""
    with harness.database.session.begin() as session:
        service = HoldService(session, network=harness.network)
        named = NamedAgreement(source_program="FUEL", program_field="program")
        day = int(timedelta(days=1).total_seconds())
        made = service.create(
            session.get_one(Merchant, 1),
            named,
            member=member,
            member_code=None,
            points=points,
            seconds=day,
            most_seconds=day,
            reference=None,
            actor="test",
        )
        return made.id


def go_on_with(harness: Harness, settings: Settings) -> None:
    """Starts the network's processes again, with other settings."""
    harness.settings = settings
    harness.network = NetworkIdentity.of(settings)
    harness.restart()


def die_after_each_step(harness: Harness, file: Path) -> list[str]:
    """Sets another contract in the place of the frozen one in a process that dies after each step; the steps."""
    steps: list[str] = []
    while True:
        dying = Dying()
        try:
            Succession(harness.client, harness.keys, None, dying).succeed(Snapshot(file), "Test", 28_800)
        except KilledError:
            steps += dying.heard
        else:
            return steps


def with_successor(settings: Settings, printed: str) -> Settings:
    """The settings that `clearing succeed` printed."""
    lines = dict(line.split("=", 1) for line in printed.splitlines() if line.startswith("TONGDUI_"))
    changed = {"contract": lines["TONGDUI_CONTRACT"], "predecessors": lines["TONGDUI_PREDECESSORS"]}
    return settings.model_copy(update=changed)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_network_goes_on_with_another_contract(
    harness: Harness, empty_database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    member, friend = harness.member(), harness.member()
    expiring = [
        IssueRequest(
            member=member, points=500, program="FUEL", expires_on=harness.network.date_of(harness.today() + 90)
        )
    ]
    harness.accept(1, expiring)
    harness.issue(member, 2_000)
    harness.settle()
    redeemed = harness.redeem(member, 100, "FUEL")
    exchanged = harness.exchange(member, 300)
    harness.transfer(member, friend, 50)
    harness.settle()
    harness.reverse(1, redeemed, 30)
    harness.settle()
    harness.accept(1, [IssueRequest(member=harness.member(), points=7, program="FUEL") for _ in range(MANY)])
    held = hold(harness, member, 40)
    harness.settle()
    before = {who: lots(harness, who) for who in (member, friend)}
    kept = {"available": harness.available(member), "posted": harness.posted(member), "position": harness.position(1)}
    old = harness.settings

    # The freeze: not while something is on its way, and not before the dry run has been read.
    waiting = harness.issue(member, 9)
    assert succession.freeze(old, cancel_waiting=True, dry_run=True) == 0
    assert harness.order(waiting).state is OrderState.ACCEPTED
    with pytest.raises(CannotSucceed, match="1 orders wait for a batch"):
        succession.freeze(old, cancel_waiting=False, dry_run=False)
    assert succession.freeze(old, cancel_waiting=True, dry_run=False) == 0
    assert (harness.order(waiting).state, harness.order(waiting).reason) == (
        OrderState.CANCELLED,
        "cancelled_by_operator",
    )
    assert succession.freeze(old, cancel_waiting=False, dry_run=False) == 0  # again: nothing is left to do
    assert progress_of(harness.client, old.contract).stage is Stage.FROZEN
    final = final_of(harness.client, old.contract)
    assert final.funds_micros == final.positions_micros
    harness.projector.step()
    with harness.database.reading() as session:
        told = EventRepository(session).audit_log(AuditFilter(subject=old.contract.lower()), after=None, limit=9)
        assert [one.type for one in told if "owner" not in one.type] == ["contract.freeze_requested"], "once"
        (frozen,) = EventRepository(session).list(type="contract.frozen", limit=9)
        assert (frozen.actor, frozen.data["after"]) == ("projector", {"frozen": True})
    harness.check()

    # The snapshot, by the operator and by an auditor.
    file, theirs = tmp_path / "snapshot", tmp_path / "theirs"
    assert succession.snapshot(old, file, None) == 0
    assert audited(old, snapshot=theirs).findings == ()
    assert file.read_bytes() == theirs.read_bytes()

    # The import, killed after each step.
    late = harness.issue(member, 11)  # signed for the old contract after its end
    assert succession.succeed(old, file, dry_run=True) == 0
    steps = die_after_each_step(harness, file)
    capsys.readouterr()
    assert succession.succeed(old, file, dry_run=False) == 0
    settings = with_successor(old, capsys.readouterr().out)
    with pytest.raises(CannotSucceed, match="take a snapshot with"):
        succession.succeed(settings, file, dry_run=False)  # the settings name the successor already
    assert next(step for step in steps if "leaves are imported" in step).startswith("256 of ")
    assert len(steps) == 5  # deployed, begun, two chunks, opened
    go_on_with(harness, settings)
    _resume(harness)
    harness.settle()
    harness.check()
    assert harness.order(late).state is OrderState.CANCELLED
    assert {who: lots(harness, who) for who in (member, friend)} == before
    assert kept == {
        "available": harness.available(member),
        "posted": harness.posted(member),
        "position": harness.position(1),
    }
    _require_reconciled(harness)
    assert audited(settings, predecessor=theirs).findings == ()

    # It goes on: movements, reversals of what was before, the hold; and nothing that was used counts again.
    harness.redeem(member, 10, "FUEL")
    harness.reverse(1, redeemed, 70)
    harness.reverse(2, exchanged)
    harness.settle()
    harness.check()
    with harness.database.session.begin() as session:
        assert session.get_one(Hold, held).points == 40
        reference = hex_of(keccak256(b"bank-1"))
        request_call(session, "treasury", "deposit", [1, 5, reference], "")
    harness.settle()
    with harness.database.reading() as session:
        again = session.scalars(select(Call).order_by(Call.id.desc()).limit(1)).one()
        assert again.state is CallState.FAILED
        assert "BankRefUsed" in (again.error or "")
    _require_reconciled(harness)
    assert audited(settings, predecessor=theirs).findings == ()

    # Receipts of before are good at both contracts, and a new read model of both is the same.
    _require_receipts(harness, final.batches, old.contract, settings.contract)
    rebuild = RebuildService(empty_database, harness.client, settings)
    rebuild.prepare()
    ours, live = rebuild.compare(harness.database)
    assert ours == live
    empty_database.close()


def _resume(harness: Harness) -> None:
    with harness.database.session.begin() as session:
        assert OperationsService(session, actor="test").resume()


def _require_reconciled(harness: Harness) -> None:
    report = ReconciliationService(harness.database, harness.client, harness.settings).run()
    assert report.is_clean, report.drifts


def _require_receipts(harness: Harness, batches: int, *contracts: str) -> None:
    """The roots that prove entries of the old contract are known to both."""
    with harness.database.reading() as session:
        roots = {batch: session.get_one(Batch, batch).root for batch in range(1, batches + 1)}
    for address in contracts:
        for batch, root in roots.items():
            assert harness.client.eth_call(address, encode_call("rootOf", [batch])) == root


def test_a_lineage_says_whose_events_count() -> None:
    first, second, third = (f"0x{n:040x}" for n in (1, 2, 3))
    lineage = Lineage(first, ()).and_successor(second, 10).and_successor(third, 20)
    assert lineage.setting() == f"{first}@10,{second}@20"
    assert lineage.founder == first
    assert [lineage.at(block) for block in (0, 10, 11, 20, 21)] == [first, first, second, second, third]
    assert list(lineage.spans(5, 12)) == [Span(first, 5, 10), Span(second, 11, 12)]
    assert list(lineage.spans(15, 30)) == [Span(second, 15, 20), Span(third, 21, 30)]
    assert list(lineage.spans(5, 4)) == []
