"""The filters of a list. They live in the address, so a list can be kept, sent to a colleague and reloaded."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from pages.forms import day_of
from pages.presentation import presentation
from pages.translations import gettext as _

FIRST_DAY, LAST_DAY = "from", "to"


@dataclass(frozen=True, slots=True)
class Filters:
    """What was asked for: `typed` as it stands in the address, `asked` what of it has a meaning, `mistakes` by field."""

    typed: Mapping[str, str]
    asked: Mapping[str, Any] = field(default_factory=dict)
    mistakes: Mapping[str, str] = field(default_factory=dict)
    first_day: date | None = None
    last_day: date | None = None
    """Days of the network; both of them count."""

    @property
    def is_filtered(self) -> bool:
        """Whether anything was asked for."""
        return bool(self.typed)

    @property
    def status(self) -> int:
        """The HTTP status of a page that shows the list: 422 if it was not searched."""
        return 422 if self.mistakes else 200

    def __getitem__(self, name: str) -> str:
        return self.typed.get(name, "")

    @property
    def end_day(self) -> date | None:
        """The first day that is left out."""
        return self.last_day + timedelta(days=1) if self.last_day else None

    @property
    def moments(self) -> dict[str, Any]:
        """The days as moments of creation, as lists of the SDK take them."""
        days = {"created_from": self.first_day, "created_before": self.end_day}
        return {name: start_of(on) for name, on in days.items() if on is not None}


def read_filters(
    parameters: Mapping[str, str],
    *,
    choices: Mapping[str, Collection[str]] | None = None,
    texts: Mapping[str, int] | None = None,
    days: bool = False,
) -> Filters:
    """The filters in an address. What cannot be meant is a mistake beside its field.

    Args:
        parameters: Those of the address.
        choices: Filters that are one of some options.
        texts: Filters by a text, with the length that the gateway lets it have.
        days: Whether days can be asked for: `from` and `to`.
    """
    choices, texts = choices or {}, texts or {}
    names = (*choices, *texts, *((FIRST_DAY, LAST_DAY) if days else ()))
    typed = {name: text for name in names if (text := parameters.get(name, "").strip())}
    mistakes: dict[str, str] = {}
    for name, text in typed.items():
        if name in choices and text not in choices[name]:
            mistakes[name] = _("Choose one of those offered.")
        elif name in texts and (len(text) > texts[name] or not text.isprintable()):
            mistakes[name] = _("This is too long, or has characters that cannot be searched for.")
    first, last = (_day(name, typed, mistakes) for name in (FIRST_DAY, LAST_DAY))
    if first and last and last < first:
        mistakes[LAST_DAY] = _("The last day is before the first one.")
    asked = {name: text for name, text in typed.items() if name not in mistakes and name not in (FIRST_DAY, LAST_DAY)}
    return Filters(typed, asked, mistakes, first, last)


def start_of(on: date) -> datetime:
    """The moment at which a day of the network begins."""
    return datetime.combine(on, time(), presentation().zone)


def _day(name: str, typed: Mapping[str, str], mistakes: dict[str, str]) -> date | None:
    if name not in typed:
        return None
    found = day_of(typed[name])
    if found is None:
        mistakes[name] = _("Enter a day, such as 2026-11-26.")
    return found
