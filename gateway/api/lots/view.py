"""Lots, and points whose day has come or is near, as the API shows them."""

from __future__ import annotations

from clearing.ledger.availability.models import Hold
from clearing.ledger.lots.service import Lot
from clearing.ledger.lots.upcoming import Upcoming
from gateway.api.lots.schemas import DueView, LotView, UpcomingView
from gateway.http.context import Call


def lot_view(call: Call, lot: Lot) -> LotView:
    """A lot of an account."""
    day = call.gateway.network.date_of(lot.expiry_day) if lot.expiry_day else None
    return LotView(entry=lot.leaf, points=lot.points, expires_on=day)


def due_view(call: Call, hold: Hold) -> DueView:
    """Points of an account whose day has come."""
    program = call.names.program(hold.program)
    return DueView(member=hold.member_id, address=hold.address, program=program, points=hold.points)


def upcoming_view(call: Call, found: Upcoming) -> UpcomingView:
    """An account whose next points expire on a day."""
    return UpcomingView(
        member=found.member_id,
        address=found.place.address,
        program=call.names.program(found.place.program),
        points=found.points,
        expires_on=call.gateway.network.date_of(found.place.due_on),
    )
