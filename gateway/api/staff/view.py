"""People and their seats as the API shows them."""

from __future__ import annotations

from clearing.parties.names import Names
from clearing.parties.staff.models import Colleague, Person
from gateway.api.sessions.view import person_view, seat_view
from gateway.api.staff.schemas import StaffPersonView, StaffView


def staff_view(names: Names, found: Colleague) -> StaffView:
    """Somebody on a seat."""
    return StaffView(
        person=person_view(found.person),
        seat=seat_view(names, found.seat),
        disabled_at=found.person.disabled_at,
        disabled_by_network=found.person.disabled_by_network,
        since=found.seat.created_at,
        last_seen_at=found.last_seen_at,
    )


def staff_person_view(person: Person) -> StaffPersonView:
    """Somebody who may sign in, or not."""
    return StaffPersonView(
        **person_view(person).model_dump(),
        disabled_at=person.disabled_at,
        disabled_by_network=person.disabled_by_network,
    )
