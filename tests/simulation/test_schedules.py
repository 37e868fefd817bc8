"""Schedules of the simulator by the hundred; and whether it would notice: a fault that was mended is put back, and is found."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from clearing.ordering.orders import limits
from clearing.pipeline.capacity import BatchCapacity
from tests.simulation.__main__ import prepared, shrunk
from tests.simulation.network import Template
from tests.simulation.oracles import judge, run, violations_of
from tests.simulation.plan import Plan, Step, plan_of, plans_with
from tests.simulation.world import World
from tests.support.nightly import by_day

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_800)]


@pytest.fixture(scope="module")
def template() -> Iterator[Template]:
    """The prepared network."""
    with prepared() as found:
        yield found


def test_no_schedule_breaks_a_rule(template: Template) -> None:
    """`python -m tests.simulation --seed N` shows what happens in one of them."""
    failed = {}
    for seed in range(by_day(200, at_night=1_000)):
        violations = violations_of(template, plan_of(seed))
        if violations:
            failed[seed] = [str(violation) for violation in violations]
    assert failed == {}


def test_a_seed_repeats_its_schedule(template: Template) -> None:
    seed = next(plans_with("storm")).seed
    first = World(template, plan_of(seed))
    run(first)
    trace = list(first.scheduler.trace)
    second = World(template, plan_of(seed))
    run(second)
    assert len(trace) > 20
    assert second.scheduler.trace == trace


def test_sparse_nonces_are_found_to_hurt_others_once_their_words_have_no_price(
    template: Template, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And once careful mode ends with any batch that was mined, as it did."""
    first, second, *_ = (plan for plan, _ in zip(plans_with("sparse"), range(2), strict=False))
    assert [violations_of(template, plan) for plan in (first, second)] == [[], []]
    monkeypatch.setattr(limits, "price_of_nonce_word", lambda: 0)
    succeeded = BatchCapacity.batch_succeeded
    monkeypatch.setattr(BatchCapacity, "batch_succeeded", lambda self, *, tried: succeeded(self, tried=True))
    rules = set()
    for plan, _ in zip(plans_with("sparse"), range(_FEW), strict=False):
        rules |= {violation.rule for violation in violations_of(template, plan)}
        if "honest orders end in time" in rules:
            break
    assert rules >= {"batches fit", "honest orders end in time"}


_FEW = 12
"""Of the schedules with sparse nonces."""


def test_a_failing_schedule_is_made_shorter(template: Template, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "price_of_nonce_word", lambda: 0)
    plan = next(plans_with("sparse"))
    short = shrunk(template, plan)
    assert {step.what for step in short.steps} == {"sparse"}
    assert len(short.steps) < len(plan.steps)


@pytest.mark.parametrize(
    ("statement", "rule"),
    [
        ("UPDATE accounts SET posted = posted + 1", "conservation"),
        ("UPDATE accounts SET reserved = 1", "conservation"),
        ("UPDATE positions SET position = position + 1", "conservation"),
        ("UPDATE batches SET root = zeroblob(32) WHERE number = 2", "journal"),
        ("DELETE FROM entries WHERE batch = 2", "exactly once"),
        ("UPDATE instructions SET reference = 'none' WHERE reference LIKE 'step-1-%'", "exactly once"),
        ("UPDATE orders SET state = 'accepted'", "everything ends"),
        ("UPDATE orders SET state = 'expired'", "honest orders end in time"),
    ],
)
def test_what_is_wrong_at_the_end_is_noticed(template: Template, statement: str, rule: str) -> None:
    world = World(template, Plan(1, (Step(1, 1.0, "order", 1, 1),)))
    assert run(world) == []
    with template.databases["oracle"].session.begin() as session:
        session.execute(text(statement))
    judge(world)
    assert rule in {violation.rule for violation in world.violations}
