"""Sequencer and projector send as many statements for many orders as for one."""

from __future__ import annotations

from scripts.bench.plans import statements
from tests.support.harness import Harness


def test_a_batch_costs_the_same_statements_whatever_its_size(harness: Harness) -> None:
    members = [harness.member() for _ in range(30)]
    for member in members:
        harness.issue(member, 1_000)
    harness.settle()
    _exchange(harness, members[:1])  # whoever does it first looks up names
    alone, together = _exchange(harness, members[:1]), _exchange(harness, members)
    assert together == alone
    sequencer, projector = alone
    assert sequencer <= 13, "on SQLite, where each BEGIN and what is a COPY on PostgreSQL count, too"
    assert projector <= 24
    harness.check()


def _exchange(harness: Harness, members: list[str]) -> tuple[int, int]:
    """Makes an order of each member's exchange; how many statements the sequencer and the projector sent for all of them."""
    orders = [harness.exchange(member, 10) for member in members]
    with statements(harness.database) as of_sequencer:
        assert harness.sequencer.step()
    with statements(harness.database) as of_projector:
        assert harness.projector.step()
    assert {harness.order(order).state for order in orders} == {"settled"}
    return len(of_sequencer), len(of_projector)
