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
        self._merchant_ids: dict[int, str] = {}
        self._program_codes: dict[int, str] = {}
        self._agreement_ids: dict[int, str | None] = {0: None}

    def merchant(self, number: int) -> str:
        """A merchant's id."""
        if number not in self._merchant_ids:
            merchant = self._merchants.by_number(number)
            self._merchant_ids[number] = merchant.id if merchant else f"unknown:{number}"
        return self._merchant_ids[number]

    def program(self, number: int) -> str:
        """A program's code."""
        if number not in self._program_codes:
            program = self._programs.by_number(number)
            self._program_codes[number] = program.code if program else f"unknown:{number}"
        return self._program_codes[number]

    def agreement(self, number: int) -> str | None:
        """An agreement's id; None for number 0, which stands for no agreement."""
        if number not in self._agreement_ids:
            agreement = self._agreements.by_number(number)
            self._agreement_ids[number] = agreement.id if agreement else f"unknown:{number}"
        return self._agreement_ids[number]
