"""What whoever stands in the audit log is called."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy.orm import Session

from loyalty.people.service import PeopleService
from loyalty.staff.service import KeyService


def actor_names(session: Session, actors: Iterable[str]) -> dict[str, str]:
    """The names of people and keys, by id. The command line has none."""
    ids = set(actors)
    return PeopleService(session).names(ids) | KeyService(session).names(ids)
