"""What a request would do, without doing it."""

from __future__ import annotations

from typing import Generic, TypeVar

from ._models import Model

ResultT = TypeVar("ResultT", bound=Model)


class Outcome(Model):
    """What the entry of an instruction would say. An exchange may take fewer points than it was asked for."""

    points: int
    out: int
    settled_micros: int
    fee_micros: int


class DryRun(Model, Generic[ResultT]):
    """What a request would have done. Nothing of it happened.

    Attributes:
        result: What `create` would return. The ids of what does not exist end in zeros: do not keep them.
        outcomes: For each instruction, in its order, what its entry would say; empty for a hold.
    """

    result: ResultT
    outcomes: tuple[Outcome, ...]

    @property
    def outcome(self) -> Outcome:
        """The outcome of the only instruction. Raises ValueError if there is not exactly one."""
        (outcome,) = self.outcomes
        return outcome
