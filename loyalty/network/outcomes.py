"""What becomes of a wish when the chain has decided its movement."""

from __future__ import annotations

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
    if movement.is_settled and movement.entry is not None:
        entry = movement.entry
        wish.state, wish.leaf, wish.tx_hash = WishState.SETTLED, entry.leaf, entry.tx_hash
        wish.block_number, wish.settled_at = entry.block_number, entry.settled_at
    elif movement.state == "expired":
        if can_expire:
            wish.state, wish.order_id, wish.movement = WishState.WAITING, None, None
    elif movement.is_final and wish.original_id is not None and movement.reason == SPENT:
        wish.state, wish.order_id, wish.movement = WishState.WAITING, None, None
    elif movement.is_final:
        reason = movement.reason or movement.state
        refuse(wish, reason, f"the chain did not carry out {movement.id}: {reason}")
