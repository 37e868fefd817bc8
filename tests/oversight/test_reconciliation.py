"""Reconciliation finds and names what does not agree, and finds nothing where everything agrees."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import delete, select

from clearing.chain.client import ChainClient
from clearing.kit.events.models import Event
from clearing.ledger.accounts.models import Account
from clearing.ledger.journal.models import Batch, Block, Entry
from clearing.ledger.settlement.models import Position
from clearing.ordering.orders.kinds.issue import IssueRequest
from clearing.ordering.orders.models import Order, OrderState
from clearing.oversight.reconciliation.comparison import Drift
from clearing.oversight.reconciliation.service import (
    CannotReconcile,
    ReconciliationService,
    Report,
    record,
    summary,
)
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
    own_chain.rpc("anvil_reorg", 2, [])
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


def _change(harness: Harness, key: tuple[type[Any], Any], column: str, value: Any) -> Any:
    """Writes a value that only the projector should write; returns the previous one."""
    with harness.database.session.begin() as session:
        row = session.get_one(*key)
        before = getattr(row, column)
        setattr(row, column, value)
        return before
