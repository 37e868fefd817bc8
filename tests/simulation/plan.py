"""What a schedule is made of: everything that merchants want, and everything that goes wrong, from one seed.

A plan is a list of steps without hidden state, so that a step can be left out and the rest stays as it is: that is how a failing
schedule is made shorter.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count

HONEST = (1, 2, 3)
HOSTILE = 4


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happens at a moment."""

    number: int
    """Chooses the step's own random numbers, and names it."""
    at: float
    """Seconds since the begin."""
    what: str
    """The name of a method of `Merchants` or `Weather`."""
    who: int = 0
    """A merchant."""
    size: int = 0
    """How many, how deep, how long; what it means depends on `what`."""
    target: str = ""
    """A process."""

    def __str__(self) -> str:
        parts = [f"merchant {self.who}" if self.who else "", str(self.size) if self.size else "", self.target]
        return f"#{self.number} at {self.at:.2f}: {' '.join([self.what, *filter(None, parts)])}"


@dataclass(frozen=True, slots=True)
class Plan:
    """A schedule."""

    seed: int
    steps: tuple[Step, ...]
    begin: float = 3_600.0
    """How many seconds after the network was set up it begins."""
    hostile: str = ""
    """What merchant 4 is up to."""
    listens: bool = True
    """Whether the honest merchants wait for webhooks."""

    @property
    def is_rough(self) -> bool:
        """Whether it has faults."""
        return any(step.what in FAULTS for step in self.steps)

    def without(self, steps: set[int]) -> Plan:
        """The plan without the steps with these numbers."""
        return replace(self, steps=tuple(step for step in self.steps if step.number not in steps))


LENGTH = 12.0
"""Seconds in which steps begin."""
_HOSTILE_SHARE = 0.25
FAULTS = ("die", "cut", "silent", "slow", "behind", "reorganise", "lose", "skip")
_DAEMONS = ("sequencer", "projector", "worker", "gateway")
_MIDNIGHT = 13 * 3_600 - 10.0
"""Seconds from the network's founding, at 11:00 in Shanghai, to ten seconds before the day ends there."""


def plan_of(seed: int) -> Plan:
    """The plan of a seed."""
    rng = random.Random(f"{seed} plan")
    steps: list[Step] = []

    def add(at: float, what: str, who: int = 0, size: int = 0, target: str = "") -> None:
        steps.append(Step(len(steps) + 1, round(at, 3), what, who, size, target))

    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 5))):
        what = rng.choice(("order", "order", "order", "hold", "undo"))
        add(rng.uniform(0, LENGTH), what, rng.choice(HONEST), rng.randint(1, 3))
    for _ in range(rng.choice((0, 0, 1, 1, 2, 3))):
        _fault(rng, add)
    hostile = rng.choice(list(_HOSTILE)) if rng.random() < _HOSTILE_SHARE else ""
    if hostile:
        _HOSTILE[hostile](rng, add)
    begin = _MIDNIGHT if rng.random() < 0.1 else rng.uniform(3_600, 7_200)
    listens = hostile == "mute" or rng.random() < 0.25
    return Plan(seed, tuple(sorted(steps, key=lambda step: (step.at, step.number))), begin, hostile, listens)


def plans_with(hostile: str) -> Iterator[Plan]:
    """The plans, from seed 0 on, in which merchant 4 is up to this and nothing else goes wrong."""
    return (plan for plan in map(plan_of, count()) if plan.hostile == hostile and not plan.is_rough)


Add = Callable[..., None]


def _fault(rng: random.Random, add: Add) -> None:
    at = rng.uniform(0, LENGTH)
    match rng.choice(FAULTS):
        case "die" | "cut" as what:
            add(at, what, size=rng.randint(1, 25), target=rng.choice(_DAEMONS))
        case "silent" | "slow" as what:
            add(at, what, size=rng.randint(1, 8))
        case "behind":
            add(at, "behind", size=rng.randint(1, 4))
        case "reorganise":
            add(at, "reorganise", size=rng.randint(1, 5))
        case what:
            add(at, what, size=rng.randint(1, 4))


# ---------------------------------------------------------------- what a hostile merchant does


def _sparse(rng: random.Random, add: Add) -> None:
    """Orders with nonces that are far apart: each takes a new word of the contract's storage."""
    at = rng.uniform(0, LENGTH / 2)
    for burst in range(3):
        add(at + 0.2 * burst, "sparse", HOSTILE, 8)
    add(at + 0.05, "order", rng.choice(HONEST), 1)
    add(at + 0.9, "order", rng.choice(HONEST), 1)


def _flood(rng: random.Random, add: Add) -> None:
    """More orders than the queue takes."""
    at = rng.uniform(0, LENGTH / 2)
    for burst in range(3):
        add(at + 0.1 * burst, "flood", HOSTILE, 16)
    add(at + 0.35, "order", rng.choice(HONEST), 1)


def _huge(rng: random.Random, add: Add) -> None:
    """Orders that fill a batch alone."""
    at = rng.uniform(0, LENGTH / 2)
    for burst in range(5):
        add(at + 0.3 * burst, "huge", HOSTILE, 8)
    add(at + 0.7, "order", rng.choice(HONEST), 1)


def _edge(rng: random.Random, add: Add) -> None:
    """Orders whose deadline passes at about the moment of their block."""
    for _ in range(6):
        add(rng.uniform(0, LENGTH), "edge", HOSTILE, rng.randint(1, 3))


def _revoked(rng: random.Random, add: Add) -> None:
    """A key that is revoked while its orders are on their way."""
    at = rng.uniform(0, LENGTH / 2)
    add(at, "revoke", HOSTILE)
    for _ in range(4):
        add(at + rng.uniform(-0.5, 2), "edge", HOSTILE, 60)


def _twice(rng: random.Random, add: Add) -> None:
    """The same document number again and again, at the same moment and later."""
    at = rng.uniform(0, LENGTH / 2)
    for later in (0.0, 0.0, 0.01, 3.0):
        add(at + later, "twice", HOSTILE, 1)


def _hoard(rng: random.Random, add: Add) -> None:
    """Holds that are never captured."""
    for _ in range(6):
        add(rng.uniform(0, LENGTH / 2), "hoard", HOSTILE, rng.randint(1, 4))


def _storm(rng: random.Random, add: Add) -> None:
    """A reversal after each order, and one more."""
    for _ in range(8):
        add(rng.uniform(0, LENGTH), "storm", HOSTILE, 2)


def _mute(rng: random.Random, add: Add) -> None:
    """Endpoints that take a request and say nothing."""
    add(0.0, "mute", HOSTILE, rng.randint(6, 10))
    for _ in range(3):
        add(rng.uniform(0.5, LENGTH / 2), "flood", HOSTILE, 4)
    add(LENGTH / 2, "order", rng.choice(HONEST), 1)


_HOSTILE: dict[str, Callable[[random.Random, Add], None]] = {
    "sparse": _sparse,
    "flood": _flood,
    "huge": _huge,
    "edge": _edge,
    "revoked": _revoked,
    "twice": _twice,
    "hoard": _hoard,
    "storm": _storm,
    "mute": _mute,
}
