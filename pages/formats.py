"""How points, money, times and ids are shown. Integers and fractions only: no float touches value."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from fractions import Fraction
from functools import cache

from babel import Locale
from babel.dates import format_date, format_datetime, format_time
from babel.lists import format_list
from babel.numbers import get_currency_symbol
from markupsafe import Markup, escape

from pages.presentation import local, presentation
from pages.translations import gettext as _

MICROS_DIGITS = 6
MICROS = 10**MICROS_DIGITS
MINUS = "\N{MINUS SIGN}"
_SHOWN_OF_ID = 6


_LOCALES = {"zh": Locale.parse("zh_Hans_CN"), "en": Locale.parse("en_GB")}
"""Parsed once: a page shows a hundred numbers and days."""


def _locale() -> Locale:
    return _LOCALES[presentation().language]


def count(number: int) -> str:
    """A whole number with separators, which are the same in both languages."""
    text = f"{abs(number):,}"
    return f"{MINUS}{text}" if number < 0 else text


def points(number: int, program: str | None = None, *, sign: bool = False) -> Markup:
    """Points with separators, and their program if it is given. `sign` writes a plus, too."""
    text = f"+{count(number)}" if sign and number > 0 else count(number)
    unit = Markup('<span class="unit">{}</span>').format(program) if program else Markup("")
    return Markup('<span class="nowrap">{}{}</span>').format(text, unit)


def decimal_of(micros: int, *, least: int = 2) -> str:
    """Micros in the currency's main unit with at least so many decimals, exactly, without a sign of currency."""
    whole, rest = divmod(abs(micros), MICROS)
    decimals = f"{rest:06d}".rstrip("0").ljust(least, "0")
    return f"{MINUS if micros < 0 else ''}{count(whole)}{'.' if decimals else ''}{decimals}"


def money(micros: int, *, sign: bool = False, currency: str | None = None) -> Markup:
    """Money as people read it: ¥1,234.50. What is below zero is marked as such; `sign` writes a plus, too."""
    symbol = _symbol(currency or presentation().currency)
    before = MINUS if micros < 0 else "+" if sign and micros > 0 else ""
    kind = " negative" if micros < 0 else ""
    return Markup('<span class="nowrap{}">{}{}{}</span>').format(kind, before, symbol, decimal_of(abs(micros)))


@cache
def _symbol(currency: str) -> str:
    return str(get_currency_symbol(currency, locale=_LOCALES["zh"]))


def rate(numerator: int, denominator: int) -> str:
    """A rate as a fraction and, where that is exact with few decimals, as a number."""
    value = Fraction(numerator, denominator)
    if value.denominator == 1:
        return count(value.numerator)
    scaled = value * 10_000
    if scaled.denominator == 1:
        whole, rest = divmod(int(scaled), 10_000)
        return f"{count(whole)}.{rest:04d}".rstrip("0")
    return f"{count(value.numerator)}/{count(value.denominator)}"


def basis_points(number: int) -> str:
    """Basis points as a percentage: 50 is 0.5%."""
    whole, rest = divmod(abs(number), 100)
    decimals = f".{rest:02d}".rstrip("0").rstrip(".")
    return f"{MINUS if number < 0 else ''}{whole}{decimals}%"


def moment(at: datetime | None, form: str = "medium") -> Markup:
    """A moment in the network's zone, with the exact moment in UTC as its title. `form`: short (today's hour), medium, long."""
    if at is None:
        return nothing()
    exact = at.astimezone(UTC)
    return Markup('<time datetime="{}" title="{} UTC">{}</time>').format(
        exact.isoformat().replace("+00:00", "Z"), exact.strftime("%Y-%m-%d %H:%M:%S"), _written(local(at), form)
    )


def _written(at: datetime, form: str) -> str:
    if form == "short":
        return str(format_time(at, "HH:mm:ss", locale=_locale()))
    if form == "long":
        pattern = "y年M月d日 HH:mm:ss Z" if presentation().language == "zh" else "d MMMM y HH:mm:ss Z"
        return str(format_datetime(at, pattern, tzinfo=at.tzinfo, locale=_locale()))
    pattern = "M月d日 HH:mm" if presentation().language == "zh" else "d MMM HH:mm"
    if at.year != datetime.now(at.tzinfo).year:  # noqa: TID251 (only how it is written)
        pattern = "y年M月d日 HH:mm" if presentation().language == "zh" else "d MMM y HH:mm"
    return str(format_datetime(at, pattern, tzinfo=at.tzinfo, locale=_locale()))


def day(on: date | None) -> Markup:
    """A day of the network."""
    if on is None:
        return nothing()
    return Markup('<time datetime="{}">{}</time>').format(on.isoformat(), format_date(on, "medium", locale=_locale()))


def listed(things: Iterable[str], *, any_of: bool = False) -> str:
    """Things in a sentence: a, b and c. `any_of`: a, b or c."""
    return str(format_list(list(things), style="or" if any_of else "standard", locale=_locale()))


def axis_day(on: date) -> str:
    """A day along the axis of a chart."""
    return str(format_date(on, "M-d" if presentation().language == "zh" else "d MMM", locale=_locale()))


def short(identifier: str) -> str:
    """An id or a hash, shortened so that both ends can be compared."""
    prefix, mark, rest = identifier.partition("_")
    if mark and len(rest) > 2 * _SHOWN_OF_ID:
        return f"{prefix}_{rest[:4]}…{rest[-_SHOWN_OF_ID:]}"
    if len(identifier) > 3 * _SHOWN_OF_ID:
        return f"{identifier[: _SHOWN_OF_ID + 2]}…{identifier[-_SHOWN_OF_ID:]}"
    return identifier


def nothing() -> Markup:
    """What stands where there is no value, also for a screen reader."""
    return Markup(
        '<span class="muted is-nothing" aria-hidden="true">—</span><span class="visually-hidden">{}</span>'
    ).format(escape(_("none")))
