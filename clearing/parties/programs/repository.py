"""SQL of programs."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from clearing.kit.in_list import in_list
from clearing.kit.locks import lock_until_commit
from clearing.kit.paging import newest_first
from clearing.parties.programs.models import Program


class ProgramRepository:
    """Programs in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, program: Program) -> None:
        """Stores a program."""
        self._session.add(program)
        self._session.flush()

    def by_code_or_id(self, text: str) -> Program | None:
        """The program with this code (`FUEL`) or id (`prg_...`)."""
        column = Program.id if text.startswith("prg_") else Program.code
        return self._session.scalar(select(Program).where(column == text))

    def by_codes(self, codes: Collection[str]) -> Sequence[Program]:
        """The programs with these codes."""
        return self._session.scalars(select(Program).where(in_list(self._session, Program.code, codes))).all()

    def by_number(self, number: int) -> Program | None:
        """The program with this number on the chain."""
        return self._session.get(Program, number)

    def by_numbers(self, numbers: Collection[int]) -> dict[int, Program]:
        """The programs with these numbers, by number."""
        rows = self._session.scalars(select(Program).where(in_list(self._session, Program.number, numbers)))
        return {program.number: program for program in rows}

    def get_one(self, number: int) -> Program:
        """The program with this number on chain. Raises NoResultFound where there is none."""
        return self._session.get_one(Program, number)

    def of_merchant(self, merchant_number: int) -> list[Program]:
        """A merchant's programs, in order of their numbers."""
        query = select(Program).where(Program.merchant_number == merchant_number).order_by(Program.number)
        return list(self._session.scalars(query))

    def owners(self) -> dict[int, int]:
        """The merchant of each program, by number."""
        rows = self._session.execute(select(Program.number, Program.merchant_number))
        return {number: owner for number, owner in rows}  # noqa: C416 (rows are not pairs to the type checker)

    def list(self, *, after: str | None, limit: int) -> Sequence[Program]:
        """Programs, newest first."""
        return self._session.scalars(newest_first(select(Program), Program.id, after, limit)).all()

    def next_number(self) -> int:
        """The number that the chain will expect next. Nobody else can take it until this transaction ends."""
        lock_until_commit(self._session, "program numbers")
        return (self._session.scalar(select(func.max(Program.number))) or 0) + 1
