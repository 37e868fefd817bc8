"""Holds as the API shows them."""

from __future__ import annotations

from clearing.ledger.availability.models import Hold
from gateway.api.holds.schemas import HoldView
from gateway.http.context import Call


def hold_view(call: Call, hold: Hold) -> HoldView:
    """A hold in its state of this moment."""
    network = call.gateway.network
    return HoldView(
        id=hold.id,
        state=hold.state_at(call.clock.now()),
        merchant=call.names.merchant(hold.merchant_number),
        member=hold.member_id,
        member_address=hold.address,
        program=call.names.program(hold.program),
        agreement=call.names.agreement(hold.agreement),
        points=hold.points,
        captured=hold.captured,
        order=hold.order_id,
        movement=hold.movement_id,
        reference=hold.reference,
        taken_on=network.date_of(network.day_of_moment(hold.created_at)),
        expires_at=hold.expires_at,
        ended_at=hold.ended_at,
        created_at=hold.created_at,
    )
