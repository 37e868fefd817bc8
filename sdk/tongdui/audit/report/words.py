"""The report's words in English and Chinese, and its numbers as people read them."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any, Literal

from ..._amounts import format_micros

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")
HTML_LANGUAGES = {"en": "en", "zh": "zh-CN"}

_FILE = Path(__file__).with_name("words.toml")


@cache
def vocabulary() -> dict[str, dict[str, Any]]:
    """The file: `sentences` of the page, names of `columns` and of `values` in both languages, and the `rules` in Chinese."""
    return tomllib.loads(_FILE.read_text(encoding="utf-8"))


class Words:
    """Says things in one language."""

    def __init__(self, language: Language) -> None:
        self.language = language
        self._place = LANGUAGES.index(language)

    def __call__(self, name: str, **values: object) -> str:
        """A sentence of the page, with values in its gaps."""
        return str(vocabulary()["sentences"][name][self._place]).format(**values)

    def column(self, name: str) -> str:
        """The head of a column."""
        return self._named("columns", name)

    def value(self, name: str) -> str:
        """A word of the data, such as a status or a kind."""
        return self._named("values", name)

    def rule(self, rule: str, says: str) -> str:
        """What a rule says, as a sentence. `says` is its English; where there is nothing else, it stays."""
        if self.language == "zh":
            says = vocabulary()["rules"].get(rule, says)
        return says[:1].upper() + says[1:].removesuffix(".")

    def _named(self, part: str, name: str) -> str:
        """The name in this language. One that has dots may be known up to a dot; what nobody named stays as it is."""
        found = vocabulary()[part].get(name)
        if found:
            return str(found[self._place])
        head, dot, tail = name.rpartition(".")
        return f"{self._named(part, head)}: {tail.replace('_', ' ')}" if dot and head in vocabulary()[part] else name

    def count(self, one: str, many: str, number: int) -> str:
        """A number with its noun."""
        return self(one if number == 1 else many, count=grouped(number))


def grouped(number: int) -> str:
    """A whole number in groups of three."""
    return f"{number:,}".replace("-", "−")


def money(micros: int) -> str:
    """Micros in the main unit, to two to six decimals."""
    return format_micros(micros).replace("-", "−")


def percent(bps: int) -> str:
    """Basis points as per cent."""
    return f"{bps // 100}.{bps % 100:02d} %"
