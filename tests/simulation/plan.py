"""What a schedule is made of: everything that merchants want, and everything that goes wrong, from one seed.

Seeds come in families. The first of a family is a long schedule, from the founding of the network until all is at rest. The others
are short: each begins in the middle of the long one, where orders, batches and webhooks are on their way, and goes another way.

A plan is a list of steps without hidden state, so that a step can be left out and the rest stays as it is: that is how a failing
schedule is made shorter.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from typing import NamedTuple

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


class Start(NamedTuple):
    """The middle of a long schedule: its seed, and the number of the moment."""

    seed: int
    moment: int


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
    signs: bool = True
    """Whether there may be privileged calls to sign."""
    start: Start | None = None
    """Where a short one begins."""
    moments: tuple[float, ...] = ()
    """The seconds of a long one at which short ones begin."""

    @property
    def is_rough(self) -> bool:
        """Whether it has faults."""
        return any(step.what in FAULTS for step in self.steps)

    def without(self, steps: set[int]) -> Plan:
        """The plan without the steps with these numbers. Nothing begins in its middle."""
        return replace(self, steps=tuple(step for step in self.steps if step.number not in steps), moments=())


FAMILY = 32
"""So many seeds share a long schedule."""
_MOMENTS = 4
LENGTH = 12.0
"""Seconds in which the steps of a long schedule begin."""
SHORT = 1.5
"""Seconds in which the steps of a short one begin."""
_SHORT_NUMBERS = 101
"""The first step of a short plan; those of long ones have smaller numbers."""
_HOSTILE_SHARE = 0.25
FAULTS = ("die", "cut", "silent", "slow", "behind", "reorganise", "lose", "skip")
_DAEMONS = ("sequencer", "projector", "worker", "gateway")
_MIDNIGHT = 13 * 3_600 - 10.0
"""Seconds from the network's founding, at 11:00 in Shanghai, to ten seconds before the day ends there."""


def plan_of(seed: int) -> Plan:
    """The plan of a seed."""
    first = seed // FAMILY * FAMILY
    return _long(seed) if seed == first else _short(seed, _long(first))


def _long(seed: int) -> Plan:
    rng = random.Random(f"{seed} plan")
    steps: list[Step] = []

    def add(at: float, what: str, who: int = 0, size: int = 0, target: str = "") -> None:
        steps.append(Step(len(steps) + 1, round(at, 3), what, who, size, target))

    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 5))):
        what = rng.choice(("order", "order", "order", "hold", "undo"))
        add(rng.uniform(0, LENGTH), what, rng.choice(HONEST), rng.randint(1, 3))
    for _ in range(rng.choice((0, 0, 1, 1, 2, 3))):
        _fault(rng, add, LENGTH)
    hostile = rng.choice(list(_HOSTILE)) if rng.random() < _HOSTILE_SHARE else ""
    if hostile:
        _HOSTILE[hostile](rng, add)
    begin = _MIDNIGHT if rng.random() < 0.1 else rng.uniform(3_600, 7_200)
    listens = hostile == "mute" or rng.random() < 0.25
    # Soon after something has happened, because then something is on its way.
    moments = sorted(round(rng.choice(steps).at + rng.uniform(0.05, 1.5), 3) for _ in range(_MOMENTS))
    ordered = tuple(sorted(steps, key=lambda step: (step.at, step.number)))
    return Plan(seed, ordered, begin, hostile, listens, hostile == "revoked", moments=tuple(moments))


def _short(seed: int, long: Plan) -> Plan:
    """A few steps, from one of the long plan's moments on."""
    rng = random.Random(f"{seed} plan")
    steps: list[Step] = []

    def add(at: float, what: str, who: int = 0, size: int = 0, target: str = "") -> None:
        steps.append(Step(_SHORT_NUMBERS + len(steps), round(at, 3), what, who, size, target))

    for _ in range(rng.choice((0, 1, 1, 2))):
        what = rng.choice(("order", "order", "order", "hold", "undo"))
        add(rng.uniform(0, SHORT), what, rng.choice(HONEST), rng.randint(1, 2))
    for _ in range(rng.choice((0, 1, 1, 2))):
        _fault(rng, add, SHORT, longest=3)
    hostile = rng.choice(list(_DEEDS)) if not steps or rng.random() < _HOSTILE_SHARE else ""
    if hostile:
        add(rng.uniform(0, SHORT), hostile, HOSTILE, rng.randint(*_DEEDS[hostile]))
    start = Start(long.seed, rng.randrange(_MOMENTS))
    ordered = tuple(sorted(steps, key=lambda step: (step.at, step.number)))
    signs = long.signs or hostile == "revoke"
    listens = long.listens and rng.random() < 0.5
    return Plan(seed, ordered, long.begin, hostile or long.hostile, listens, signs, start)


def plans_with(hostile: str) -> Iterator[Plan]:
    """The long plans, from seed 0 on, in which merchant 4 is up to this and nothing else goes wrong."""
    return (plan for plan in map(plan_of, count(0, FAMILY)) if plan.hostile == hostile and not plan.is_rough)


Add = Callable[..., None]


def _fault(rng: random.Random, add: Add, length: float, longest: int = 8) -> None:
    at = rng.uniform(0, length)
    match rng.choice(FAULTS):
        case "die" | "cut" as what:
            add(at, what, size=rng.randint(1, 25), target=rng.choice(_DAEMONS))
        case "silent" | "slow" as what:
            add(at, what, size=rng.randint(1, longest))
        case "behind":
            add(at, "behind", size=rng.randint(1, longest // 2 + 1))
        case "reorganise":
            add(at, "reorganise", size=rng.randint(1, 5))
        case what:
            add(at, what, size=rng.randint(1, longest // 2))


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

_DEEDS = {
    "sparse": (2, 8),
    "flood": (2, 8),
    "huge": (4, 8),
    "edge": (1, 3),
    "revoke": (0, 0),
    "twice": (1, 1),
    "hoard": (1, 4),
    "storm": (1, 1),
}
"""What a hostile merchant does in a short schedule, and how much of it."""
