"""The names (ids and codes) that the API and its users have for the chain's numbers."""

from __future__ import annotations

from sqlalchemy.orm import Session

from clearing.parties.agreements.repository import AgreementRepository
from clearing.parties.merchants.repository import MerchantRepository
from clearing.parties.programs.repository import ProgramRepository


class Names:
    """Names in one session. It keeps what it has looked up: a session forgets an object as soon as nobody holds it."""

    def __init__(self, session: Session) -> None:
        self._merchants = MerchantRepository(session)
        self._programs = ProgramRepository(session)
        self._agreements = AgreementRepository(session)
        self._known_merchants: dict[int, tuple[str, str]] = {}
        self._program_codes: dict[int, str] = {}
        self._known_agreements: dict[int, tuple[str | None, int]] = {0: (None, 0)}

    def merchant(self, number: int) -> str:
        """A merchant's id."""
        return self._merchant(number)[0]

    def merchant_name(self, number: int) -> str:
        """A merchant's name."""
        return self._merchant(number)[1]

    def optional_merchant(self, number: int | None) -> str | None:
        """A merchant's id; None where there is no merchant."""
        return None if number is None else self.merchant(number)

    def program(self, number: int) -> str:
        """A program's code."""
        if number not in self._program_codes:
            program = self._programs.by_number(number)
            self._program_codes[number] = program.code if program else f"unknown:{number}"
        return self._program_codes[number]

    def agreement(self, number: int) -> str | None:
        """An agreement's id; None for number 0, which stands for no agreement."""
        return self._agreement(number)[0]

    def target_program(self, agreement_number: int) -> str | None:
        """The code of the program that points enter by an agreement; None where they enter none."""
        program = self._agreement(agreement_number)[1]
        return self.program(program) if program else None

    def _agreement(self, number: int) -> tuple[str | None, int]:
        if number not in self._known_agreements:
            found = self._agreements.by_number(number)
            self._known_agreements[number] = (found.id, found.target_program) if found else (f"unknown:{number}", 0)
        return self._known_agreements[number]

    def _merchant(self, number: int) -> tuple[str, str]:
        if number not in self._known_merchants:
            found = self._merchants.by_number(number)
            self._known_merchants[number] = (found.id, found.name) if found else (f"unknown:{number}",) * 2
        return self._known_merchants[number]
