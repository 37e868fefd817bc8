"""The kinds of fields: how each is shown, and how what was typed becomes a value. Digits may be full-width, as an input method
types them, and numbers may have separators."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import ClassVar

from starlette.datastructures import UploadFile

from pages.formats import MICROS_DIGITS
from pages.presentation import local, presentation
from pages.translations import Text as Label
from pages.translations import gettext as _

MAX_SAFE = 2**53 - 1
"""The most of anything that the gateway takes: what every reader of JSON reads exactly."""
_QUANTITY_DIGITS = 3
_MOST_DIGITS = 40
"""More digits are no number that anybody means, and Python refuses to read very many."""
_YEARS = (2000, 2999)
_WHOLE = re.compile(r"\d+", re.ASCII)
_DECIMAL = re.compile(r"\d+(\.\d+)?", re.ASCII)
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_SEPARATORS = re.compile(r"(?<=\d)[,\s](?=\d{3}(\D|$))")


_NARROW = {wide: wide - 0xFEE0 for wide in range(0xFF01, 0xFF5F)} | {ord("。"): "."}
"""Full-width signs, as the usual ones. Other digits are left alone: 10² is not 102."""


class Mistake(Exception):
    """What was typed cannot be taken; the message is a sentence for the person, in their language."""


Options = Iterable[tuple[str, Label]] | Mapping[str, Label]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Common:
    """What every field has."""

    hint: Label = ""
    required: bool = True
    pointer: str | None = None
    """Where the gateway's refusals point, such as `/unit_price_micros`. By default the field's own name."""
    autocomplete: str = "off"
    focus: bool = False
    """Whether the cursor is here when the page opens."""


@dataclass(frozen=True, slots=True)
class Field(_Common):
    """A field with a line of text. The others are made from it."""

    label: Label
    control: ClassVar[str] = "input"
    """The macro of templates/pages/forms.html that renders it."""
    type: ClassVar[str] = "text"
    inputmode: ClassVar[str | None] = None
    unit: ClassVar[str | None] = None

    @property
    def attributes(self) -> dict[str, str | int | bool | None]:
        """More attributes of its control."""
        return {
            "type": self.type,
            "inputmode": self.inputmode,
            "autocomplete": self.autocomplete,
            "autofocus": self.focus,
        }

    @property
    def shown_unit(self) -> Label | None:
        """What stands behind the control."""
        return self.unit

    def parse(self, text: str) -> object:
        """The value of what was typed, which is not empty. Raises Mistake."""
        return text

    def show(self, value: object) -> str:
        """What stands in the control for a value."""
        return "" if value is None else str(value)


@dataclass(frozen=True, slots=True)
class Text(Field):
    """A line of text."""

    longest: int = field(default=200, kw_only=True)

    @property
    def attributes(self) -> dict[str, str | int | bool | None]:
        """With its longest length."""
        return {**Field.attributes.fget(self), "maxlength": self.longest}  # type: ignore[attr-defined]

    def parse(self, text: str) -> str:
        """The text itself, if it is not too long."""
        if len(text) > self.longest:
            raise Mistake(_("Use at most %(number)s characters.") % {"number": self.longest})
        return text


@dataclass(frozen=True, slots=True)
class LongText(Text):
    """Several lines of text."""

    control: ClassVar[str] = "textarea"
    rows: int = field(default=4, kw_only=True)
    """How many lines are seen at once."""


@dataclass(frozen=True, slots=True)
class Hidden(Field):
    """A value that the person does not see. It is no secret, and may have been changed."""

    control: ClassVar[str] = "hidden"


@dataclass(frozen=True, slots=True)
class Secret(Field):
    """A password. It is never shown again, also not after a mistake."""

    type: ClassVar[str] = "password"

    def show(self, value: object) -> str:  # noqa: ARG002 (that it is not shown is the point)
        """Nothing."""
        return ""


@dataclass(frozen=True, slots=True)
class Email(Field):
    """An address of mail."""

    type: ClassVar[str] = "email"
    inputmode: ClassVar[str | None] = "email"

    def parse(self, text: str) -> str:
        """The address, if it looks like one."""
        if not _EMAIL.fullmatch(text):
            raise Mistake(_("Write an email address, such as name@example.com."))
        return text


@dataclass(frozen=True, slots=True)
class Whole(Field):
    """A whole number within limits."""

    least: int = field(default=0, kw_only=True)
    most: int = field(default=MAX_SAFE, kw_only=True)
    inputmode: ClassVar[str | None] = "numeric"

    def parse(self, text: str) -> int:
        """The number."""
        digits = plain_number(text)
        if not _WHOLE.fullmatch(digits):
            raise Mistake(_("Write a whole number, such as 1,000."))
        number = int(digits) if len(digits) <= _MOST_DIGITS else self.most + 1
        if not self.least <= number <= self.most:
            limits = {"least": f"{self.least:,}", "most": f"{self.most:,}"}
            raise Mistake(_("Write a number from %(least)s to %(most)s.") % limits)
        return number


@dataclass(frozen=True, slots=True)
class Points(Whole):
    """A number of points: at least one."""

    least: int = field(default=1, kw_only=True)
    program: Label | None = field(default=None, kw_only=True)

    @property
    def shown_unit(self) -> Label | None:
        """The program, or that it is points."""
        return self.program or _("points")


@dataclass(frozen=True, slots=True)
class Money(Field):
    """An amount in the currency's main unit; its value is micros."""

    least: int = field(default=1, kw_only=True)
    """In micros."""
    most: int = field(default=MAX_SAFE, kw_only=True)
    inputmode: ClassVar[str | None] = "decimal"

    @property
    def shown_unit(self) -> Label | None:
        """The currency."""
        return presentation().currency

    def parse(self, text: str) -> int:
        """The amount in micros."""
        micros = _scaled(text, MICROS_DIGITS)
        if micros is None:
            raise Mistake(_("Write an amount with at most six decimals, such as 1,234.50."))
        if micros < self.least:
            raise Mistake(_("The amount is too small."))
        if micros > self.most:
            raise Mistake(_("The amount is too large."))
        return micros

    def show(self, value: object) -> str:
        """The amount as it would be typed."""
        return _unscaled(value, MICROS_DIGITS, 2) if isinstance(value, int) else Field.show(self, value)


