"""Holds as people are shown them: whole, in JSON. The API's view and the events of holds are made of this."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from clearing.kit.identity import NetworkIdentity
from clearing.ledger.availability.models import Hold
from clearing.ordering.orders.facts import moment
from clearing.parties.names import Names


def hold_facts(hold: Hold, names: Names, network: NetworkIdentity, at: datetime) -> dict[str, Any]:
    """A hold in its state of this moment."""
    return {
        "id": hold.id,
        "state": str(hold.state_at(at)),
        "merchant": names.merchant(hold.merchant_number),
        "member": hold.member_id,
        "member_address": hold.address,
        "program": names.program(hold.program),
        "agreement": names.agreement(hold.agreement),
        "points": hold.points,
        "captured": hold.captured,
        "order": hold.order_id,
        "movement": hold.movement_id,
        "reference": hold.reference,
        "taken_on": network.date_of(network.day_of_moment(hold.created_at)).isoformat(),
        "expires_at": moment(hold.expires_at),
        "ended_at": moment(hold.ended_at),
        "created_at": moment(hold.created_at),
    }
