"""What one cell of a till's file says: a text in its canonical form, an exact number, or why it is neither."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Generic, TypeVar

from tongdui._canonical import LONGEST_TEXT, canonical

from ._mapping import NumberFormat, TillMapping
from ._words import NO_ARTICLE, NO_CUSTOMER, column_word, word

K = TypeVar("K")
V = TypeVar("V")

_MOST_REMEMBERED = 1 << 16
_LONGEST_SHOWN = 60
_MOST_NAMED = 4
_NOT_TEXT = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffd\ufffe\uffff]")
_SCIENTIFIC = re.compile(
    r"[+-]?\d+(?:[.,]\d*)?\s*(?:[eE]\s*\+\s*\d+|[x×*]\s*10\s*\^?\s*\+?\d+)|[+-]?\d+[.,]\d*\s*[eE]\s*-?\d+", re.ASCII
)
_MADE_A_DATE = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?)?", re.ASCII)
_WHOLE_WITH_DECIMALS = re.compile(r"\d+[.,]0+", re.ASCII)
_SPREADSHEET_ERROR = re.compile(r"#(?:N/A|REF!|VALUE!|NAME\?|DIV/0!|NUM!|NULL!|#+)")
_DESTROYED = "is a number that Excel has destroyed: format the column as text, and export it again"
_TRUTHS = frozenset({"TRUE", "FALSE"})
_QUOTES = "\"'\u2018\u2019\u201c\u201d"
_DASHES = re.compile("[\u2010-\u2015\u2212]")
_GRADE = re.compile(r"([+-]?\d{1,3})\s*[#号]")
_MASKED = re.compile(r"\*{2,}")
_NO_ARTICLE = frozenset(map(word, NO_ARTICLE))
_GUARDS = ("=", "`", "'")
_THOUSANDS = {" ": " \u00a0\u202f", "'": "'\u2019"}
"""Characters that are written for the same separator of thousands."""


class BadCellError(Exception):
    """A cell that cannot be read.

    Attributes:
        reason: Why.
        value: What it contains.
        local: The time on the till's clock, if the cell names one.
        column: Which of our columns it is in, where one reader reads two.
    """

    def __init__(self, reason: str, value: str = "", local: datetime | None = None, column: str = "") -> None:
        self.reason = reason
        self.value = value
        self.local = local
        self.column = column
        super().__init__(reason)


class Cells(dict[K, "V | BadCellError"], Generic[K, V]):
    """Remembers how cells were read, because a till writes the same texts again and again.

    A bad cell is not remembered but counted in `bad`, so that one look at the number tells whether a batch of rows has any.
    """

    __slots__ = ("_read", "bad")

    def __init__(self, read: Callable[[K], V]) -> None:
        super().__init__()
        self._read = read
        self.bad = 0

    def __missing__(self, cell: K) -> V | BadCellError:
        try:
            value = self[cell] = self._read(cell)
        except BadCellError as bad:
            self.bad += 1
            return bad
        return value

    def trim(self) -> None:
        """Forget everything once it has become much."""
        if len(self) > _MOST_REMEMBERED:
            self.clear()


def printable(text: str) -> str:
    """A text that does nothing to a terminal: what cannot be printed is escaped, and what is long is cut off."""
    shown = text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in shown)


class TextReader:
    """Reads texts of one file.

    Attributes:
        encoding: The file's encoding, for errors; empty for a file that has none.
    """

    def __init__(self, mapping: TillMapping, encoding: str) -> None:
        self.encoding = encoding
        self._none = _folded(mapping.no_customer)
        self._nobody = frozenset(map(word, (*NO_CUSTOMER, *mapping.no_customer)))
        self._articles = {canonical(article): category for article, category in mapping.rule.articles.items()}
        self._nearly: dict[str, str] = {}
        for article in self._articles:
            for near in _near(article):
                self._nearly.setdefault(near, article)
        self._default = mapping.rule.default
        self._units = mapping.units

    def text(self, cell: str) -> str:
        """A text, which may be empty."""
        value = canonical(cell)
        if len(value) > LONGEST_TEXT:
            raise BadCellError(f"is longer than {LONGEST_TEXT} characters", value)
        if _NOT_TEXT.search(value):
            raise BadCellError(f"has characters that are not text{self._other_encoding(value)}", value)
        if value.startswith("="):
            raise BadCellError("is a formula: export what it shows", value)
        if _SPREADSHEET_ERROR.fullmatch(value):
            raise BadCellError("is an error of a spreadsheet, or a column that was too narrow to show its value", value)
        return value

    def number_or_none(self, cell: str) -> str:
        """The number of a sale or a till, or nothing."""
        value = self.text(cell)
        if value and (reason := _distorted(value)):
            raise BadCellError(reason, value)
        return value

    def number(self, cell: str) -> str:
        """The number of a sale or a till."""
        if value := self.number_or_none(cell):
            return value
        raise BadCellError("is missing")

    def customer(self, cell: str) -> str:
        """A customer's number, or an empty text if there was no customer."""
        value = canonical(cell)
        if not value or value.casefold() in self._none:
            return ""
        value = self.number_or_none(cell)
        if word(value) in self._nobody or not value.strip("0"):
            raise BadCellError(
                f'looks like no customer: if so, list it in [customers] none = ["{printable(value)}"]', value
            )
        if _MASKED.search(value):
            raise BadCellError("is masked, so it may be another customer's too: export whole numbers", value)
        return value

    def original(self, cell: str) -> str:
        """The number of the sale that a return takes back, or an empty text if the row names none."""
        value = canonical(cell)
        return "" if value.casefold() in self._none or not word(value).strip("0") else self.number_or_none(cell)

    def article(self, cell: str) -> str:
        """An article that is in a category."""
        value = self.text(cell)
        if not value:
            raise BadCellError("is missing")
        if value in self._articles:
            return value
        if _SCIENTIFIC.fullmatch(value):
            raise BadCellError(_DESTROYED, value)
        if nearly := self._nearly_listed(value):
            raise BadCellError(f"is nearly {nearly!r}, which is in [articles]: list this spelling there too", value)
        if word(value) in _NO_ARTICLE:
            raise BadCellError(
                "looks like a total or a payment: list it in [articles] if it is sold, else in [rows.skip]", value
            )
        if self._default is None:
            raise BadCellError("is in no category of the mapping", value)
        return value

    def _nearly_listed(self, value: str) -> str | None:
        """The article in [articles] that one which is not there most probably is, or None."""
        return next((self._nearly[near] for near in _near(value) if near in self._nearly), None)

    def category(self, article: str) -> str:
        """The category of an article that has been read."""
        return self._articles.get(article, self._default or "")

    def unit(self, of: tuple[str, str | None]) -> bool:
        """Whether a category's articles are sold in a unit."""
        category, unit = of
        wanted = self._units.get(category)
        if wanted is not None and unit is not None and unit not in wanted:
            raise BadCellError(f"must be {some_of(wanted)} for {category}", unit)
        return True

    def _other_encoding(self, value: str) -> str:
        if "\ufffd" not in value or not self.encoding:
            return ""
        return f' in {self.encoding}: set [file] encoding in the mapping, such as "{other_encoding(self.encoding)}"'


