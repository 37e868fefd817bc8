"""What goes wrong, and when: only in fair weather does anybody have to be quick."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from sqlalchemy.exc import OperationalError

from clearing.chain.errors import ChainUnreachable
from clearing.notifications.webhooks import delivery
from clearing.notifications.webhooks.sending import Undelivered
from tests.simulation.plan import Step
from tests.simulation.scheduler import Killed

if TYPE_CHECKING:
    from tests.simulation.world import World

RECOVERY = 10.0
"""Seconds after a fault in which nobody has to be quick: transactions are sent again, daemons pause after failures."""


@dataclass(slots=True)
class Conditions:
    """What the weather is, was, and will be."""

    base: int
    """The blocks that no reorganisation takes away."""
    rough: list[tuple[float, float]] = field(default_factory=list)
    """When the weather was bad: from, until."""
    silent_until: float = 0.0
    slow_until: float = 0.0
    skip_until: float = 0.0

    def copy(self) -> Conditions:
        """The same for another schedule."""
        return replace(self, rough=list(self.rough))


class Weather:
    """Each fault is a method that a step names."""

    def __init__(self, world: World, state: Conditions | None = None) -> None:
        self._world, self._scheduler, self._chain = world, world.scheduler, world.chain
        self.state = state or Conditions(len(world.chain.blocks))

    @property
    def is_silent(self) -> bool:
        """Whether the node gives no answers."""
        return self._scheduler.now < self.state.silent_until

    @property
    def has_no_blocks(self) -> bool:
        """Whether nobody mines."""
        return self._scheduler.now < self.state.skip_until

    def latency(self) -> float:
        """How long a message to or from the node takes."""
        chance = self._world.chance
        return chance.uniform(0.2, 2.0) if self._scheduler.now < self.state.slow_until else chance.uniform(0.001, 0.02)

    def be_rough(self, seconds: float) -> None:
        """Something goes wrong, for so long."""
        self.state.rough.append((self._scheduler.now, self._scheduler.now + seconds))

    def is_rough(self) -> bool:
        """Whether something goes wrong now, or has just gone wrong."""
        return any(begin <= self._scheduler.now < end for begin, end in self.state.rough)

    @property
    def fair_again(self) -> float:
        """When the last bad weather ends."""
        return max((end for _, end in self.state.rough), default=0.0)

    def fair_seconds(self, begin: float, end: float) -> float:
        """Seconds between two moments in which nothing went wrong."""
        moments = sorted({begin, end, *(m for rough in self.state.rough for m in rough if begin < m < end)})
        pairs = pairwise(moments)
        return sum(b - a for a, b in pairs if not any(start <= a and b <= stop for start, stop in self.state.rough))

    # ---------------------------------------------------------------- what a step names

    def die(self, step: Step, rng: random.Random) -> None:
        """A process dies at one of its next points."""
        self._scheduler.cut(step.target, step.size, lambda _: self._struck(step.target, Killed()))

    def cut(self, step: Step, rng: random.Random) -> None:
        """A process loses its connection at one of its next points."""
        self._scheduler.cut(step.target, step.size, lambda what: self._struck(step.target, _lost(what)))

    def _struck(self, process: str, error: BaseException) -> BaseException:
        """It happens now. What a worker had claimed waits until the claim is over."""
        claim = self._world.template.settings.webhook_timeout + delivery._LEASE_SECONDS
        self.be_rough(RECOVERY + claim if process == "worker" else RECOVERY)
        return error

    def silent(self, step: Step, rng: random.Random) -> None:
        """The node gives no answers, though it may have heard."""
        self.state.silent_until = self._scheduler.now + step.size
        self.be_rough(step.size + RECOVERY)

    def slow(self, step: Step, rng: random.Random) -> None:
        """The node's answers come late."""
        self.state.slow_until = self._scheduler.now + step.size
        self.be_rough(step.size + RECOVERY)

    def behind(self, step: Step, rng: random.Random) -> None:
        """The node lacks the newest blocks for a while."""
        self._world.node.behind = step.size
        seconds = 2.0 + 2 * step.size
        self.be_rough(seconds + RECOVERY)
        self._scheduler.sleep(seconds)
        self._world.node.behind = 0

    def reorganise(self, step: Step, rng: random.Random) -> None:
        """The newest blocks are replaced."""
        depth = min(step.size, len(self._chain.blocks) - self.state.base)
        self.be_rough(RECOVERY)
        if depth > 0:
            gone = [one.hash for block in self._chain.blocks[-depth:] for one in block.transactions]
            self._chain.reorganise(depth, {one for one in gone if rng.random() < 0.3})
            for _ in range(rng.randint(0, depth + 1)):
                self._chain.mine(self._world.clock.unix(), {one for one in gone if rng.random() < 0.5})

    def lose(self, step: Step, rng: random.Random) -> None:
        """The node forgets what it has not mined."""
        self._chain.lose_pool({one for one in self._chain.pool if rng.random() < 0.7})
        self.be_rough(RECOVERY)

    def skip(self, step: Step, rng: random.Random) -> None:
        """No block for a while."""
        self.state.skip_until = self._scheduler.now + 2 * step.size
        self.be_rough(2 * step.size + RECOVERY)


def _lost(what: str) -> BaseException:
    """What a process is told that has lost its connection here."""
    if what.endswith(("a commit", "a transaction")):
        return OperationalError(f"cut {what}", None, Exception())
    if what.endswith("webhook"):
        return Undelivered(f"cut {what}")
    return ChainUnreachable(f"cut {what}")
