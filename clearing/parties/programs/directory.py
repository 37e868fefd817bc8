"""Programs, in memory and current: every order needs some."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlalchemy.orm import Session

from clearing.kit.reference.directory import Directory, rows_of
from clearing.parties.programs.models import Program


class ProgramDirectory:
    """All programs."""

    def __init__(self, programs: Iterable[Program]) -> None:
        self._by_number = {program.number: program for program in programs}
        self._by_name = {name: program for program in self._by_number.values() for name in (program.code, program.id)}

    def by_number(self, number: int) -> Program | None:
        """The program with this number on the chain."""
        return self._by_number.get(number)

    def all(self) -> list[Program]:
        """All programs, by number."""
        return [self._by_number[number] for number in sorted(self._by_number)]

    def owners(self, numbers: Collection[int]) -> dict[int, int]:
        """Program -> the number of its merchant, for these programs."""
        return {number: self._by_number[number].merchant_number for number in numbers}

    def by_code_or_id(self, text: str) -> Program | None:
        """The program with this code (`FUEL`) or id (`prg_...`)."""
        return self._by_name.get(text)


def programs_in(session: Session) -> ProgramDirectory:
    """The programs, as current as the session's transaction."""
    return _PROGRAMS.of(session)


def _load(session: Session) -> ProgramDirectory:
    return ProgramDirectory(rows_of(session, Program))


_PROGRAMS = Directory((Program,), _load)
