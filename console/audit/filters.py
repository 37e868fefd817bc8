"""The filters of the audit log. They live in the address."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from console.movements.filters import Filters, read_days
from pages.translations import gettext as _

_LONGEST = {"actor": 40, "type": 64, "subject": 66}
"""Filters by a text, and how long the gateway lets it be."""


def read_filters(parameters: Mapping[str, str]) -> Filters:
    """The filters in an address. What cannot be meant is a mistake beside its field."""
    typed = {name: text for name in (*_LONGEST, "from", "to") if (text := parameters.get(name, "").strip())}
    asked: dict[str, Any] = {}
    mistakes: dict[str, str] = {}
    for name, longest in _LONGEST.items():
        text = typed.get(name, "")
        if len(text) > longest or not text.isprintable():
            mistakes[name] = _("This is too long, or has characters that cannot be searched for.")
        elif text:
            asked[name] = text
    asked |= read_days(typed, mistakes)
    return Filters(typed, asked, mistakes)
