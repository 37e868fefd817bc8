"""Finds how a file writes numbers: its decimal sign, thousands, currency signs, negatives and bare fractions."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

_SIGNS = r"HK\$|US\$|NT\$|RMB|CNY|EUR|USD|GBP|CHF|HKD|JPY|Rs\.?|kr\.?|zł|Kč|[¥￥€$£₽₹₩฿₫₺]|元|円|块"
_BODY = r"(?:\d{1,3}(?:[.,' ’\u00a0\u2009\u202f]\d{3}){1,4}(?:[.,]\d{1,9})?|\d{1,15}(?:[.,]\d{1,9})?|[.,]\d{1,9})"
_NUMBER = re.compile(
    rf"(?P<open>\()?\s*(?P<lead>[-+])?\s*(?P<before>{_SIGNS})?\s*(?P<inner>[-+])?\s*(?P<body>{_BODY})"
    rf"\s*(?P<trail>[-+])?\s*(?P<after>{_SIGNS})?\s*(?P<close>\))?",
    re.IGNORECASE,
)
_SYMBOL = r"[^\w\s.,()'+%‰\ufffd\u2010-\u2015\u2212\uff0b\uff0d-]{1,2}"
"""A sign that says nothing about a number: no plus, no minus of any kind, no percent."""
_AFFIXED = re.compile(
    rf"(?P<before>[^\W\d_]{{1,4}}|{_SYMBOL})?\s*[-+]?{_BODY}-?\s*(?P<after>[^\W\d_]{{1,6}}|{_SYMBOL})?"
)
_SAME = {"\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u2019": "'"}
"""What a mapping writes for other characters that separate thousands."""
_GROUPS = ".,' \u00a0\u2009\u202f’"


@dataclass(frozen=True, slots=True)
class NumberForms:
    """How a file writes numbers, as [numbers] has it.

    Attributes:
        decimal: The decimal sign.
        thousands: What separates thousands, or nothing.
        currency: The signs before or behind amounts.
        negative: The ways a negative number is marked.
        bare_fraction: Whether `.50` occurs.
        question: What the numbers leave open, as a sentence, or nothing.
        examples: A number of the file for each setting.
    """

    decimal: str = "."
    thousands: str = ""
    currency: tuple[str, ...] = ()
    negative: tuple[str, ...] = ()
    bare_fraction: bool = False
    question: str = ""
    examples: Mapping[str, str] = field(default_factory=dict)

    def decimals_of(self, text: str) -> int:
        """How many decimals a number has."""
        found = shape_of(text)
        return len(found["body"].rpartition(self.decimal)[2]) if found and self.decimal in found["body"] else 0

    def value_of(self, text: str) -> Decimal | None:
        """What a number is, or None for what is no number."""
        found = shape_of(text)
        if found is None:
            return None
        body = found["body"]
        for sign in _GROUPS:
            if sign != self.decimal:
                body = body.replace(sign, "")
        try:
            value = Decimal(body.replace(self.decimal, "."))
        except InvalidOperation:
            return None
        negative = found["open"] or any((found[name] or "+") != "+" for name in ("lead", "inner", "trail"))
        return -value if negative else value


def shape_of(text: str) -> re.Match[str] | None:
    """A number taken apart, or None for what is no number in any of the forms.

    Args:
        text: A field of the file.

    Returns:
        The match: `open` and `close` brackets, signs `lead`, `inner` and `trail`, currency `before` and `after`, and `body`.
    """
    found = _NUMBER.fullmatch(text)
    if found is None or bool(found["open"]) != bool(found["close"]):
        return None
    return found


def affixes_of(values: Iterable[str]) -> tuple[str, ...]:
    """What stands before or behind the numbers of a column that are no currency signs, such as the L of `32.10L`.

    Args:
        values: The values of a column that holds numbers by its name.

    Returns:
        The affixes, if at least half of the values have one. A few would be mistakes.
    """
    texts = [text for text in values if text]
    found = [match for text in texts if shape_of(text) is None and (match := _AFFIXED.fullmatch(text)) is not None]
    if len(found) * 2 < len(texts):
        return ()
    return tuple(Counter(part for match in found for part in (match["before"], match["after"]) if part))


@dataclass(slots=True)
class _Votes:
    """What the numbers of a file say about its signs."""

    decimal: Counter[str] = field(default_factory=Counter)
    thousands: Counter[str] = field(default_factory=Counter)
    either: Counter[str] = field(default_factory=Counter)
    """Signs before exactly three last digits: `1.262` and `1,262` are one number or another."""
    example: dict[str, str] = field(default_factory=dict)
    currency: Counter[str] = field(default_factory=Counter)
    negative: Counter[str] = field(default_factory=Counter)
    bare: int = 0

    def add(self, text: str) -> None:
        """Count one number."""
        found = shape_of(text)
        if found is None:
            return
        self._signs(found["body"], text)
        signs = [found[name] for name in ("before", "after") if found[name]]
        self.currency.update(signs)
        ways = {
            "parentheses": found["open"],
            "trailing": found["trail"],
            "leading": found["lead"] or found["inner"],
        }
        self.negative.update(way for way, there in ways.items() if there)
        self.bare += found["body"][0] in ".,"
        self._keep("currency", text, there=bool(signs))
        self._keep("negative", text, there=bool(ways["parentheses"] or ways["trailing"]))
        self._keep("bare_fraction", text, there=found["body"][0] in ".,")

    def _keep(self, setting: str, text: str, *, there: bool) -> None:
        if there:
            self.example.setdefault(setting, text)

    def _signs(self, body: str, text: str) -> None:
        signs = [mark for mark in body if not mark.isdigit()]
        if not signs:
            return
        last = signs[-1]
        behind = len(body) - body.rindex(last) - 1
        if len(set(signs)) > 1:
            self.decimal[last] += 1
            self.thousands.update(set(signs[:-1]))
        elif len(signs) > 1 or last not in ".,":
            self.thousands[last] += 1
        elif behind == 3 and body[0] not in "0.,":
            self.either[last] += 1
            self.example.setdefault(last, text)
            return
        else:
            self.decimal[last] += 1
        self._keep("thousands", text, there=len(signs) > 1 or last not in ".,")
        self._keep("decimal", text, there=last in ".," and signs.count(last) == 1)


def detect_numbers(values: Iterable[str], delimiter: str = ",") -> NumberForms:
    """Find how a file writes numbers.

    Args:
        values: The values of all its columns of numbers.
        delimiter: What separates its fields: a file with semicolons has most probably decimal commas.

    Returns:
        The forms.
    """
    votes = _Votes()
    for text in values:
        votes.add(text)
    decimal, question = _decimal(votes, delimiter)
    thousands = [sign for sign, _ in votes.thousands.most_common() if sign != decimal]
    thousands += [sign for sign in votes.either if sign != decimal and sign not in thousands]
    return NumberForms(
        decimal,
        _SAME.get(thousands[0], thousands[0]) if thousands else "",
        tuple(sign for sign, _ in votes.currency.most_common()),
        tuple(name for name in ("leading", "trailing", "parentheses") if votes.negative[name]),
        votes.bare > 0,
        question,
        votes.example,
    )


def _decimal(votes: _Votes, delimiter: str) -> tuple[str, str]:
    """The decimal sign, and the question that is left: whether `1,262` is a thousand or a little more than one."""
    if votes.decimal:
        ranked = votes.decimal.most_common()
        other = (
            f"Some numbers have {ranked[1][0]!r} before their decimals, most have {ranked[0][0]!r}"
            if len(ranked) > 1
            else ""
        )
        return ranked[0][0], other
    if not votes.either:
        sign = next(iter(votes.thousands), "")
        return ("," if sign == "." else "."), ""
    sign = votes.either.most_common(1)[0][0]
    thousands = sign in votes.thousands or (sign == "," and delimiter != ";")
    decimal = ("," if sign == "." else ".") if thousands else sign
    if sign in votes.thousands or sign == ".":
        return (decimal, "") if sign in votes.thousands else (".", "")
    meaning = "a thousand and more" if thousands else "a little more than one"
    return decimal, (
        f"Numbers such as {votes.example[sign]} are taken for {meaning}, but {sign!r} may as well "
        f"{'separate decimals' if thousands else 'separate thousands'}"
    )
