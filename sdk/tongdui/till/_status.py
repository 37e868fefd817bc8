"""Columns that look like a status: whether the mapping must decide which of their values count."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from ._cells import printable
from ._words import (
    CALLED_OFF,
    COLUMN_NAMES,
    COUNTED,
    DISCOUNT_COLUMNS,
    NOT_COUNTED,
    PAYMENT_COLUMNS,
    SITE_COLUMNS,
    STATUS_COLUMNS,
    STATUS_UNSURE,
    column_word,
    word,
)

_MOST_VALUES = 40
"""A column with more values than that is no status, unless it is called one."""
_MOST_KEPT = 1_000
_MOST_SHOWN = 8

_NAMES = frozenset(map(word, STATUS_COLUMNS))
_STEMS = (
    *("status", "void", "cancel", "refund", "revers", "deleted", "invalid", "training", "istest", "testmode"),
    *("状态", "作废", "撤销", "冲正", "冲红", "红冲", "退款", "取消", "挂单", "测试", "培训", "练习", "训练"),
    *("confirmed", "settled", "是否", "标志", "标识", "标记"),
)
_YES_OR_NO = frozenset({"yes", "no", "y", "n", "true", "false", "t", "f", "是", "否", "对", "错"})
_PAYMENTS = frozenset(map(word, PAYMENT_COLUMNS))
_SITES = frozenset(map(column_word, SITE_COLUMNS))
_TILLS = _SITES | frozenset(map(column_word, COLUMN_NAMES["till"]))
_DISCOUNTS = frozenset(map(column_word, DISCOUNT_COLUMNS))
_DISCOUNT = re.compile(r"[^\w\s]*\s*(?=[\d.,]*[1-9])\d[\d.,]*\s*[-)元]*", re.ASCII)
_AFTER_DISCOUNT = ("实", "净", "net", "paid")
"""What the name of an amount has that is what was paid."""
_NOT_COUNTED = frozenset(map(word, NOT_COUNTED))
_COUNTED = frozenset(map(word, COUNTED))
_TELLING = _NOT_COUNTED | _COUNTED | frozenset(map(word, STATUS_UNSURE))
_UNSURE = frozenset(map(word, STATUS_UNSURE))


def is_counted(value: str) -> bool:
    """Whether a value says that its row most probably counts."""
    return word(value) in _COUNTED


def is_called_off(value: str) -> bool:
    """Whether a value says that its row most probably does not count."""
    return word(value) in _NOT_COUNTED or CALLED_OFF.search(value) is not None


def is_status_name(name: str) -> bool:
    """Whether a column is called like one that says which rows count."""
    named = column_word(name)
    return named in _NAMES or any(stem in named for stem in _STEMS)


def is_payment_name(name: str) -> bool:
    """Whether a column is called like one that says how a row was paid."""
    return column_word(name) in _PAYMENTS


@dataclass(slots=True)
class AskedColumn:
    """A column that the mapping does not name and that may change what rows are worth: a till's, a shop's or a discount's.

    Attributes:
        name: The file's name for it.
        place: Its place in a row.
        question: What the mapping must say about it.
        is_discount: Whether it holds discounts, of which one is enough to ask; of tills it takes two.
    """

    name: str
    place: int
    question: str
    is_discount: bool = False
    values: set[str] = field(default_factory=set)

    def see(self, cells: Iterable[str]) -> None:
        """Take note of some values."""
        if len(self.values) < _MOST_VALUES:
            self.values |= {cell.strip() for cell in set(cells)} - {""}

    def undecided(self) -> str | None:
        """Why the mapping must decide about the column, or None."""
        if self.is_discount:
            said = [value for value in sorted(self.values) if _DISCOUNT.fullmatch(value)]
        else:
            said = sorted(self.values) if len(self.values) > 1 else []
        if not said:
            return None
        return f"column {self.name!r} has {', '.join(repr(printable(v)) for v in said[:_MOST_SHOWN])}, {self.question}"


def asked_column(name: str, place: int, *, has_till: bool, amount: str) -> AskedColumn | None:
    """What must be asked about a column that the mapping does not name.

    Args:
        name: The file's name for it.
        place: Its place in a row.
        has_till: Whether the file has a column for the till.
        amount: The file's name for the column of amounts.

    Returns:
        The column, or None if nothing must be asked.
    """
    named = column_word(name)
    if named in (_SITES if has_till else _TILLS):
        how = "export each by itself" if has_till else "name it in [columns] as till"
        return AskedColumn(
            name,
            place,
            f"which look like tills or shops that may use the same numbers: {how}, or list it in [rows] ignore",
        )
    if named in _DISCOUNTS and not any(paid in amount.casefold() for paid in _AFTER_DISCOUNT):
        question = (
            f"which look like discounts: if {amount!r} is what was paid after them, list the column in [rows] ignore; "
            "if not, export what was paid"
        )
        return AskedColumn(name, place, question, is_discount=True)
    return None


@dataclass(slots=True)
class StatusColumn:
    """A column of the file that the mapping does not decide about, or decides about only for some values.

    Attributes:
        name: The file's name for it.
        place: Its place in a row.
        skipped: Whether [rows.skip] names it, so that only a value that must not count is asked about.
        values: Its values in rows that count: all as long as they are few, then only those that are words of a status.
    """

    name: str
    place: int
    skipped: bool = False
    values: set[str] = field(default_factory=set)
    _many: bool = False

    def see(self, cells: Iterable[str]) -> None:
        """Take note of some values."""
        new = {cell.strip() for cell in set(cells)} - self.values
        self.values |= {cell for cell in new if is_called_off(cell)} if self._many else new
        if len(self.values) <= _MOST_VALUES or self._many:
            return
        if not is_status_name(self.name):
            self.values = {value for value in self.values if is_called_off(value)}
            self._many = True
        elif len(self.values) > _MOST_KEPT:
            self._many = True  # it is undecided already

    def undecided(self) -> str | None:
        """Why the mapping must decide about the column, or None."""
        if not self._is_undecided():
            return None
        shown = [repr(printable(value)) for value in sorted(self.values)[:_MOST_SHOWN]]
        more = ", ..." if len(self.values) > _MOST_SHOWN else ""
        return (
            f"column {self.name!r} looks like a status (it has {', '.join(shown)}{more}), and the mapping does not say which "
            "of its rows count: name its values in [rows.only] or [rows.skip] of the mapping, or list the column in [rows] ignore"
        )

    def _is_undecided(self) -> bool:
        if any(map(is_called_off, self.values)):
            return True
        if self.skipped or column_word(self.name) in _PAYMENTS:
            return False
        words = {word(value) for value in self.values}
        if words & _UNSURE:
            return True
        return len(words) > 1 and (is_status_name(self.name) or bool(words & _TELLING) or words - {""} <= _YES_OR_NO)
