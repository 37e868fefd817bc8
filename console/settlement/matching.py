"""Each line of a bank's file beside what is booked: by reference, then by merchant and amount. Knows no pages and no network."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from tongdui.bank import BankLine, Kind


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
    REQUESTED = "requested"
    """Somebody has asked to book it, and another person has to approve that."""
    BOOKED = "booked"
    DIFFERS = "differs"
    """Its reference is booked, with another amount, merchant or direction."""
    DUPLICATE = "duplicate"
    """The file has the reference before."""
    UNUSABLE = "unusable"
    """The line itself says why."""


_ID = re.compile(r"mer_[0-9a-z]+", re.ASCII)
_BEGINNING = 2
"""By so many characters the names are found that a text may have; shorter names are in every text."""
BOOKABLE = (Standing.NEW, Standing.UNKNOWN_MERCHANT, Standing.LIKELY_BOOKED, Standing.FAILED)


REQUESTED = "requested"
"""The state of what somebody has asked to book, and nobody has decided."""


@dataclass(frozen=True, slots=True)
class Booked:
    """A deposit or withdrawal of the network, or one that waits for approval."""

    id: str
    kind: Kind
    merchant: str
    micros: int
    reference: str
    state: str
    day: date
    """Of the network, on which it was booked."""

    @property
    def path(self) -> str:
        """Its address."""
        return f"/approvals/{self.id}" if self.state == REQUESTED else f"/settlement/{self.kind}s/{self.id}"


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
    def is_done(self) -> bool:
        """Whether nothing is left to do about it."""
        return self.standing == Standing.BOOKED

    @property
    def is_bookable(self) -> bool:
        """Whether somebody may choose it."""
        return self.standing in BOOKABLE

    @property
    def is_proposed(self) -> bool:
        """Whether it is chosen from the beginning."""
        return self.standing in {Standing.NEW, Standing.FAILED}


def by_reference(bookings: Iterable[Booked]) -> dict[str, Booked]:
    """Bookings by their references. What the chain has refused may be booked again: then the booking that stands counts."""
    failed_first = sorted(bookings, key=lambda one: one.state != "failed")
    return {one.reference: one for one in failed_first}


class Directory:
    """The network's merchants, found by what a line says of them without looking at each merchant."""

    def __init__(self, parties: Iterable[Party]) -> None:
        self._ids: dict[str, str] = {}
        self._codes: defaultdict[str, set[str]] = defaultdict(set)
        self._names: defaultdict[str, set[str]] = defaultdict(set)
        for one in parties:
            self._ids[one.id.lower()] = one.id
            self._names[_plain(one.name)].add(one.id)
            for code in one.codes:
                self._codes[code].add(one.id)
        self._names.pop("", None)
        self._id_lengths = sorted({len(one) for one in self._ids}, reverse=True)
        self._beginnings: defaultdict[str, list[str]] = defaultdict(list)
        for name in self._names:
            if len(name) >= _BEGINNING:
                self._beginnings[name[:_BEGINNING]].append(name)

    def party_of(self, line: BankLine) -> str | None:
        """The one merchant that a line names: by id, by its whole name, or by name or program's code within the text."""
        for told in (self._by_id, self._by_whole_name, self._by_name_within, self._by_code):
            found = told(line)
            if found:
                return found.pop() if len(found) == 1 else None  # several: somebody has to look
        return None

    def _by_id(self, line: BankLine) -> set[str]:
        text = " ".join((line.text, *line.references)).lower()
        found = set()
        for word in _ID.findall(text):
            # Banks write it without a space before what follows, so it may be the beginning of the word.
            parts = (word[:length] for length in self._id_lengths)
            found |= {self._ids[part] for part in parts if part in self._ids}
        return found

    def _by_whole_name(self, line: BankLine) -> set[str]:
        return set(self._names.get(_plain(line.name), ()))

    def _by_name_within(self, line: BankLine) -> set[str]:
        text = _plain(" ".join((line.name, line.text, *line.references)))
        found: set[str] = set()
        for place in range(len(text) - _BEGINNING + 1):
            for name in self._beginnings.get(text[place : place + _BEGINNING], ()):
                if text.startswith(name, place):
                    found |= self._names[name]
        return found

    def _by_code(self, line: BankLine) -> set[str]:
        text = unicodedata.normalize("NFKC", f"{line.name} {line.text}").upper()
        words = "".join(sign if sign.isascii() and sign.isalnum() else " " for sign in text).split()
        return {merchant for word in words for merchant in self._codes.get(word, ())}


_Loose = defaultdict[tuple[Kind, str, int], deque[Booked]]
"""Bookings that no line's reference explains, by what a line would have to be like."""


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
    directory = Directory(parties)
    seen: set[str] = set()
    in_file = {reference for line in lines for reference in line.references}
    loose: _Loose = defaultdict(deque)
    for one in near:
        if one.reference not in in_file and one.state != "failed":
            loose[one.kind, one.merchant, one.micros].append(one)
    found = []
    for line in lines:
        merchant = directory.party_of(line)
        if line.problem is not None:  # no booking comes of it, so it uses up no reference
            found.append(Match(line, Standing.UNUSABLE, merchant, _under(line, by_reference)))
        elif line.reference in seen:
            found.append(Match(line, Standing.DUPLICATE, merchant, _under(line, by_reference)))
        else:
            seen.add(line.reference)
            found.append(_matched(line, merchant, by_reference, loose))
    return found


def _matched(line: BankLine, merchant: str | None, by_reference: Mapping[str, Booked], loose: _Loose) -> Match:
    booked = _under(line, by_reference)
    if booked is not None:
        same = (booked.kind, booked.micros) == (line.kind, line.micros) and merchant in (None, booked.merchant)
        if not same:
            return Match(line, Standing.DIFFERS, merchant, booked)
        return Match(line, _STANDINGS.get(booked.state, Standing.BOOKED), booked.merchant, booked)
    if merchant is None:
        return Match(line, Standing.UNKNOWN_MERCHANT)
    alike = loose.get((line.kind, merchant, line.micros))
    if alike:
        return Match(line, Standing.LIKELY_BOOKED, merchant, alike.popleft())  # it explains one line, not two
    return Match(line, Standing.NEW, merchant)


_STANDINGS = {"failed": Standing.FAILED, REQUESTED: Standing.REQUESTED}


def _under(line: BankLine, by_reference: Mapping[str, Booked]) -> Booked | None:
    return next((by_reference[one] for one in line.references if one in by_reference), None)


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
