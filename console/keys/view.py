"""API keys as the pages show them: whose work each is, and what is left of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from console.listing import complete
from console.rights import MAKE_KEYS, may
from console.visit import Visit
from pages.clock import now
from pages.translations import Text, lazy
from pages.translations import gettext as _
from tongdui import ApiKey

_PERSON = "staff:"
_STATES: dict[str, tuple[Text, str]] = {
    "revoked": (lazy("Revoked"), "bad"),
    "expired": (lazy("Ended"), "bad"),
    "good": (lazy("Good"), "good"),
}


class Row(NamedTuple):
    """A key in the list."""

    key: ApiKey
    abilities: list[str]
    state: tuple[Text, str]
    """What its state is called, and its tone."""

    @property
    def is_good(self) -> bool:
        """Whether it can be used, and so be revoked."""
        return self.state is _STATES["good"]


def state_of(key: ApiKey) -> tuple[Text, str]:
    """What a key's state is called, and its tone."""
    if key.revoked_at is not None:
        return _STATES["revoked"]
    return _STATES["expired" if _is_over(key) else "good"]


def living_below(root: ApiKey, keys: Sequence[ApiKey]) -> list[ApiKey]:
    """The keys that are revoked with this one: all that come from it, and can still be used."""
    below, found = {root.id}, []
    for key in reversed(keys):  # the oldest first: each comes after the one that made it
        if key.parent in below:
            below.add(key.id)
            if key.revoked_at is None and not _is_over(key):
                found.append(key)
    return found


async def makers_of(visit: Visit, keys: Sequence[ApiKey]) -> dict[str, str]:
    """What the makers of these keys are called: other keys by their names, people of the same place by theirs. Only whoever manages
    keys is told."""
    if not may(visit, MAKE_KEYS):
        return {}
    named = {key.id: key.name or key.id for key in keys}
    own = [one for one in keys if one.merchant == visit.seat.merchant]
    people = {one.created_by for one in own if one.created_by.startswith(_PERSON)}
    if people:
        there = await complete(visit.client.staff.list(page_size=200))
        named |= {f"{_PERSON}{one.person.id}": one.person.name for one in there}
        named |= dict.fromkeys(people - named.keys(), _("somebody who has no seat here now"))
    return named


def _is_over(key: ApiKey) -> bool:
    return key.expires_at is not None and key.expires_at <= now()
