"""What is called how on customers' pages: measures, states, tasks. Numbers are whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from loyalty.customers.models import IdentifierKind
from loyalty.earning.reasons import Text as Both
from loyalty.network.models import WishState
from loyalty.plans.fields import Name
from loyalty.tasks.goals import AnyGoal, AtOnce, Breadth, InSum, Streak, Visits
from pages.formats import MICROS, count, money
from pages.presentation import presentation
from pages.translations import Text, lazy, ngettext
from pages.translations import gettext as _

_FEN: Final = MICROS // 100
KINDS: Final[Mapping[IdentifierKind, Text]] = {
    IdentifierKind.CARD: lazy("Card"),
    IdentifierKind.PHONE: lazy("Phone"),
    IdentifierKind.PLATE: lazy("Plate"),
}
STATES: Final[Mapping[WishState, tuple[Text, str]]] = {
    WishState.WAITING: (lazy("Being booked"), "info"),
    WishState.SENDING: (lazy("Being booked"), "info"),
    WishState.SETTLED: (lazy("Booked"), "good"),
    WishState.REFUSED: (lazy("Being looked into"), "warn"),
    WishState.RETRIED: (lazy("Being booked"), "info"),
    WishState.WRITTEN_OFF: (lazy("Not booked"), ""),
    WishState.SET_OFF: (lazy("Set off against what was owed"), ""),
}


def said(both: Name | Both | Any) -> str:
    """A text of the programme in the language of whoever reads."""
    return str(both.zh if presentation().language == "zh" else both.en)


def measured(name: str, number: int) -> str:
    """So much of what a tier counts: 120 L, 3 visits."""
    match name:
        case "spend_fen":
            return str(money(number * _FEN).striptags())
        case "litres":
            return _("%(num)s L") % {"num": count(number)}
        case "visits":
            return ngettext("%(num)s visit", "%(num)s visits", number) % {"num": count(number)}
    return ngettext("%(num)s point", "%(num)s points", number) % {"num": count(number)}


def counted(goal: AnyGoal, number: int) -> str:
    """So much of what a task counts: 2 days, 40 L."""
    match goal:
        case Streak():
            words = ngettext("%(num)s day running", "%(num)s days running", number)
        case Visits(of="days"):
            words = ngettext("%(num)s day", "%(num)s days", number)
        case Visits():
            words = ngettext("%(num)s visit", "%(num)s visits", number)
        case AtOnce():
            words = ngettext("%(num)s time", "%(num)s times", number)
        case Breadth(of="stations"):
            words = ngettext("%(num)s station", "%(num)s stations", number)
        case Breadth():
            words = ngettext("%(num)s kind of goods", "%(num)s kinds of goods", number)
        case InSum(measure="litres"):
            words = _("%(num)s L")
        case InSum(measure="kwh"):
            words = _("%(num)s kWh")
        case InSum(measure="yuan"):
            return str(money(number * MICROS).striptags())
        case _:
            words = ngettext("%(num)s piece", "%(num)s pieces", number)
    return words % {"num": count(number)}


def reached(goal: AnyGoal, number: int) -> str:
    """How far a task is, before the words of its whole: 2 of 3 days running."""
    return counted(goal, number) if isinstance(goal, InSum) and goal.measure == "yuan" else count(number)


GLOBALS: Final[Mapping[str, Any]] = {
    "counted": counted,
    "kind_name": lambda kind: str(KINDS[kind]),
    "measured": measured,
    "reached": reached,
    "said": said,
    "state_name": lambda state: str(STATES[state][0]),
    "state_tone": lambda state: STATES[state][1],
}
"""What every template may call."""
