"""Who is calling: the bearer of an API key (`tdk_...`), or a person who is signed in (`tds_...`)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy.orm import Session

from clearing.parties.access.actors import person_of
from clearing.parties.access.models import Role
from clearing.parties.access.service import AccessService, Caller
from clearing.parties.staff.repository import PersonRepository, SeatRepository
from clearing.parties.staff.sessions import SessionService


def bearer_of(session: Session, token: str) -> Caller | None:
    """Whose token this is, or None."""
    if token.startswith("tds_"):
        return SessionService(session).bearer_of(token)
    return AccessService(session).authenticate(token)


def note_uses(session: Session, keys: Mapping[str, datetime], sessions: Mapping[str, datetime]) -> None:
    """Notes when API keys, and people's sessions, were used, by their ids."""
    if keys:
        AccessService(session).note_uses(keys)
    if sessions:
        SessionService(session).note_uses(sessions)


def is_live(session: Session, caller: Caller) -> bool:
    """Whether the caller's key is neither revoked nor expired; or the person is still signed in, on the same seat."""
    if caller.person_id is None:
        return bool(AccessService(session).live([caller.key_id]))
    return caller in SessionService(session).live([caller.key_id])


def may_still(session: Session, actor: str, role: Role) -> bool:
    """Whether whoever acted could do so now: its key is not revoked; or the person may sign in, and has a seat with this role."""
    person_id = person_of(actor)
    if person_id is None:
        return actor in AccessService(session).live([actor])
    person = PersonRepository(session).by_id(person_id)
    seats = SeatRepository(session).at(person_id, None)
    return person is not None and person.disabled_at is None and any(seat.title.role is role for seat in seats)


def live(session: Session, callers: Collection[Caller]) -> set[Caller]:
    """Those of these callers of whom this is true, looked up together."""
    programs = {caller.key_id: caller for caller in callers if caller.person_id is None}
    people = [caller.key_id for caller in callers if caller.person_id is not None]
    found = {programs[key_id] for key_id in AccessService(session).live(programs)} if programs else set()
    return found | (SessionService(session).live(people) & set(callers) if people else set())
