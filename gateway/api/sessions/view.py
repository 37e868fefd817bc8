"""Sessions, people and seats as the API shows them."""

from __future__ import annotations

from collections.abc import Sequence

from clearing.parties.names import Names
from clearing.parties.staff.models import Occupied, Person, Seat
from clearing.parties.staff.sessions import Issued, SessionService
from gateway.api.sessions.schemas import PersonView, SeatView, SessionView, SignedInView
from gateway.http.context import Transacted


def person_view(person: Person) -> PersonView:
    """A person."""
    return PersonView(
        id=person.id,
        name=person.name,
        email=person.email,
        language=person.language,
        second_factor=person.has_second_factor,
    )


def seat_view(names: Names, seat: Seat) -> SeatView:
    """A seat."""
    number = seat.merchant_number
    return SeatView(
        id=seat.id,
        role=seat.title.role,
        title=seat.title,
        merchant=names.optional_merchant(number),
        merchant_name=names.optional_merchant_name(number),
    )


def session_view(names: Names, found: Occupied, seats: Sequence[Seat], token: str | None = None) -> SessionView:
    """A session, with its token if it has just begun."""
    return SessionView(
        id=found.session.id,
        token=token,
        person=person_view(found.person),
        seat=seat_view(names, found.seat),
        seats=[seat_view(names, seat) for seat in seats],
        restriction=found.session.restriction,
        created_at=found.session.created_at,
        expires_at=found.session.expires_at,
    )


def signed_in_view(names: Names, found: Occupied, current: str) -> SignedInView:
    """Where a person is signed in."""
    session = found.session
    return SignedInView(
        id=session.id,
        seat=seat_view(names, found.seat),
        method=session.method,
        second_factor=session.second_factor,
        address=session.address,
        user_agent=session.user_agent,
        created_at=session.created_at,
        last_seen_at=session.last_seen_at,
        expires_at=session.expires_at,
        is_current=session.id == current,
    )


def issued_view(call: Transacted, issued: Issued) -> SessionView:
    """A session that has just begun, with its token."""
    seats = SessionService(call.session).seats(issued.occupied.person.id)
    return session_view(call.names, issued.occupied, seats, issued.token)
