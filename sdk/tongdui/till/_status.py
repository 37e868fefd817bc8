"""Columns that look like a status: whether the mapping must decide which of their values count."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ._cells import printable
from ._words import COUNTED, NOT_COUNTED, PAYMENT_COLUMNS, STATUS_COLUMNS, STATUS_UNSURE, column_word, word

_MOST_VALUES = 40
"""A column with more values than that is no status, unless it is called one."""
_MOST_SHOWN = 8

_NAMES = frozenset(map(word, STATUS_COLUMNS))
_STEMS = (
    "status",
    "void",
    "cancel",
    "refund",
    "revers",
    "deleted",
    "invalid",
    "状态",
    "作废",
    "撤销",
    "冲正",
    "退款",
    "取消",
)
_PAYMENTS = frozenset(map(word, PAYMENT_COLUMNS))
_NOT_COUNTED = frozenset(map(word, NOT_COUNTED))
_TELLING = _NOT_COUNTED | frozenset(map(word, (*COUNTED, *STATUS_UNSURE)))
_UNSURE = _NOT_COUNTED | frozenset(map(word, STATUS_UNSURE))


def is_status_name(name: str) -> bool:
    """Whether a column is called like one that says which rows count."""
    named = column_word(name)
    return named in _NAMES or any(stem in named for stem in _STEMS)


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
        if self._many:
            new = {cell for cell in new if word(cell) in _NOT_COUNTED}
        self.values |= new
        if not self._many and len(self.values) > _MOST_VALUES and not is_status_name(self.name):
            self._many = True
            self.values = {value for value in self.values if word(value) in _NOT_COUNTED}

    def undecided(self) -> str | None:
        """Why the mapping must decide about the column, or None."""
        words = {word(value) for value in self.values}
        if not self._is_undecided(words):
            return None
        shown = [repr(printable(value)) for value in sorted(self.values)[:_MOST_SHOWN]]
        more = ", ..." if len(self.values) > _MOST_SHOWN else ""
        return (
            f"column {self.name!r} looks like a status (it has {', '.join(shown)}{more}), and the mapping does not say which "
            "of its rows count: name its values in [rows.only] or [rows.skip] of the mapping, or list the column in [rows] ignore"
        )

    def _is_undecided(self, words: set[str]) -> bool:
        if self.skipped or self._many or column_word(self.name) in _PAYMENTS:
            return bool(words & _NOT_COUNTED)
        if words & _UNSURE:
            return True
        return len(words) > 1 and (is_status_name(self.name) or bool(words & _TELLING))
