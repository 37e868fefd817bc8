"""What a kind of wish says of itself."""

from __future__ import annotations

from typing import Any, Protocol

from loyalty.network.models import Wish
from tongdui import InstructionRequest, Movement


class Kind(Protocol):
    """A kind of wish. Each is a file of its own in this package."""

    name: str
    """What it is called here and in the network: `issue`."""

    def instruction(self, wish: Wish, original: Wish | None) -> InstructionRequest:
        """What the network is asked for. `original` is the settled wish that this one undoes."""
        ...

    def is_of(self, wish: Wish, original: Wish | None, movement: Movement) -> bool:
        """Whether a movement of the network is what was wished for. The caller has compared the members."""
        ...


def metadata_of(wish: Wish) -> dict[str, Any]:
    """What every movement carries beside it: by its wish the check recognises what is ours."""
    return {**wish.facts, MARK: wish.id}


MARK = "loyalty_wish"
"""The name in a movement's metadata under which the wish's id stands."""
