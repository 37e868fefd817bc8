"""Holds as the API shows them."""

from __future__ import annotations

from clearing.ledger.availability.models import Hold
from clearing.ordering.holds.facts import hold_facts
from gateway.api.holds.schemas import HoldView
from gateway.http.context import Call


def hold_view(call: Call, hold: Hold) -> HoldView:
    """A hold in its state of this moment."""
    return HoldView.model_validate(hold_facts(hold, call.names, call.gateway.network, call.clock.now()))
