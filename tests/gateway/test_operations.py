"""The operator's routes: the network at work, pausing it, orders that wait too long, events in quarantine, and batches."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from clearing.chain.client import ChainClient, NewestBlock
from clearing.ledger.journal.models import Block, QuarantinedEvent
from clearing.ordering.orders.models import OrderState
from clearing.oversight.reconciliation.models import Reconciliation, Scope
from clearing.pipeline.leadership import Leadership
from clearing.pipeline.models import Transaction
from tests.gateway.site import Party, Site


@pytest.fixture
def waiting(site: Site, fuel: Party) -> str:
    """The id of an order that waits for a batch."""
    issuance = fuel.post("/v1/issuances", {"program": "FUEL", "member": fuel.member(), "points": 5})
    return str(issuance["order"])


def test_it_shows_the_queue_the_daemons_the_node_and_the_last_reconciliation(site: Site, waiting: str) -> None:
    assert site.get("/v1/operations")["reconciliation"] is None
    with site.database.session.begin() as session:
        for number, drifts in ((7, 0), (8, 2)):
            session.add(
                Reconciliation(
                    scope=Scope.NEWS,
                    block=number,
                    block_hash=bytes(32),
                    contract="0x",
                    drifts=drifts,
                    report={},
                    chain_state={},
                    oldest_open_order=0,
                    ended_at=site.clock.now() + timedelta(seconds=number),
                )
            )
        session.add(Block(number=9, hash=bytes(32), parent_hash=bytes(32), timestamp=1_700_000_000, day=1))
        session.add(Transaction(sender="0xab", orders=3, nonce=1, raw=b"secret", hash=b"h" * 32))
    leadership = Leadership(site.database, "projector")
    assert leadership.acquire()
    try:
        seen = site.get("/v1/operations", caller="auditor")
    finally:
        leadership.release()
    assert seen["queue"]["orders"] == len(seen["queue"]["oldest_orders"]) >= 1
    oldest = seen["queue"]["oldest_orders"][0]
    assert seen["queue"]["oldest_at"] == oldest["created_at"]
    assert waiting in [order["id"] for order in seen["queue"]["oldest_orders"]]
    assert (seen["has_sequencer"], seen["projector"]["is_running"]) == (False, True)
    assert (seen["projector"]["block_number"], seen["projector"]["lag_blocks"]) == (9, None)
    assert seen["node"] == {
        "is_reachable": False,
        "block_number": None,
        "block_at": None,
        "block_age_seconds": None,
    }, "nothing listens there"
    assert [(flying["orders"], flying["sent_at"]) for flying in seen["in_flight"]] == [(3, None)]
    assert (seen["reconciliation"]["block_number"], seen["reconciliation"]["drifts"]) == (8, 2)
    assert "secret" not in repr(seen)


def test_a_pause_names_who_paused_first_until_sequencing_is_resumed(site: Site) -> None:
    assert site.get("/v1/operations")["pause"] is None
    first = site.post("/v1/operations/pause", {"reason": "a new node"})
    assert first["pause"]["reason"] == "a new node"
    assert first["pause"]["actor"] == {
        "id": "key_" + site.keys["operator"].split("_")[1],
        "name": "a key of the operator",
    }
    assert site.post("/v1/operations/pause", {"reason": "again"}) == first
    assert site.get("/v1/operations")["pause"] == first["pause"]
    assert site.post("/v1/operations/resume", None) == {"pause": None}
    assert site.post("/v1/operations/resume", None) == {"pause": None}
    events = site.get("/v1/events?subject=sequencing")["data"]
    assert [event["type"] for event in events] == ["sequencing.resumed", "sequencing.paused"]


@pytest.mark.parametrize("reason", [None, "", "x" * 201, 5])
def test_a_pause_needs_a_reason(site: Site, reason: Any) -> None:
    body = {} if reason is None else {"reason": reason}
    problem = site.refused("/v1/operations/pause", body, "validation_failed")
    assert [error["pointer"] for error in problem["errors"]] == ["/reason"]


def test_only_an_order_that_waits_is_cancelled(site: Site, fuel: Party, waiting: str) -> None:
    path = f"/v1/orders/{waiting}/cancel"
    assert site.call("POST", path, caller=fuel.id).status_code == 403
    cancelled = site.post(path, None)
    assert (cancelled["state"], cancelled["reason"]) == ("cancelled", "cancelled_by_operator")
    assert fuel.get(f"/v1/orders/{waiting}")["state"] == "cancelled"
    site.refused(path, None, "order_not_waiting", 409)
    site.refused("/v1/orders/ord_00000000000000000000000000/cancel", None, "unknown_order", 404)


def test_quarantined_events_are_listed_in_pages_and_retried(site: Site) -> None:
    with site.database.session.begin() as session:
        for block in (3, 4):
            session.add(
                QuarantinedEvent(
                    block_number=block,
                    log_index=block,
                    name=None,
                    topics=["0x" + "ab" * 32],
                    data=b"\x01",
                    tx_hash=bytes(32),
                    error="LookupError: the contract has no such event",
                )
            )
    assert site.get("/v1/operations")["quarantined_events"] == 2
    first = site.get("/v1/quarantined_events?limit=1", caller="auditor")
    assert [(event["block_number"], event["event"], event["data"]) for event in first["data"]] == [(3, None, "0x01")]
    second = site.get(f"/v1/quarantined_events?limit=1&cursor={first['next_cursor']}")
    assert ([event["block_number"] for event in second["data"]], second["next_cursor"]) == ([4], None)
    assert site.post("/v1/quarantined_events/retry", None) == {"applied": 0, "failed": 2}


def test_batches_show_their_transaction_and_lead_to_their_entries(site: Site, fuel: Party) -> None:
    numbers = []
    for _ in range(3):
        issuance = fuel.post("/v1/issuances", {"program": "FUEL", "member": fuel.member(), "points": 5})
        site.finish(issuance["order"], OrderState.SETTLED)
        numbers.append(fuel.get(f"/v1/issuances/{issuance['id']}")["entry"]["batch"])
    listed = fuel.get("/v1/batches?limit=2")
    assert [batch["number"] for batch in listed["data"]] == numbers[:0:-1]
    rest = fuel.get(f"/v1/batches?limit=2&cursor={listed['next_cursor']}")
    assert rest["data"][0]["number"] == numbers[0]
    batch = fuel.get(f"/v1/batches/{numbers[0]}")
    assert (batch["entries"], batch["orders"], batch["block_at"]) == (1, None, None), "sent past this gateway"
    entry = fuel.get(f"/v1/entries?batch={numbers[0]}")["data"][0]
    assert entry["tx_hash"] == batch["tx_hash"]
    assert fuel.get(f"/v1/entries/{entry['leaf']}/receipt")["root"] == batch["root"]
    with site.database.session.begin() as session:
        session.add(Transaction(sender="0xcd", orders=1, nonce=9, raw=b"", hash=bytes.fromhex(batch["tx_hash"][2:])))
        session.merge(Block(number=batch["block_number"], hash=bytes(32), parent_hash=bytes(32), timestamp=0, day=0))
    seen = fuel.get(f"/v1/batches/{numbers[0]}")
    assert (seen["orders"], seen["block_at"]) == (1, "1970-01-01T00:00:00Z")
    for wrong in ("0", "-1", "one", str(2**40)):
        assert site.call("GET", f"/v1/batches/{wrong}", caller=fuel.id).status_code == 422, wrong
    assert site.call("GET", f"/v1/batches/{10**9}", caller=fuel.id).status_code == 404


def test_the_node_is_asked_before_the_snapshot(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that is slow to answer must not keep a transaction open."""
    in_use: list[int] = []
    newest_block = ChainClient.newest_block

    def noted(self: ChainClient) -> NewestBlock:
        in_use.append(site.database.engine.pool.checkedout())  # type: ignore[attr-defined]
        return newest_block(self)

    monkeypatch.setattr(ChainClient, "newest_block", noted)
    site.get("/v1/operations")
    assert in_use == [0]
