"""The levels of the tier scheme that is in force, by name."""

from __future__ import annotations

from loyalty.kit.database import clock_of
from loyalty.pages.names import said
from loyalty.pages.visit import Visit
from loyalty.tiers.service import TierSchemeService, scheme_of


def level_options(visit: Visit) -> list[tuple[str, str]]:
    """The levels that customers have today, from the lowest to the highest: their ids and names."""
    live = TierSchemeService(visit.session).in_force_at(clock_of(visit.session).now())
    return [] if live is None else [(level.id, said(level.name)) for level in scheme_of(live).levels]


def level_names(visit: Visit, levels: tuple[str, ...] | None) -> list[str]:
    """What levels are called. One that there is not today is called by its id."""
    names = dict(level_options(visit))
    return [names.get(level, level) for level in levels or ()]
