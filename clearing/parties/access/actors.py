"""How the actor of an event is written if it is a person; a key's is its id, and a process has a name."""

from __future__ import annotations

_PERSON = "staff:"
_KEY = "key_"


def person_actor(person_id: str) -> str:
    """The actor of what a person does, whatever session it has."""
    return f"{_PERSON}{person_id}"


def is_key(actor: str) -> bool:
    """Whether an API key acted."""
    return actor.startswith(_KEY)


def person_of(actor: str) -> str | None:
    """The id of the person who acted; None for a key or a process."""
    return actor.removeprefix(_PERSON) if actor.startswith(_PERSON) else None
