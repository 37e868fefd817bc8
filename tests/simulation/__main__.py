"""Runs schedules: `python -m tests.simulation` for some, with `--seed N` one again, with a readable trace."""

from __future__ import annotations

import argparse
import sys
import time

from tests.simulation.network import Template
from tests.simulation.oracles import run, violations_of
from tests.simulation.plan import Plan, plan_of
from tests.simulation.quiet import quiet
from tests.simulation.world import Violation, World


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="run this one schedule, and show what happens")
    parser.add_argument("--first", type=int, default=0, help="the first of many seeds")
    parser.add_argument("--count", type=int, default=1_000, help="how many seeds")
    parser.add_argument("--minutes", type=float, help="go on for so long instead")
    parser.add_argument(
        "--shrink", action="store_true", help="leave steps out of a failing schedule as long as it fails"
    )
    arguments = parser.parse_args()
    with quiet():
        template = Template()
        try:
            if arguments.seed is not None:
                return _one(template, plan_of(arguments.seed), shrink=arguments.shrink)
            return _many(template, arguments.first, arguments.count, arguments.minutes)
        finally:
            template.close()


def _one(template: Template, plan: Plan, *, shrink: bool) -> int:
    if shrink:
        plan = shrunk(template, plan)
    world = World(template, plan)
    violations = run(world)
    for at, process, what in world.scheduler.trace:
        print(f"{at:9.3f}  {process:14} {what}")
    print(f"seed {plan.seed}: {len(plan.steps)} steps, {len(violations)} violations")
    for violation in violations:
        print(f"  {violation}")
    return 1 if violations else 0


def shrunk(template: Template, plan: Plan) -> Plan:
    """The plan without the steps that it fails without, too: first many at once, then each."""
    rules = {violation.rule for violation in violations_of(template, plan)}
    size = max(1, len(plan.steps) // 2)
    while size:
        at = 0
        while at < len(plan.steps):
            shorter = plan.without({step.number for step in plan.steps[at : at + size]})
            if rules & {violation.rule for violation in violations_of(template, shorter)}:
                plan = shorter
            else:
                at += size
        size //= 2
    return plan


def _many(template: Template, first: int, count: int, minutes: float | None) -> int:
    began, failed, seed = time.monotonic(), 0, first
    while (time.monotonic() - began < 60 * minutes) if minutes else seed < first + count:
        failed += bool(_report(seed, World(template, plan_of(seed))))
        seed += 1
    seconds = time.monotonic() - began
    print(f"{seed - first} schedules in {seconds:.0f} s, {60 * (seed - first) / seconds:.0f} a minute; {failed} failed")
    return 1 if failed else 0


def _report(seed: int, world: World) -> list[Violation]:
    violations = run(world)
    if violations:
        print(f"seed {seed} ({world.plan.hostile or 'nobody hostile'}): {'; '.join(map(str, violations[:3]))}")
        print(f"  repeat with: python -m tests.simulation --seed {seed}")
        sys.stdout.flush()
    return violations


if __name__ == "__main__":
    sys.exit(main())
