"""Reconciliation finds and names what does not agree, and finds nothing where everything agrees."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select

from clearing.chain import logs
from clearing.chain.calls.service import request_call
from clearing.chain.client import ChainClient
from clearing.kit.clock import MovableClock
from clearing.kit.events.models import Event
from clearing.ledger.accounts.models import Account
from clearing.ledger.availability.models import Hold, HoldState
from clearing.ledger.journal.models import Batch, Block, Entry
from clearing.ledger.lots.checkpoint_round import CheckpointRound
from clearing.ledger.lots.models import LotCheckpoint
from clearing.ledger.settlement.models import Position
from clearing.ordering.orders.kinds.issue import IssueRequest
from clearing.ordering.orders.models import Order, OrderState
from clearing.oversight.reconciliation import repository
from clearing.oversight.reconciliation import service as reconciliation
from clearing.oversight.reconciliation.comparison import Drift
from clearing.oversight.reconciliation.scratch_repository import ScratchInUse, ScratchRepository
from clearing.oversight.reconciliation.service import (
    CannotReconcile,
    ReconciliationService,
    Report,
    record,
    summary,
)
from clearing.oversight.reconciliation.watch import ReconciliationWatch, watches
from clearing.parties.programs.models import Program
from scripts.dev.services import Anvil
from tests.support.harness import Harness
from tongdui.encoding import hex_of, keccak256


def test_a_healthy_network_has_no_drift(harness: Harness) -> None:
    _trade(harness)
    report = _reconcile(harness)
    assert report.drifts == []
    # Two accounts; merchants 0, 1 and 2; two programs of eight totals; an entry for each instruction of the chain.
    expected = {"balance": 3, "position": 3, "supply": 2, "program total": 16, "nonce": 5, "entry": 5}
    assert {what: report.checked[what] for what in expected} == expected


def test_a_network_without_a_block_cannot_be_reconciled(harness: Harness) -> None:
    with harness.database.session.begin() as session:
        session.execute(delete(Block))
    with pytest.raises(CannotReconcile, match="no block yet"):
        _reconcile(harness)


def test_it_compares_at_the_projectors_block_however_far_the_chain_is(harness: Harness) -> None:
    member = _trade(harness)
    order = harness.redeem(member, 5)
    harness.sequencer.step()  # on the chain, not in the database
    report = _reconcile(harness)
    assert report.drifts == []
    assert report.block < harness.client.head()
    assert harness.order(order).state is OrderState.SUBMITTED


def test_it_waits_for_the_projector_to_follow_a_reorganisation(lone_harness: Harness, own_chain: Anvil) -> None:
    _trade(lone_harness)
    own_chain.reorganise(2)
    with pytest.raises(CannotReconcile, match="does not know the state"):
        _reconcile(lone_harness)
    lone_harness.settle()
    assert _reconcile(lone_harness).drifts == []


def test_an_error_in_the_database_is_reported_with_the_values_of_the_others(harness: Harness) -> None:
    _trade(harness)
    zero = "0x" + "00" * 32
    for key, column, wrong, drift in (
        ((Position, 2), "position", 1, ("position", "cine (merchant 2)", "1", "1000900000", "1000900000")),
        ((Position, 1), "credit_limit", 9, ("credit limit", "fuel (merchant 1)", "9", "0", "0")),
        ((Batch, 2), "root", bytes(32), ("root", "batch 2", zero, None, None)),
        ((Batch, 2), "head", bytes(32), ("head", "batch 2", zero, None, None)),
    ):
        right = _change(harness, key, column, wrong)
        found = [found for found in _reconcile(harness).drifts if found.what == drift[0]]
        assert [(found[0].what, found[0].subject, found[0].database)] == [drift[:3]]
        assert found[0].events == (drift[4] or hex_of(right))
        _change(harness, key, column, right)
    assert _reconcile(harness).drifts == []


def test_issuance_caps_are_compared_with_what_comes_later(harness: Harness) -> None:
    for points in (1_000, 5_000):
        with harness.database.session.begin() as session:
            request_call(session, "operator", "setIssuanceCap", [1, points], "")
        harness.settle()
    report = _reconcile(harness)
    assert (report.drifts, report.checked["issuance cap"]) == ([], 2)
    with harness.database.reading() as session:
        raised_on = session.get_one(Program, 1).next_cap_day
    _change(harness, (Program, 1), "next_issuance_cap", 6_000)
    _change(harness, (Program, 2), "issuance_cap", 1)
    on_chain = f"1000, from day {raised_on} on "
    assert _reconcile(harness).drifts == [
        Drift("issuance cap", "FUEL", on_chain + "6000", on_chain + "5000", None),
        Drift("issuance cap", "CINE", "1", "0", None),
    ]


def test_a_drift_of_an_account_names_the_member_and_the_program(harness: Harness) -> None:
    member = _trade(harness)
    with harness.database.session.begin() as session:
        account = session.scalars(select(Account).where(Account.program == 2)).one()
        account.posted += 1
        address = account.address
    assert Drift("balance", f"{member} {address} CINE", "86", "85", "85") in _reconcile(harness).drifts


def test_an_entry_that_was_changed_no_longer_gives_its_batchs_root(harness: Harness) -> None:
    _trade(harness)
    for column, wrong in (("points", 1_001), ("ref", b"\1" * 32), ("nonce", 77), ("address", "0x" + "99" * 20)):
        right = _change(harness, (Entry, (1, 0)), column, wrong)
        drifts = _reconcile(harness).drifts
        assert [(drift.what, drift.subject) for drift in drifts] == [("entries of a batch", "batch 1")]
        _change(harness, (Entry, (1, 0)), column, right)


def test_a_settled_order_must_have_used_its_nonce(harness: Harness) -> None:
    member = _trade(harness)
    order = harness.redeem(member, 5)
    with harness.database.session.begin() as session:
        session.scalars(select(Order).where(Order.id == order)).one().state = OrderState.SETTLED
    drifts = {drift.what: drift for drift in _reconcile(harness).drifts}
    assert (drifts["nonce"].database, drifts["nonce"].contract, drifts["nonce"].events) == ("True", "False", "False")
    assert order in drifts["nonce"].subject


def test_points_reserved_by_no_order_are_a_drift(harness: Harness) -> None:
    _trade(harness)
    with harness.database.session.begin() as session:
        account = session.scalars(select(Account).where(Account.program == 2)).one()
        account.reserved, account.expiring = 3, 2
        session.get_one(Position, 1).reserved = 4
    drifts = {drift.what: drift.database for drift in _reconcile(harness).drifts}
    assert drifts == {
        "reservation": "3, but open orders reserve 0",
        "expiring points": "2, but open orders will let 0 expire",
        "reserved money": "4, but open orders and withdrawals reserve 0",
    }


def test_open_orders_account_for_what_is_reserved(harness: Harness) -> None:
    member = _trade(harness)
    harness.exchange(member, 50)
    report = _reconcile(harness)
    assert report.drifts == []
    assert report.checked["reservation"] == 3


def test_an_event_that_the_node_withholds_is_noticed(harness: Harness) -> None:
    _trade(harness)
    client = WithholdingClient(harness.settings.rpc_url, "EntryPosted(address,uint256,uint256,bytes32)")
    report = ReconciliationService(harness.database, client, harness.settings).run()
    client.close()
    wrong = {drift.what for drift in report.drifts}
    assert {"balance", "supply", "program total", "events", "nonce"} <= wrong
    for drift in report.drifts:
        if drift.what == "balance":
            assert drift.database == drift.contract != drift.events


def test_what_builds_on_a_withheld_event_is_a_fault_and_not_a_crash(harness: Harness) -> None:
    _trade(harness)
    client = WithholdingClient(harness.settings.rpc_url, "MerchantRegistered(uint32,uint96,bytes32)")
    drifts = ReconciliationService(harness.database, client, harness.settings).run().drifts
    client.close()
    assert any("builds on an unknown 0" in drift.subject for drift in drifts if drift.what == "events")


def test_the_outcome_is_recorded_as_an_event(harness: Harness) -> None:
    _trade(harness)
    with harness.database.session.begin() as session:
        session.get_one(Position, 1).position = 0
    report = _reconcile(harness)
    with harness.database.session.begin() as session:
        record(session, report, "test")
    with harness.database.session.begin() as session:
        event = session.scalars(select(Event).where(Event.type == "reconciliation.drifted")).one()
        assert event.data["first"][0]["subject"] == "fuel (merchant 1)"
    assert {what: wrong for what, _, wrong in summary(report)}["position"] == 1


# -------------------------------------------------------------------- what has changed


def test_the_news_are_compared_and_nothing_else(harness: Harness) -> None:
    member = _trade(harness)
    assert _news(harness) is None  # nothing to begin at
    _record(harness, _reconcile(harness))
    report = _news(harness)
    assert report is not None
    assert (report.drifts, report.checked["entry"], report.checked.get("balance", 0)) == ([], 0, 0)
    harness.exchange(member, 50)
    harness.redeem(member, 5, "FUEL")
    harness.settle()
    report = _news(harness)
    assert report is not None
    # Two orders, of which one touched two accounts and the other one of them; all merchants and programs.
    expected = {"entry": 2, "balance": 2, "nonce": 2, "position": 3, "program total": 16, "root": 1}
    assert report.drifts == []
    assert {what: report.checked[what] for what in expected if what != "root"} == {
        what: count for what, count in expected.items() if what != "root"
    }
    _record(harness, report)
    report = _news(harness)
    assert report is not None
    assert (report.drifts, report.checked["entry"]) == ([], 0)


def test_the_news_name_every_fault_in_what_they_touch_until_it_is_mended(harness: Harness) -> None:
    member = _trade(harness)
    _record(harness, _reconcile(harness))
    harness.exchange(member, 50)
    harness.settle()
    with harness.database.session.begin() as session:
        address, batch = (
            harness.account(member)[0],
            session.scalars(select(Batch.number).order_by(-Batch.number)).first(),
        )
        order = session.scalars(select(Order.id).order_by(-Order.seq)).first()
    zero, wrong = bytes(32), {"balance", "position", "root", "head", "entries of a batch", "reservation", "nonce"}
    faults = (
        ((Account, (address, 1)), "posted", 1, "balance"),
        ((Account, (address, 2)), "reserved", 7, "reservation"),
        ((Position, 2), "position", 1, "position"),
        ((Batch, batch), "root", zero, "root"),
        ((Batch, batch), "head", zero, "head"),
        ((Entry, (batch, 0)), "points", 3, "entries of a batch"),
        ((Order, _seq(harness, order)), "state", OrderState.EXPIRED, "nonce"),
    )
    assert {what for *_, what in faults} == wrong
    for key, column, value, what in faults:
        right = _change(harness, key, column, value)
        for _ in range(2):  # a drift does not become the next one's beginning
            report = _news(harness)
            assert report is not None
            assert what in {drift.what for drift in report.drifts}
            _record(harness, report)
        _change(harness, key, column, right)
    report = _news(harness)
    assert report is not None
    assert report.drifts == []


def test_a_fault_in_what_nothing_touches_is_found_by_the_full_one(harness: Harness) -> None:
    _trade(harness)
    _record(harness, _reconcile(harness))
    with harness.database.session.begin() as session:
        session.scalars(select(Account).where(Account.program == 2)).one().posted += 1
    report = _news(harness)
    assert report is not None
    assert report.is_clean
    assert {drift.what for drift in _reconcile(harness).drifts} == {"balance", "supply"}


def test_an_order_that_ended_outside_the_chain_is_among_the_news(harness: Harness) -> None:
    member = _trade(harness)
    order = harness.redeem(member, 5)
    _record(harness, _reconcile(harness))
    with harness.database.session.begin() as session:
        session.scalars(select(Order).where(Order.id == order)).one().state = OrderState.SETTLED
    report = _news(harness)
    assert report is not None
    assert ("nonce", "True", "False") in {(drift.what, drift.database, drift.contract) for drift in report.drifts}


def test_a_hold_must_know_whether_its_order_is_pending(harness: Harness) -> None:
    member = _trade(harness)
    order = harness.redeem(member, 5)
    with harness.database.session.begin() as session:
        account = harness.account(member, 2)
        ended = session.scalars(select(Order.id).where(Order.state == OrderState.SETTLED).limit(1)).one()
        for number, (its, drawing) in enumerate(((order, False), (order, True), (ended, True), (ended, False))):
            session.add(
                Hold(
                    id=f"hld_{number}",
                    merchant_number=2,
                    address=account[0],
                    program=2,
                    points=5,
                    captured=5,
                    state=HoldState.CAPTURED,
                    drawing=drawing,
                    order_id=its,
                    expires_at=harness.database.clock.now(),
                )
            )
    found = {(drift.subject, drift.database) for drift in _reconcile(harness).drifts}
    assert found == {("hld_0", "False, but its order is pending"), ("hld_2", "True, but its order is final")}


@pytest.mark.parametrize("longest", [1, 20_000], ids=["sums", "replay"])
def test_a_checkpoint_of_lots_must_say_what_the_entries_say(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, longest: int
) -> None:
    monkeypatch.setattr(repository, "LONGEST_REPLAY", longest)
    member = _trade(harness)
    address, _ = harness.account(member)
    CheckpointRound(harness.database).bring_up_to_date([address])
    assert _reconcile(harness).drifts == []
    with harness.database.session.begin() as session:
        checkpoint = session.get_one(LotCheckpoint, address)
        checkpoint.lots = {program: [[*lots[0][:-1], lots[0][-1] + 1]] for program, lots in checkpoint.lots.items()}
    drift = Drift("checkpoint of lots", address, "not what the entries say", None, None)
    assert _reconcile(harness).drifts == [drift]


def test_the_news_begin_at_an_older_one_if_the_chain_has_lost_the_newest(
    lone_harness: Harness, own_chain: Anvil
) -> None:
    harness = lone_harness
    member = _trade(harness)
    _record(harness, _reconcile(harness))
    own_chain.rpc("anvil_mine", "0x3")
    harness.exchange(member, 50)
    harness.settle()
    report = _news(harness)
    assert report is not None
    _record(harness, report)
    own_chain.reorganise(2)
    harness.settle()
    harness.redeem(member, 5)
    harness.settle()
    report = _news(harness)
    assert report is not None
    assert (report.drifts, report.checked["entry"]) == ([], 2)


# -------------------------------------------------------------------- everything, step by step


def test_a_full_one_that_is_stopped_anywhere_goes_on_and_finds_the_same(
    harness: Harness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = _trade(harness)
    monkeypatch.setattr(reconciliation, "_ROWS", 1)
    monkeypatch.setattr(reconciliation, "_PAGES", 0)
    monkeypatch.setattr(logs, "_FIRST_STEP", 1)
    monkeypatch.setattr(logs, "_BLOCKS_A_PAGE", 1)
    with harness.database.session.begin() as session:
        session.scalars(select(Account).where(Account.program == 2)).one().posted += 1
    undisturbed = _reconcile(harness)
    assert {drift.what for drift in undisturbed.drifts} == {"balance", "supply"}
    stops, scratch = 0, tmp_path / "scratch.db"

    def stop(_place: str) -> None:
        raise KeyboardInterrupt

    report = None
    while report is None:
        service = ReconciliationService(harness.database, harness.client, harness.settings, stop)
        try:
            report = service.run(scratch)
        except KeyboardInterrupt:
            stops += 1
            assert stops < 200
            if stops == 3:  # the network goes on meanwhile
                harness.exchange(member, 50)
                harness.settle()
    assert stops > 5
    assert {drift.what for drift in report.drifts} == {"balance", "supply"}
    assert report.checked["entry"] == undisturbed.checked["entry"] + 1
    assert not scratch.exists()


def test_two_at_once_do_not_share_a_scratch_file(harness: Harness, tmp_path: Path) -> None:
    _trade(harness)
    scratch, refusals = tmp_path / "scratch.db", []

    def run_another(_place: str) -> None:
        with pytest.raises(CannotReconcile, match="another full reconciliation is using") as refused:
            ReconciliationService(harness.database, harness.client, harness.settings).run(scratch)
        refusals.append(refused)

    service = ReconciliationService(harness.database, harness.client, harness.settings, run_another)
    assert service.run(scratch).drifts == []
    assert len(refusals) > 3
    assert list(tmp_path.glob("scratch*")) == []
    assert _reconcile(harness).drifts == []


def test_a_scratch_file_that_is_spoilt_begins_anew_and_stays_locked(tmp_path: Path) -> None:
    path = tmp_path / "scratch.db"
    path.write_text("no database\n" * 1_000)
    with closing(ScratchRepository(path)) as scratch:
        assert scratch.progress() is None
        with pytest.raises(ScratchInUse):
            ScratchRepository(path)
    with closing(ScratchRepository(path)) as scratch:
        assert scratch.progress() is None


# -------------------------------------------------------------------- the alarm


def test_the_operator_is_notified_once_that_nothing_was_reconciled_for_long(
    harness: Harness, clock: MovableClock
) -> None:
    _trade(harness)
    longest = timedelta(hours=3)

    def notify() -> bool:
        with harness.database.session.begin() as session:
            return ReconciliationWatch(session, longest).notify()

    assert not notify()
    _record(harness, _reconcile(harness))
    clock.move(timedelta(hours=2))
    assert not notify()
    clock.move(timedelta(hours=2))
    assert [notify(), notify()] == [True, False]
    _record(harness, _reconcile(harness))
    assert not notify()
    clock.move(timedelta(hours=4))
    assert notify()
    with harness.database.session.begin() as session:
        assert len(session.scalars(select(Event).where(Event.type == "reconciliation.overdue")).all()) == 2


def test_the_operator_is_notified_that_only_full_ones_fail(harness: Harness, clock: MovableClock) -> None:
    _trade(harness)
    settings = harness.settings.model_copy(update={"reconcile_alarm_after": None})

    def notified() -> list[bool]:
        with harness.database.session.begin() as session:
            return [watch.notify() for watch in watches(session, settings)]

    def events() -> list[str]:
        with harness.database.session.begin() as session:
            found = session.scalars(select(Event).where(Event.type == "reconciliation.overdue").order_by(Event.seq))
            return [event.stored["scope"] for event in found]

    _record(harness, _reconcile(harness))
    clock.move(timedelta(hours=71))
    news = _news(harness)
    assert news is not None
    _record(harness, news)
    assert notified() == [False, False]
    clock.move(timedelta(hours=2))
    assert [notified(), notified()] == [[False, True], [False, False]]
    assert events() == ["full"]
    news = _news(harness)
    assert news is not None
    _record(harness, news)  # ends only the other alarm
    assert notified() == [False, False]
    _record(harness, _reconcile(harness))
    clock.move(timedelta(hours=73))
    assert notified() == [True, True]


class WithholdingClient(ChainClient):
    """A node that hides the first event of a kind."""

    def __init__(self, url: str, hidden: str) -> None:
        super().__init__(url)
        self._hidden = hex_of(keccak256(hidden.encode()))

    def call(self, method: str, *params: Any) -> Any:
        result = super().call(method, *params)
        if method == "eth_getLogs":
            hidden = next((log for log in result if log["topics"][0] == self._hidden), None)
            result = [log for log in result if log is not hidden]
        return result


def _trade(harness: Harness) -> str:
    """Issues, exchanges and redeems points; returns the member who has 85 CINE afterwards."""
    member, other = harness.member(), harness.member()
    harness.issue(member, 1_000)
    harness.settle()
    harness.exchange(member, 101)
    harness.settle()
    harness.redeem(member, 5)
    harness.redeem(member, 10, "FUEL")
    harness.accept(1, [IssueRequest(member=other, points=40, program="FUEL")])
    harness.settle()
    return member


def _reconcile(harness: Harness) -> Report:
    return ReconciliationService(harness.database, harness.client, harness.settings).run()


def _news(harness: Harness) -> Report | None:
    return ReconciliationService(harness.database, harness.client, harness.settings).run_news()


def _record(harness: Harness, report: Report) -> None:
    with harness.database.session.begin() as session:
        record(session, report, "test")


def _seq(harness: Harness, order: str | None) -> int:
    with harness.database.session.begin() as session:
        return session.scalars(select(Order.seq).where(Order.id == order)).one()


def _change(harness: Harness, key: tuple[type[Any], Any], column: str, value: Any) -> Any:
    """Writes a value that only the projector should write; returns the previous one."""
    with harness.database.session.begin() as session:
        row = session.get_one(*key)
        before = getattr(row, column)
        setattr(row, column, value)
        return before
