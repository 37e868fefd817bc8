"""What may be given back of a movement, and if nothing may, why."""

from __future__ import annotations

from dataclasses import dataclass

from console.given_back import GivenBack, given_back, giver_of
from console.problem_texts import sentence_of
from console.visit import Visit
from pages.translations import gettext as _
from tongdui import Movement

_SIDES = ("merchant", "giver", "receiver", "counterparty", "member")


@dataclass(frozen=True, slots=True)
class Original:
    """A movement that somebody wants to undo, and what was undone of it already."""

    movement: Movement
    given_back: GivenBack
    obstacle: str | None
    """Why nothing of it may be given back, in a sentence."""

    @property
    def moved(self) -> int:
        """The points that it moved."""
        return self.movement.entry.points if self.movement.entry else self.movement.points

    @property
    def left(self) -> int:
        """The points that may be given back."""
        return self.movement.reversible_points

    @property
    def undone(self) -> int:
        """The points that reversals have undone, or will."""
        return self.movement.reversed_points


async def original(visit: Visit, movement: str) -> Original:
    """Asks the gateway for a movement and its reversals. Raises NotFoundError."""
    found = await visit.client.movements.get(movement, expand=_SIDES)
    return Original(found, await given_back(visit, found), _obstacle(found, visit.merchant))


def _obstacle(movement: Movement, merchant: str) -> str | None:
    if movement.object == "reversal":
        return _("This is a reversal itself: make the movement anew instead.")
    if not movement.is_final:
        return _("The chain has not confirmed it yet. Wait until it has settled, then give it back.")
    if not movement.is_settled:
        reason = sentence_of(movement.reason, movement.reason) if movement.reason else ""
        return _("It has moved nothing, so there is nothing to give back.") + (f" {reason}" if reason else "")
    if giver_of(movement) != merchant:
        around = movement.expanded
        other = around and (around.receiver or around.giver)
        name = other.name if other else _("the other merchant")
        return _("Only %(name)s, who took the points in, can give them back. Ask there.") % {"name": name}
    if not movement.reversible_points:
        return _("All of it was given back already.")
    return None
