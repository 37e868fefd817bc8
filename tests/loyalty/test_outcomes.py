"""What the end of a movement means for its wish."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from loyalty.network.models import Wish, WishState
from loyalty.network.outcomes import settle
from tongdui import Movement

ENTRY = {
    "leaf": "0x" + "ab" * 32,
    "batch": 1,
    "index": 0,
    "points": 10,
    "out": 0,
    "settled_micros": 0,
    "fee_micros": 0,
    "tx_hash": "0x" + "cd" * 32,
    "block_number": 7,
    "settled_at": datetime(2026, 4, 15, tzinfo=UTC),
}


def after(state: str, *, can_expire: bool = True, original_id: str | None = None, **more: Any) -> Wish:
    """A wish that was sent, once its movement is in this state."""
    wish = Wish(id="wsh_1", kind="issue", reference="sale:1", points=10, state=WishState.SENDING, order_id="out_1")
    wish.original_id = original_id
    values = {
        "id": "iss_1",
        "object": "issuance",
        "order": "ord_1",
        "merchant": "mer_1",
        "program": "FUEL",
        "points": 10,
    }
    settle(wish, Movement.model_validate({**values, "state": state, **more}), can_expire=can_expire)
    return wish


@pytest.mark.parametrize("state", ["accepted", "submitted"])
def test_a_movement_that_is_not_decided_changes_nothing(state: str) -> None:
    wish = after(state)
    assert (wish.state, wish.order_id, wish.leaf) == (WishState.SENDING, "out_1", None)


def test_a_settled_movement_leaves_its_leaf() -> None:
    wish = after("settled", entry=ENTRY)
    assert (wish.state, wish.movement, wish.leaf, wish.tx_hash, wish.block_number, wish.settled_at) == (
        WishState.SETTLED,
        "iss_1",
        ENTRY["leaf"],
        ENTRY["tx_hash"],
        7,
        ENTRY["settled_at"],
    )


@pytest.mark.parametrize(
    ("state", "reason", "code"), [("rejected", "member_frozen", "member_frozen"), ("cancelled", None, "cancelled")]
)
def test_a_movement_that_the_chain_did_not_carry_out_is_refused(state: str, reason: str | None, code: str) -> None:
    wish = after(state, reason=reason)
    assert (wish.state, wish.refusal) == (WishState.REFUSED, code)
    assert wish.refusal_detail
    assert "iss_1" in wish.refusal_detail


def test_a_reversal_whose_points_were_spent_just_before_is_wished_for_again() -> None:
    wish = after("rejected", reason="insufficient_points", original_id="wsh_0")
    assert (wish.state, wish.order_id, wish.movement) == (WishState.WAITING, None, None)
    assert after("rejected", reason="insufficient_points").state is WishState.REFUSED


def test_a_movement_in_no_block_before_its_deadline_is_wished_for_again_once_our_clock_agrees() -> None:
    early = after("expired", can_expire=False)
    assert (early.state, early.order_id) == (WishState.SENDING, "out_1")
    late = after("expired")
    assert (late.state, late.order_id, late.movement) == (WishState.WAITING, None, None)
