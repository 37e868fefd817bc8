"""Points that are taken back: an earlier issue is undone, in whole or in part."""

from __future__ import annotations

from loyalty.network.kinds.kind import metadata_of
from loyalty.network.models import Wish
from tongdui import InstructionRequest, Movement, Reverse


class ReverseKind:
    """The reversal of a settled wish. Points come back with the expiry that they had."""

    name = "reverse"

    def instruction(self, wish: Wish, original: Wish | None) -> InstructionRequest:
        """What the network is asked for."""
        assert original is not None, "a reversal undoes something"
        assert original.movement is not None, "it is sent when that has settled"
        return Reverse(
            movement=original.movement, points=wish.moving, reference=wish.reference, metadata=metadata_of(wish)
        )

    def is_of(self, wish: Wish, original: Wish | None, movement: Movement) -> bool:
        """Whether a movement of the network is what was wished for, whoever the member is."""
        assert original is not None, "a reversal undoes something"
        return (movement.reverses, movement.points) == (original.movement, wish.moving)
