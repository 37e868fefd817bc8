"""What a file of a bank says, whatever its format: lines of money that came or went."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Literal

from .._errors import TongduiError

Kind = Literal["deposit", "withdrawal"]
MICROS_DIGITS = 6
LONGEST_REFERENCE = 140
MAX_SAFE = 2**53 - 1
"""The most micros of one booking: what every reader of JSON reads exactly."""
_YEARS = (2000, 2999)
_AMOUNT = re.compile(r"\d{1,18}(\.\d+)?", re.ASCII)


Place = int | str
"""Where in a file: the line of a table, or the path within a statement."""


class BankFileError(TongduiError):
    """The file cannot be read; the message is a sentence for the person, with the place in the file.

    `sentence` and `arguments` are its parts, for whoever says it in another language: `sentence % arguments`.
    """

    def __init__(self, sentence: str, **arguments: Place) -> None:
        told = {name: place_in_words(value) if name == "place" else value for name, value in arguments.items()}
        super().__init__(sentence % told)
        self.sentence = sentence
        self.arguments = arguments


def place_in_words(place: Place) -> str:
    """A place as a person looks for it."""
    return f"Line {place}" if isinstance(place, int) else place


class Problem(StrEnum):
    """Why a line cannot be booked as it stands."""

    NOT_BOOKED_YET = "not_booked_yet"
    REVERSAL = "reversal"
    OTHER_CURRENCY = "other_currency"
    NO_REFERENCE = "no_reference"
    NO_AMOUNT = "no_amount"
    TOO_LARGE = "too_large"


@dataclass(frozen=True, slots=True)
class BankLine:
    """Money that came in (deposit) or went out (withdrawal), as the bank says."""

    place: Place
    day: date
    kind: Kind
    micros: int
    currency: str
    references: tuple[str, ...]
    """Every reference that the bank gives it, the bank's own first."""
    name: str = ""
    """Who paid, or was paid."""
    text: str = ""
    problem: Problem | None = None

    @property
    def reference(self) -> str:
        """Under what it is booked."""
        return self.references[0] if self.references else ""


@dataclass(frozen=True, slots=True)
class BankFile:
    """The lines of a file, in its order."""

    format: str
    account: str
    lines: tuple[BankLine, ...]
    adds_up: bool = True
    """Whether opening balance and lines make the closing balance, where the file has both."""
    days: tuple[date, date] | None = None
    """The first and the last day that the file is about, where it says so: it may have no line on them."""


def problem_of(micros: int, code: str, references: tuple[str, ...], currency: str) -> Problem | None:
    """Why money of this amount and currency cannot be booked under these references in the network's currency."""
    if code != currency:
        return Problem.OTHER_CURRENCY
    if not micros:
        return Problem.NO_AMOUNT
    if micros > MAX_SAFE:
        return Problem.TOO_LARGE
    return None if references else Problem.NO_REFERENCE


def micros_of(text: str, place: Place) -> int:
    """A decimal number without sign as micros, exactly. Raises BankFileError."""
    if not _AMOUNT.fullmatch(text):
        raise BankFileError("%(place)s: %(text)s is no amount.", place=place, text=repr(text))
    whole, _dot, decimals = text.partition(".")
    decimals = decimals.rstrip("0")
    if len(decimals) > MICROS_DIGITS:
        raise BankFileError("%(place)s: %(text)s has more than six decimals.", place=place, text=repr(text))
    return int(whole + decimals.ljust(MICROS_DIGITS, "0"))


def is_usual(day: date) -> bool:
    """Whether a day is one that a bank can mean, and that everything can reckon with."""
    return _YEARS[0] <= day.year <= _YEARS[1]


def distinct(references: list[str]) -> tuple[str, ...]:
    """References that say something, each once, in their order."""
    said = (one.strip() for one in references)
    kept = (one for one in said if one and one.upper() not in {"NOTPROVIDED", "NONREF", "N/A"})
    return tuple(dict.fromkeys(one for one in kept if len(one) <= LONGEST_REFERENCE and one.isprintable()))
