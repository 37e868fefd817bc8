"""What is typed about sales: the right sale in the place of a wrong one, whose a sale is, and why."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from loyalty.intake.documents import SentSale
from loyalty.intake.group import document_of
from loyalty.pages.names import UNITS, quantity
from loyalty.pages.reasons import Because
from loyalty.pages.search import BY_ID, KNOWN_BY
from loyalty.sales.kept import sale_of
from loyalty.sales.models import RecordedSale
from loyalty.sales.types import LARGEST_AMOUNT_MICROS, LARGEST_QUANTITY_MILLI, InvalidField, Line
from pages.formats import moment, money
from pages.forms import BoundField, Choice, Day, Field, Moment, Money, Quantity, Text
from pages.translations import gettext as _
from pages.translations import lazy

_MORE_LINES: Final = 2
_NUMBER = re.compile(r"[^\s:~]+")
_WHEN_AND_WHOSE = ("till", "business_day", "time", "kind", "value")
_PARTS = ("article", "category", "quantity_milli", "unit", "amount_micros")


class Whose(Because):
    """Whose a sale is."""

    ids = "w-"
    kind = Choice(lazy("Known by"), options=KNOWN_BY)
    value = Text(lazy("Number"), longest=80, pointer="/customer")


class Again(Because):
    """Why a sale is evaluated again."""

    ids = "e-"


@dataclass(frozen=True, slots=True)
class Fold:
    """Fields that stay out of sight until somebody wants to change them.

    Attributes:
        title: What they are about.
        said: What the wrong sale has there; nothing for a further line.
        fields: The fields.
    """

    title: str
    said: str
    fields: list[BoundField]

    @property
    def is_open(self) -> bool:
        """Whether something of it is wrong."""
        return any(one.error for one in self.fields)


class Correction(Because):
    """The right sale. `correction_of` adds the fields of its lines."""

    number = Text(
        lazy("Number"),
        longest=32,
        pointer="/right/number",
        hint=lazy("The right sale's own: the wrong one keeps its number"),
    )
    till = Text(lazy("Till"), longest=12, required=False, pointer="/right/till")
    business_day = Day(lazy("Business day"), pointer="/right/business_day")
    time = Moment(lazy("Time"), pointer="/right/time")
    kind = Choice(lazy("Customer known by"), options=KNOWN_BY)
    value = Text(
        lazy("Customer"),
        longest=80,
        required=False,
        pointer="/right/customer",
        hint=lazy("Leave it empty if it was nobody's"),
    )

    def check(self) -> None:
        """What can be part of a document number, and lines that are whole or left out."""
        super().check()
        for name in ("number", "till"):
            if self.values[name] and not _NUMBER.fullmatch(self.values[name]):
                self.refuse(name, _("Use no spaces, and none of : ~"))
        if not self.errors and not [*self._lines()] and not self.errors:
            self.refuse("article_1", _("A sale has one line at least."))

    @property
    def always_shown(self) -> list[BoundField]:
        """What every correction has of its own."""
        return [self[name] for name in ("reason", "number")]

    @property
    def folds(self) -> list[Fold]:
        """All else: whose it was and when, and each line."""
        was = self.initial
        said = " · ".join(filter(None, (moment(was["time"]).striptags(), was["till"], was["value"])))
        folds = [Fold(_("Till, day, time and customer"), said, [self[name] for name in _WHEN_AND_WHOSE])]
        at = 1
        while f"article_{at}" in self.fields:
            title = _("Line %(number)s") % {"number": at}
            folds.append(Fold(title, self._line_said(at), [self[f"{name}_{at}"] for name in _PARTS]))
            at += 1
        return folds

    def _line_said(self, at: int) -> str:
        was: dict[str, Any] = {name: self.initial.get(f"{name}_{at}") for name in _PARTS}
        if was["article"] is None:
            return ""
        return f"{was['article']} · {quantity(was['quantity_milli'], was['unit'])} · {money(was['amount_micros']).striptags()}"

    @property
    def lines(self) -> tuple[Line, ...]:
        """The lines that are filled in."""
        return tuple(self._lines())

    def _lines(self) -> Iterator[Line]:
        at = 1
        while f"article_{at}" in self.fields:
            typed = {name: self.values[f"{name}_{at}"] for name in _PARTS}
            if typed["article"]:
                missing = [name for name in _PARTS if typed[name] is None and name != "category"]
                for name in missing:
                    self.refuse(f"{name}_{at}", _("Fill this in, or take the article away."))
                if not missing:
                    try:
                        yield Line(number=at, **typed | {"category": typed["category"] or ""})
                    except InvalidField as error:
                        self.refuse(f"{error.field.partition('.')[2]}_{at}", _("This cannot be meant."))
            at += 1

    def right(self, wrong: RecordedSale, customer: str | None) -> SentSale:
        """The right sale at the wrong one's station, with its weather. Seconds that nobody types stay as they were."""
        values = self.values
        document = document_of(wrong)._replace(
            business_day=values["business_day"], till=values["till"] or "", number=values["number"]
        )
        is_same_time = values["time"] == wrong.sold_at.replace(second=0, microsecond=0)
        return SentSale(
            document=document,
            time=wrong.sold_at if is_same_time else values["time"],
            lines=self.lines,
            weather=sale_of(wrong.content).weather,
            customer=customer,
        )


def correction_of(wrong: RecordedSale, **sent: Any) -> Correction:
    """The form that corrects a sale: it begins as the sale was, with a number of its own and room for further lines."""
    fields: dict[str, Field] = {}
    initial: dict[str, Any] = {
        "number": _next_number(wrong.number),
        "till": wrong.till,
        "business_day": wrong.business_day.isoformat(),
        "time": wrong.sold_at,
        "kind": BY_ID,
        "value": wrong.customer_id,
    }
    kept = {line["number"]: line for line in wrong.lines}
    for at in range(1, max(kept) + _MORE_LINES + 1):
        fields |= _fields_of(at)
        initial |= {f"{name}_{at}": kept[at][name] for name in _PARTS if at in kept}
    made: type[Correction] = type("CorrectionOfLines", (Correction,), fields)
    return made(initial, **sent)


def _fields_of(at: int) -> dict[str, Field]:
    number = {"number": at}
    return {
        f"article_{at}": Text(_("Line %(number)s: article") % number, longest=40, required=False),
        f"category_{at}": Text(_("Line %(number)s: category") % number, longest=40, required=False),
        f"quantity_milli_{at}": Quantity(
            _("Line %(number)s: quantity") % number, most=LARGEST_QUANTITY_MILLI, required=False
        ),
        f"unit_{at}": Choice(_("Line %(number)s: unit") % number, options=UNITS, required=False),
        f"amount_micros_{at}": Money(
            _("Line %(number)s: amount") % number, least=0, most=LARGEST_AMOUNT_MICROS, required=False
        ),
    }


def _next_number(number: str) -> str:
    """The number of the sale with its next correction: 118, 118-2, 118-3."""
    base, mark, last = number.rpartition("-")
    return f"{base}-{int(last) + 1}" if mark and last.isascii() and last.isdigit() else f"{number}-2"
