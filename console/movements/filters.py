"""The filters of a list of movements. They live in the address, so a list can be kept, sent to a colleague and reloaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from pages.presentation import presentation
from pages.translations import gettext as _
from pages.translations import lazy

KINDS = {
    "issue": lazy("Issue"),
    "redeem": lazy("Redeem"),
    "exchange": lazy("Exchange"),
    "spend": lazy("Spend"),
    "transfer": lazy("Transfer"),
    "reverse": lazy("Reverse"),
    "expire": lazy("Expire"),
}
STATES = {
    "accepted": lazy("Accepted"),
    "submitted": lazy("On its way"),
    "settled": lazy("Settled"),
    "rejected": lazy("Rejected"),
    "expired": lazy("Too late"),
    "cancelled": lazy("Cancelled"),
}
DIRECTIONS = {"in": lazy("Points come in"), "out": lazy("Points go out")}

_CHOICES: Mapping[str, Mapping[str, object]] = {"kind": KINDS, "state": STATES, "direction": DIRECTIONS}
_TEXTS = ("counterparty", "member", "program", "reference", "original")
_DAYS = ("from", "to")
NAMES = (*_CHOICES, *_TEXTS, *_DAYS)
_LONGEST = 128


@dataclass(frozen=True, slots=True)
class Filters:
    """What was asked for: `typed` as it stands in the address, `asked` as the SDK takes it, `mistakes` by field."""

    typed: Mapping[str, str]
    asked: Mapping[str, Any] = field(default_factory=dict)
    mistakes: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_filtered(self) -> bool:
        """Whether anything was asked for."""
        return bool(self.typed)

    def __getitem__(self, name: str) -> str:
        return self.typed.get(name, "")


def read_filters(parameters: Mapping[str, str]) -> Filters:
    """The filters in an address. What cannot be meant is a mistake beside its field."""
    typed = {name: text for name in NAMES if (text := parameters.get(name, "").strip())}
    asked: dict[str, Any] = {}
    mistakes: dict[str, str] = {}
    for name, text in typed.items():
        if name in _CHOICES and text not in _CHOICES[name]:
            mistakes[name] = _("Choose one of those offered.")
        elif len(text) > _LONGEST or not text.isprintable():
            mistakes[name] = _("This is too long, or has characters that cannot be searched for.")
        elif name not in _DAYS:
            asked[name] = _member(text) if name == "member" else text
    asked |= read_days(typed, mistakes)
    return Filters(typed, asked, mistakes)


def read_days(typed: Mapping[str, str], mistakes: dict[str, str]) -> dict[str, Any]:
    """The days of an address as the SDK takes them; both of them count. What cannot be meant is added to the mistakes."""
    asked: dict[str, Any] = {}
    begin, end = (_day(name, typed.get(name), mistakes) for name in _DAYS)
    if begin and end and end < begin:
        mistakes["to"] = _("The last day is before the first one.")
    if begin:
        asked["created_from"] = _midnight(begin)
    if end:
        asked["created_before"] = _midnight(end) + timedelta(days=1)
    return asked


def _member(text: str) -> str:
    """A member's id as it is; everything else is a number of the merchant's own."""
    return text if text.startswith(("mem_", "external:")) else f"external:{text}"


def _day(name: str, text: str | None, mistakes: dict[str, str]) -> date | None:
    if text is None or name in mistakes:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or not 2000 <= day.year < 3000:
        mistakes[name] = _("Enter a day, such as 2026-11-26.")
        return None
    return day


def _midnight(day: date) -> datetime:
    """When a day of the network begins."""
    return datetime.combine(day, time(), presentation().zone)
