"""Schedules of the simulator by the hundred; and whether it would notice: a fault that was mended is put back, and is found."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import text

from clearing.kit.wakeups import channels
from clearing.ordering.orders import limits
from clearing.pipeline.capacity import BatchCapacity
from tests.simulation.__main__ import prepared, shrunk
from tests.simulation.network import Template
from tests.simulation.oracles import judge, run, violations_of
from tests.simulation.plan import FAMILY, Plan, Step, plan_of, plans_with
from tests.simulation.world import NOTIFYING, World
from tests.support.nightly import IS_NIGHTLY, by_day

SPARSE = Plan(
    1,
    tuple(
        sorted(
            [
                *(Step(1 + number, 1 + 0.1 * number, "sparse", 4, 8) for number in range(5)),
                *(Step(21 + number, 1.05 + 0.2 * number, "order", 1 + number % 2, 1) for number in range(6)),
            ],
            key=lambda step: step.at,
        )
    ),
    listens=False,
    signs=False,
)
"""Many orders with nonces that are far apart, and some honest ones among them."""

KNOWN = {
    "a client loses the answer to a capture, and asks again": [
        Plan(1, (Step(1, 0.5, "hold", 1, 1), Step(2, 0.5, "cut", size=size, target="gateway"))) for size in range(1, 9)
    ],
    "a worker dies while its threads send, and starts again": [plan_of(4412)],
}
"""What once failed."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_800)]


@pytest.fixture(scope="module")
def template() -> Iterator[Template]:
    """The prepared network."""
    with prepared() as found:
        yield found


def test_no_schedule_breaks_a_rule(template: Template) -> None:
    """`python -m tests.simulation --seed N` shows what happens in one of them."""
    failed = {}
    for seed in range(by_day(6, at_night=30) * FAMILY):
        violations = violations_of(template, plan_of(seed))
        if violations:
            failed[seed] = [str(violation) for violation in violations]
    assert failed == {}


def test_a_seed_repeats_its_schedule(template: Template) -> None:
    seed = next(plans_with("storm")).seed
    trace = _trace(template, seed)
    assert len(trace) > 20
    assert _trace(template, seed) == trace


def test_a_short_schedule_is_the_same_whether_or_not_the_long_one_has_just_run(template: Template) -> None:
    seed = next(plans_with("storm")).seed
    _trace(template, seed)
    after_it = [_trace(template, seed + number) for number in (1, 2, 3)]
    for number, trace in enumerate(after_it, start=1):
        template.moments.clear()
        assert _trace(template, seed + number) == trace
    assert any(len(trace) > 5 for trace in after_it)


def _trace(template: Template, seed: int) -> list[tuple[float, str, str]]:
    world = World(template, plan_of(seed))
    run(world)
    return world.scheduler.trace


def test_moments_have_something_on_its_way(template: Template) -> None:
    """Otherwise short schedules would try nothing that long ones do not."""
    reached, busy = 0, 0
    for seed in range(0, 8 * FAMILY, FAMILY):
        violations_of(template, plan_of(seed))
        for moment in template.moments.values():
            reached += moment is not None
            open_orders = "SELECT count(*) FROM orders WHERE state IN ('accepted', 'submitted')"
            busy += moment is not None and moment.image.database.execute(open_orders).fetchone() > (0,)
    assert reached >= 24
    assert busy >= 8


def test_everybody_who_notifies_is_heard() -> None:
    loaded = [module for name, module in sys.modules.items() if name.startswith(("clearing.", "gateway."))]
    assert {one for one in loaded if getattr(one, "notify", None) is channels.notify} - {channels} == set(NOTIFYING)


@pytest.mark.parametrize("what", KNOWN)
def test_what_once_failed_does_not_fail_again(template: Template, what: str) -> None:
    assert [violations_of(template, plan) for plan in KNOWN[what]] == [[] for _ in KNOWN[what]]


def test_sparse_nonces_are_found_to_hurt_others_once_their_words_have_no_price(
    template: Template, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And once careful mode ends with any batch that was mined, as it did. At night a schedule from a seed has to find it, too."""
    from_seeds = [next(plans_with("sparse"))] if IS_NIGHTLY else []
    assert [violations_of(template, plan) for plan in (SPARSE, *from_seeds)] == [[], *([] for _ in from_seeds)]
    monkeypatch.setattr(limits, "price_of_nonce_word", lambda: 0)
    succeeded = BatchCapacity.batch_succeeded
    monkeypatch.setattr(BatchCapacity, "batch_succeeded", lambda self, *, tried: succeeded(self, tried=True))
    for plan in from_seeds:
        assert "batches fit" in {violation.rule for violation in violations_of(template, plan)}
    assert {"batches fit", "nobody pays for others"} <= {one.rule for one in violations_of(template, SPARSE)}


def test_a_failing_schedule_is_made_shorter(template: Template, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "price_of_nonce_word", lambda: 0)
    steps = (
        Step(1, 0.5, "sparse", 4, 8),
        Step(2, 0.55, "order", 1, 1),
        Step(3, 0.7, "sparse", 4, 8),
        Step(4, 1.4, "order", 2, 1),
        Step(5, 2.0, "hold", 1, 1),
    )
    short = shrunk(template, replace(SPARSE, steps=steps))
    assert {step.what for step in short.steps} <= {"sparse", "order"}
    assert len(short.steps) <= 2


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
