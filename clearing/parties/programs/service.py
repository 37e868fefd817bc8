"""Rules of programs: registration, and finding the program that a request names."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from sqlalchemy.orm import Session

from clearing.chain.calls.service import request_call
from clearing.kit.errors import Conflict, InvalidRequest, NotFound
from clearing.kit.events.recorder import EventRecorder
from clearing.kit.ids import new_id
from clearing.parties.merchants.service import check_chain_text, require_merchant, require_participating
from clearing.parties.programs.directory import programs_in
from clearing.parties.programs.models import Program
from clearing.parties.programs.repository import ProgramRepository
from tongdui.encoding import hex_of, text_word

CODE = re.compile(r"[A-Z0-9]{2,12}")


class ProgramService:
    """Programs in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._programs = ProgramRepository(session)

    def register(
        self, *, merchant_id: str, code: str, name: str, default_lifetime_days: int | None, actor: str
    ) -> Program:
        """Registers a program for a merchant."""
        check_chain_text(name, "/name")
        if not CODE.fullmatch(code):
            raise InvalidRequest.at("/code", "must be 2 to 12 characters from A-Z and 0-9")
        merchant = require_merchant(self._session, merchant_id, "/merchant")
        require_participating(merchant)
        number = self._programs.next_number()
        if self._programs.by_code_or_id(code) is not None:
            raise Conflict.at("/code", f"there is already a program {code}", code="code_taken")
        program = Program(
            number=number,
            id=new_id("prg"),
            merchant_number=merchant.number,
            code=code,
            name=name,
            default_lifetime_days=default_lifetime_days,
        )
        self._programs.add(program)
        arguments = [number, merchant.number, hex_of(text_word(code)), hex_of(text_word(name))]
        request_call(self._session, "operator", "registerProgram", arguments, program.id)
        data = {"code": code, "name": name}
        EventRecorder(self._session).record(
            "program.registered", program.id, actor=actor, merchants=[merchant.number], data=data
        )
        return program

    def list(self, *, after: str | None, limit: int) -> Sequence[Program]:
        """The network's programs, newest first."""
        return self._programs.list(after=after, limit=limit)


def require_program(session: Session, code_or_id: str, pointer: str | None = None) -> Program:
    """The program with this code or id, or NotFound. `pointer` says where in the body the request named it."""
    program = programs_in(session).by_code_or_id(code_or_id)
    if program is None:
        raise NotFound.of("program", f"there is no program {code_or_id}", pointer)
    return program


def programs_by_code(session: Session, codes: Collection[str]) -> Sequence[Program]:
    """The programs with these codes; everyone may know them."""
    return ProgramRepository(session).by_codes(codes)
