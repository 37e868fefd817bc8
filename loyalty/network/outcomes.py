"""What becomes of a wish when the chain has decided its movement."""

from __future__ import annotations

from typing import Any

from loyalty.network.models import Wish, WishState
from loyalty.network.wishes import refuse
from tongdui import Movement

SPENT = "insufficient_points"
"""The network's code for a reversal whose points are spent."""


def settle(wish: Wish, movement: Movement, *, can_expire: bool) -> None:
    """Books a movement's end in its wish; nothing while there is none.

    A movement that came into no block before its deadline can never take effect: the wish is sent again. `can_expire` says whether
    the deadline is over by our own clock, too. A reversal whose points were spent just before it is sent again as well: then the
    network says beforehand that they are missing.
    """
    wish.movement = movement.id
    if (outcome := settlement(movement)) is not None:
        for name, value in outcome.items():
            setattr(wish, name, value)
    elif movement.state == "expired":
        if can_expire:
            wish.state, wish.order_id, wish.movement = WishState.WAITING, None, None
    elif movement.is_final and wish.original_id is not None and movement.reason == SPENT:
        wish.state, wish.order_id, wish.movement = WishState.WAITING, None, None
    elif movement.is_final:
        reason = movement.reason or movement.state
        refuse(wish, reason, f"the chain did not carry out {movement.id}: {reason}")


def settlement(movement: Movement) -> dict[str, Any] | None:
    """What a wish says once its movement is settled, by column; None as long as it is not."""
    entry = movement.entry
    if not movement.is_settled or entry is None:
        return None
    return {
        "state": WishState.SETTLED,
        "movement": movement.id,
        "leaf": entry.leaf,
        "tx_hash": entry.tx_hash,
        "block_number": entry.block_number,
        "settled_at": entry.settled_at,
    }