def other_encoding(encoding: str) -> str:
    """The encoding to propose when a file is not in this one."""
    return "gb18030" if encoding.startswith("utf") else "utf-8"


def some_of(texts: Sequence[str]) -> str:
    """Some texts for an error: the first few of them."""
    return " or ".join([*texts[:_MOST_NAMED], *(["another in the mapping"] if len(texts) > _MOST_NAMED else [])])


def _folded(texts: Iterable[str]) -> frozenset[str]:
    return frozenset(canonical(text).casefold() for text in texts)


def _near(article: str) -> Iterator[str]:
    """What two spellings of one article have in common.

    That is their letters and digits, perhaps without what stands in brackets. Chinese fuels also have their grade in common:
    95# in `95号汽油(VIB)`, whatever else the name says.
    """
    for spelling in (word(article), column_word(article)):
        if near := spelling.replace("号", ""):
            yield near
    for grade in _GRADE.findall(article):
        yield f"{grade}#"


def _distorted(number: str) -> str | None:
    """Why the number of a card, a sale or a till is not as it was written, or None."""
    if _SCIENTIFIC.fullmatch(number):
        return _DESTROYED
    if _MADE_A_DATE.fullmatch(number):
        return "is a date, which a spreadsheet makes of numbers such as 3-5: format the column as text, and export it again"
    if number in _TRUTHS:
        return "is a yes or a no, and no number"
    if _WHOLE_WITH_DECIMALS.fullmatch(number):
        return "is a number that was made a decimal: format the column as text, and export it again"
    if number[0] in _QUOTES or number[-1] in _QUOTES:
        return "has a quotation mark that does not belong to it"
    return "has a dash that is no hyphen: a word processor has changed it" if _DASHES.search(number) else None


