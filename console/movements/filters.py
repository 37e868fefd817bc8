"""The filters of the list of movements."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from console.kinds import DIRECTIONS, KINDS, STATES
from console.naming import reference_of
from pages.filters import Filters, read_filters

_CHOICES = {"kind": KINDS, "state": STATES}
_TEXTS = dict.fromkeys(("counterparty", "member", "program", "reference", "original"), 128)


def filters_of(parameters: Mapping[str, str], *, is_one_sides: bool = True) -> Filters:
    """The filters in an address. Only movements of one merchant have a direction (`is_one_sides`)."""
    choices = _CHOICES | ({"direction": DIRECTIONS} if is_one_sides else {})
    return read_filters(parameters, choices=choices, texts=_TEXTS, days=True)


def asked_of(filters: Filters) -> dict[str, Any]:
    """The filters as the SDK takes them."""
    asked = {**filters.asked, **filters.moments}
    if "member" in filters.asked:
        asked["member"] = _member(filters.asked["member"])
    return asked


def _member(text: str) -> str:
    """A member's id as it is; everything else is a number of the merchant's own."""
    return text if text.startswith("external:") else reference_of(text)
