"""Points for a member."""

from __future__ import annotations

from loyalty.network.kinds.kind import metadata_of
from loyalty.network.models import Wish
from tongdui import InstructionRequest, Issue, Movement


class IssueKind:
    """New points for a member, with an expiry of their own or the program's."""

    name = "issue"

    def instruction(self, wish: Wish, original: Wish | None) -> InstructionRequest:  # noqa: ARG002 - it undoes nothing
        """What the network is asked for."""
        return Issue(
            program=wish.program,
            member=wish.member,
            points=wish.moving,
            expires_on=wish.expires_on,
            reference=wish.reference,
            metadata=metadata_of(wish),
        )

    def is_of(self, wish: Wish, original: Wish | None, movement: Movement) -> bool:  # noqa: ARG002 - it undoes nothing
        """Whether a movement of the network is what was wished for, whoever the member is."""
        expiry = wish.expires_on or movement.expires_on
        return (movement.program, movement.points, movement.expires_on) == (wish.program, wish.moving, expiry)