@dataclass(frozen=True, slots=True)
class Quantity(Field):
    """How much of something, with at most three decimals; its value is thousandths."""

    most: int = field(default=MAX_SAFE, kw_only=True)
    """In thousandths."""
    inputmode: ClassVar[str | None] = "decimal"

    def parse(self, text: str) -> int:
        """The quantity in thousandths."""
        number = _scaled(text, _QUANTITY_DIGITS)
        if number is None or number > self.most:
            raise Mistake(_("Write a quantity with at most three decimals, such as 38.2."))
        return number

    def show(self, value: object) -> str:
        """The quantity as it would be typed."""
        return _unscaled(value, _QUANTITY_DIGITS, 0) if isinstance(value, int) else Field.show(self, value)


@dataclass(frozen=True, slots=True)
class BasisPoints(Field):
    """A percentage with at most two decimals; its value is basis points."""

    unit: ClassVar[str | None] = "%"
    inputmode: ClassVar[str | None] = "decimal"
    most: int = field(default=10_000, kw_only=True)

    def parse(self, text: str) -> int:
        """The percentage in basis points."""
        number = _scaled(text.removesuffix("%").strip(), 2)
        if number is None or number > self.most:
            raise Mistake(_("Write a percentage with at most two decimals, such as 0.5."))
        return number

    def show(self, value: object) -> str:
        """The percentage as it would be typed."""
        return _unscaled(value, 2, 0) if isinstance(value, int) else Field.show(self, value)


@dataclass(frozen=True, slots=True)
class Ratio(Field):
    """A rate: a fraction such as 9/10, or a decimal number, which is exactly what it says."""

    def parse(self, text: str) -> Fraction:
        """The rate as a fraction."""
        parts = [plain_number(part) for part in text.replace(":", "/").split("/")]
        if not all(_DECIMAL.fullmatch(part) and len(part) <= _MOST_DIGITS for part in parts) or len(parts) > 2:
            raise Mistake(_("Write a rate such as 9/10 or 0.9."))
        numerator, denominator = Fraction(parts[0]), Fraction(parts[-1]) if len(parts) == 2 else Fraction(1)
        if not numerator or not denominator:
            raise Mistake(_("Write a rate above zero."))
        return numerator / denominator