class NumberReader:
    """Reads exact numbers as a mapping says that they are written."""

    def __init__(self, form: NumberFormat) -> None:
        self._form = form
        self._signs = sorted(form.currency, key=len, reverse=True)
        self._number = re.compile(_pattern(form), re.ASCII)
        self._drop = str.maketrans("", "", _THOUSANDS.get(form.thousands, form.thousands))
        self._example = f"12{form.decimal}34"

    def reader(self, decimals: int, check: Callable[[Decimal], str | None]) -> Callable[[str], Decimal]:
        """A function that reads a cell.

        Args:
            decimals: The most decimals.
            check: Says what is wrong with a number, or None.

        Returns:
            The function.
        """

        def read(cell: str) -> Decimal:
            value = self._value(cell, decimals)
            if reason := check(value):
                raise BadCellError(reason, cell.strip())
            return value

        return read

    def _value(self, cell: str, decimals: int) -> Decimal:
        text = cell.strip()
        if text.startswith(_GUARDS) and text.isascii():
            text = canonical(text)
        if not text:
            raise BadCellError("is missing")
        negative, digits = self._unsigned(text)
        if not self._number.fullmatch(digits):
            raise BadCellError(f'is not a decimal number such as "{self._example}": see [numbers] in the mapping', text)
        whole, _, fraction = digits.partition(self._form.decimal)
        if len(fraction) > decimals:
            raise BadCellError(f"has more than {decimals} decimals", text)
        whole = whole.translate(self._drop)
        return Decimal(f"{'-' if negative else ''}{whole}.{fraction}")

    def _unsigned(self, text: str) -> tuple[bool, str]:
        """Whether a number is below zero, and the number without its sign and its currency."""
        allowed = self._form.negative
        bare = self._bare(text)
        if "parentheses" in allowed and bare.startswith("(") and bare.endswith(")"):
            return True, self._bare(bare[1:-1].strip())
        if "leading" in allowed and bare.startswith("-"):
            return True, self._bare(bare[1:].strip())
        if "trailing" in allowed and bare.endswith("-"):
            return True, self._bare(bare[:-1].strip())
        return False, bare

    def _bare(self, text: str) -> str:
        """A number without the sign of its currency."""
        for sign in self._signs:
            if text.startswith(sign):
                return text[len(sign) :].strip()
            if text.endswith(sign):
                return text[: -len(sign)].strip()
        return text


def _pattern(form: NumberFormat) -> str:
    between = _THOUSANDS.get(form.thousands, form.thousands)
    whole = rf"(?:\d{{1,15}}|[1-9]\d{{0,2}}(?:[{re.escape(between)}]\d{{3}}){{1,4}})" if between else r"\d{1,15}"
    point = re.escape(form.decimal)
    bare = rf"|{point}\d{{1,18}}" if form.bare_fraction else ""
    return rf"{whole}(?:{point}\d{{1,18}})?{bare}"
