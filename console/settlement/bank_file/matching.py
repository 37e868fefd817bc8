"""Each line of a bank's file beside what is booked: by reference, then by merchant and amount."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from console.settlement.bank_file.lines import BankLine, Kind


class Standing(StrEnum):
    """What is to be done about a line."""

    NEW = "new"
    """The reference is unknown and the merchant is known: it can be booked."""
    UNKNOWN_MERCHANT = "unknown_merchant"
    """It can be booked when somebody says for whom."""
    LIKELY_BOOKED = "likely_booked"
    """The same amount of the same merchant is booked on a near day, under another reference."""
    FAILED = "failed"
    """It was booked, and the chain refused it: it can be booked again."""
    BOOKED = "booked"
    DIFFERS = "differs"
    """Its reference is booked, with another amount, merchant or direction."""
    DUPLICATE = "duplicate"
    """The file has the reference before."""
    UNUSABLE = "unusable"
    """The line itself says why."""


BOOKABLE = (Standing.NEW, Standing.UNKNOWN_MERCHANT, Standing.LIKELY_BOOKED, Standing.FAILED)


@dataclass(frozen=True, slots=True)
class Booked:
    """A deposit or withdrawal of the network."""

    id: str
    kind: Kind
    merchant: str
    micros: int
    reference: str
    state: str
    day: date
    """Of the network, on which it was booked."""


@dataclass(frozen=True, slots=True)
class Party:
    """A merchant, as a bank may name it: by id, by name or by the code of a program."""

    id: str
    name: str
    codes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Match:
    """A line with what is known about it."""

    line: BankLine
    standing: Standing
    merchant: str | None = None
    booked: Booked | None = None

    @property
    def is_bookable(self) -> bool:
        """Whether somebody may choose it."""
        return self.standing in BOOKABLE

    @property
    def is_proposed(self) -> bool:
        """Whether it is chosen from the beginning."""
        return self.standing in {Standing.NEW, Standing.FAILED}


def match(
    lines: Sequence[BankLine], by_reference: Mapping[str, Booked], near: Iterable[Booked], parties: Sequence[Party]
) -> list[Match]:
    """Every line with its standing.

    Args:
        lines: The lines of the file.
        by_reference: What is booked under any of their references.
        near: What is booked on the days of the file and some days around them.
        parties: The network's merchants.
    """
    seen: set[str] = set()
    in_file = {reference for line in lines for reference in line.references}
    loose = [one for one in near if one.reference not in in_file and one.state != "failed"]
    found = []
    for line in lines:
        merchant = party_of(line, parties)
        if line.reference and line.reference in seen:
            found.append(Match(line, Standing.DUPLICATE, merchant, _under(line, by_reference)))
            continue
        seen.add(line.reference)
        found.append(_matched(line, merchant, by_reference, loose))
    return found


def _matched(line: BankLine, merchant: str | None, by_reference: Mapping[str, Booked], loose: list[Booked]) -> Match:
    booked = _under(line, by_reference)
    if booked is not None:
        same = (booked.kind, booked.micros) == (line.kind, line.micros) and merchant in (None, booked.merchant)
        if not same:
            return Match(line, Standing.DIFFERS, merchant, booked)
        return Match(line, Standing.FAILED if booked.state == "failed" else Standing.BOOKED, booked.merchant, booked)
    if line.problem is not None:
        return Match(line, Standing.UNUSABLE, merchant)
    if merchant is None:
        return Match(line, Standing.UNKNOWN_MERCHANT)
    for one in loose:
        if (one.kind, one.merchant, one.micros) == (line.kind, merchant, line.micros):
            loose.remove(one)  # it explains one line, not two
            return Match(line, Standing.LIKELY_BOOKED, merchant, one)
    return Match(line, Standing.NEW, merchant)


def _under(line: BankLine, by_reference: Mapping[str, Booked]) -> Booked | None:
    return next((by_reference[one] for one in line.references if one in by_reference), None)


def party_of(line: BankLine, parties: Sequence[Party]) -> str | None:
    """The one merchant that a line names: by id, by its whole name, or by name or program's code within the text."""
    words = _plain(" ".join((line.name, line.text, *line.references)))
    for told in (
        {one.id for one in parties if one.id in " ".join((line.text, *line.references))},
        {one.id for one in parties if _plain(one.name) == _plain(line.name) != ""},
        {one.id for one in parties if len(_plain(one.name)) > 1 and _plain(one.name) in words},
        {one.id for one in parties if any(_has_word(line, code) for code in one.codes)},
    ):
        if len(told) == 1:
            return told.pop()
        if told:
            return None  # several: somebody has to look
    return None


def _has_word(line: BankLine, code: str) -> bool:
    text = unicodedata.normalize("NFKC", f"{line.name} {line.text}").upper()
    return code in "".join(sign if sign.isascii() and sign.isalnum() else " " for sign in text).split()


def _plain(text: str) -> str:
    return "".join(sign for sign in unicodedata.normalize("NFKC", text).casefold() if sign.isalnum())


def days_of(lines: Iterable[BankLine]) -> tuple[date, date] | None:
    """The first and the last day of these lines."""
    days = [line.day for line in lines]
    return (min(days), max(days)) if days else None


def missing_from(matches: Sequence[Match], near: Iterable[Booked], first: date, last: date) -> list[Booked]:
    """What was booked on these days, and no line of the file explains."""
    explained = {one.booked.id for one in matches if one.booked is not None}
    references = {reference for one in matches for reference in one.line.references}
    return [
        one
        for one in near
        if first <= one.day <= last
        and one.id not in explained
        and one.reference not in references
        and one.state != "failed"
    ]