@dataclass(frozen=True, slots=True)
class Choice(Field):
    """One of some options. They are given here or, where they depend on the request, with the form."""

    options: Options = field(default=(), kw_only=True)
    radio: bool = field(default=False, kw_only=True)
    """All of them side by side: for up to five."""
    control: ClassVar[str] = "choice"


@dataclass(frozen=True, slots=True)
class Choices(Field):
    """Any number of some options."""

    options: Options = field(default=(), kw_only=True)
    control: ClassVar[str] = "choices"


@dataclass(frozen=True, slots=True)
class Flag(Field):
    """Yes or no. With `required`, it must be yes: that somebody has understood what will happen."""

    required: bool = field(default=False, kw_only=True)
    control: ClassVar[str] = "flag"


@dataclass(frozen=True, slots=True)
class Day(Field):
    """A day of the network."""

    type: ClassVar[str] = "date"

    def parse(self, text: str) -> date:
        """The day."""
        found = day_of(text)
        if found is None:
            raise Mistake(_("Write a day, such as 2026-12-31."))
        return found


@dataclass(frozen=True, slots=True)
class Moment(Field):
    """A moment: typed in the network's zone, its value is in UTC."""

    type: ClassVar[str] = "datetime-local"

    def parse(self, text: str) -> datetime:
        """The moment."""
        try:
            typed = datetime.fromisoformat(text.translate(_NARROW)).replace(tzinfo=presentation().zone)
        except ValueError:
            typed = None
        if typed is None or not is_usual(typed):
            raise Mistake(_("Write a day and a time, such as 2026-12-31 18:00."))
        return typed.astimezone(UTC)

    def show(self, value: object) -> str:
        """The moment in the network's zone."""
        if not isinstance(value, datetime):
            return Field.show(self, value)
        return local(value).strftime("%Y-%m-%dT%H:%M")


@dataclass(frozen=True, slots=True)
class File(Field):
    """A file that is handed in; its value is an UploadFile."""

    accept: str = field(default="", kw_only=True)
    """What the browser offers, such as `.csv,.xml`."""
    largest: int = field(default=10_000_000, kw_only=True)
    control: ClassVar[str] = "file"

    def take(self, upload: UploadFile) -> UploadFile:
        """The file, if it has content and is not too long."""
        if not upload.size:
            raise Mistake(_("The file is empty."))
        if upload.size > self.largest:
            raise Mistake(_("The file is larger than %(size)s MB.") % {"size": self.largest // 1_000_000})
        return upload


def day_of(text: str) -> date | None:
    """The day that was typed; None if it is none, or so far away that nobody can mean it."""
    try:
        on = date.fromisoformat(text.translate(_NARROW).strip())
    except ValueError:
        return None
    return on if is_usual(on) else None


def is_usual(on: date) -> bool:
    """Whether a day is one of those with which everything reckons: days before and after it are days as well."""
    return _YEARS[0] <= on.year <= _YEARS[1]


def plain_number(text: str) -> str:
    """A number as a keyboard with an input method writes it, without separators."""
    return _SEPARATORS.sub("", text.translate(_NARROW).strip())


def _scaled(text: str, digits: int) -> int | None:
    """A decimal number as a whole number of its smallest unit; None if it is none, or finer."""
    plain = plain_number(text)
    if not _DECIMAL.fullmatch(plain) or len(plain) > _MOST_DIGITS:
        return None
    whole, _mark, decimals = plain.partition(".")
    decimals = decimals.rstrip("0")
    return int(whole + decimals.ljust(digits, "0")) if len(decimals) <= digits else None


def _unscaled(number: int, digits: int, least: int) -> str:
    whole, rest = divmod(abs(number), 10**digits)
    decimals = f"{rest:0{digits}d}".rstrip("0").ljust(least, "0")
    return f"{'-' if number < 0 else ''}{whole}{'.' if decimals else ''}{decimals}"
