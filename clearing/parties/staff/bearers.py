"""Who is calling: the bearer of an API key (`tdk_...`), or a person who is signed in (`tds_...`)."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy.orm import Session

from clearing.parties.access.service import AccessService, Caller
from clearing.parties.staff.sessions import Bearer, SessionService


def bearer_of(session: Session, token: str) -> Bearer | None:
    """Whose token this is, or None."""
    if token.startswith("tds_"):
        return SessionService(session).bearer_of(token)
    caller = AccessService(session).authenticate(token)
    return Bearer(caller) if caller is not None else None


def is_live(session: Session, caller: Caller) -> bool:
    """Whether the caller's key is not revoked; or the person is still signed in, on the same seat."""
    if caller.person_id is None:
        return AccessService(session).is_live(caller)
    return caller in SessionService(session).live([caller.key_id])


def live(session: Session, callers: Collection[Caller]) -> set[Caller]:
    """Those of these callers of whom this is true, looked up together."""
    programs = {caller.key_id: caller for caller in callers if caller.person_id is None}
    people = [caller.key_id for caller in callers if caller.person_id is not None]
    found = {programs[key_id] for key_id in AccessService(session).live(programs)} if programs else set()
    return found | (SessionService(session).live(people) & set(callers) if people else set())
