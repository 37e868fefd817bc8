"""Nobody asks the node while a transaction is open: on SQLite everybody would wait for a node that is slow."""

from __future__ import annotations

from typing import Any

import pytest

from clearing.chain.calls.service import request_call
from clearing.chain.client import ChainClient
from clearing.ordering.orders.models import OrderState
from tests.support.harness import Harness
from tongdui.encoding import hex_of, keccak256


@pytest.fixture
def asked(lone_harness: Harness, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Each question to the node, and how many connections to the database were in use at that moment."""
    found: list[tuple[str, int]] = []
    post = ChainClient._post

    def note(self: ChainClient, payload: Any) -> Any:
        questions = payload if isinstance(payload, list) else [payload]
        in_use: int = lone_harness.database.engine.pool.checkedout()  # type: ignore[attr-defined]
        found.extend((question["method"], in_use) for question in questions)
        return post(self, payload)

    monkeypatch.setattr(ChainClient, "_post", note)
    return found


def test_daemons_ask_the_node_between_their_transactions(lone_harness: Harness, asked: list[tuple[str, int]]) -> None:
    harness = lone_harness
    harness.restart()  # they know nothing yet: neither nonces nor how large blocks are
    member = harness.member()
    before = harness.client.call("evm_snapshot")
    order = harness.issue(member, 100)
    with harness.database.session.begin() as session:
        for number in range(2):
            reference = hex_of(keccak256(f"outside-{number}".encode()))
            request_call(session, "treasury", "deposit", [1, 5, reference], "")
    harness.settle()
    assert harness.order(order).state is OrderState.SETTLED
    harness.client.call("evm_revert", before)
    harness.settle()
    assert harness.order(order).state is OrderState.SETTLED
    assert {"eth_sendRawTransaction", "eth_call", "eth_getTransactionCount"} <= {method for method, _ in asked}
    assert not {method for method, in_use in asked if in_use}
    harness.check()


def test_a_call_that_the_contract_refuses_is_tried_out_before_the_transaction(
    lone_harness: Harness, asked: list[tuple[str, int]]
) -> None:
    with lone_harness.database.session.begin() as session:
        request_call(session, "operator", "setCreditLimit", [99, 5], "nobody")
    lone_harness.settle()
    assert [in_use for method, in_use in asked if method == "eth_call"] == [0]
