"""Runs schedules: `python -m tests.simulation` for some, with `--seed N` one again, with a readable trace."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import count

from tests.simulation.network import Template
from tests.simulation.oracles import run, violations_of
from tests.simulation.plan import FAMILY, Plan, plan_of
from tests.simulation.quiet import quiet
from tests.simulation.world import World


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="run this one schedule, and show what happens")
    parser.add_argument("--shrink", action="store_true", help="leave out the steps without which it fails, too")
    parser.add_argument("--first", type=int, default=0, help="the first of many seeds")
    parser.add_argument("--count", type=int, default=1_000, help="how many seeds")
    parser.add_argument("--minutes", type=float, help="go on for so long instead")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many processes share them")
    arguments = parser.parse_args()
    if arguments.seed is not None:
        with prepared() as template:
            return _one(template, plan_of(arguments.seed), shrink=arguments.shrink)
    return _many(arguments.first, arguments.count, arguments.minutes, arguments.jobs)


@contextmanager
def prepared() -> Iterator[Template]:
    """A prepared network, in a quiet process."""
    with quiet():
        template = Template()
        try:
            yield template
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
    """The plan without the steps without which it fails, too: first many at once, then each."""
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


def _many(first: int, seeds: int, minutes: float | None, jobs: int) -> int:
    began = time.monotonic()
    last = None if minutes else first + seeds
    with ProcessPoolExecutor(jobs) as pool:
        ends = list(pool.map(partial(_share, first=first, jobs=jobs, last=last, minutes=minutes), range(jobs)))
    ran, failed, seconds = sum(ran for ran, _ in ends), sum(failed for _, failed in ends), time.monotonic() - began
    print(f"{ran} schedules in {seconds:.0f} s, {60 * ran / seconds:.0f} a minute; {failed} failed")
    return 1 if failed else 0


def _share(job: int, *, first: int, jobs: int, last: int | None, minutes: float | None) -> tuple[int, int]:
    """The seeds of every so many-th family: how many there were, and how many failed."""
    ran = failed = 0
    with prepared() as template:
        began = time.monotonic()
        for seed in count(first):
            if (last is not None and seed >= last) or (minutes and time.monotonic() - began > 60 * minutes):
                break
            if seed // FAMILY % jobs != job:
                continue
            plan = plan_of(seed)
            violations = violations_of(template, plan)
            ran += 1
            if violations:
                failed += 1
                print(f"seed {seed} ({plan.hostile or 'nobody hostile'}): {'; '.join(map(str, violations[:3]))}")
                print(f"  repeat with: python -m tests.simulation --seed {seed}", flush=True)
    return ran, failed


if __name__ == "__main__":
    sys.exit(main())
