"""What counts for tiers and tasks, in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from loyalty.earning.names import FEN
from pages.formats import count, listed, money
from pages.translations import gettext as _
from pages.translations import ngettext

_MEASURES: Final[Mapping[str, Callable[[int], str]]] = {
    "points": lambda number: _("%(points)s points from sales") % {"points": count(number)},
    "spend_fen": lambda number: money(number * FEN).striptags(),
    "litres": lambda number: f"{count(number)} {_('L')}",
    "visits": lambda number: ngettext("%(number)s visit", "%(number)s visits", number) % {"number": count(number)},
}


def measures_of(measures: Mapping[str, int]) -> list[str]:
    """What tiers count, each in words."""
    return [_MEASURES[name](number) for name, number in measures.items()]


def needed(measures: Mapping[str, int], reached_by: str) -> str:
    """What a level needs: any or all of it."""
    return listed(measures_of(measures), any_of=reached_by == "any")
