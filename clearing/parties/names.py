"""The names (ids and codes) that the API and its users have for the chain's numbers."""

from __future__ import annotations

from sqlalchemy.orm import Session

from clearing.parties.access.actors import person_of
from clearing.parties.access.directory import keys_in
from clearing.parties.agreements.directory import agreements_in
from clearing.parties.merchants.directory import merchants_in
from clearing.parties.programs.directory import programs_in
from clearing.parties.staff.directory import staff_in


class Names:
    """Names in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def merchant(self, number: int) -> str:
        """A merchant's id."""
        found = merchants_in(self._session).by_number(number)
        return found.id if found else f"unknown:{number}"

    def merchant_name(self, number: int) -> str:
        """A merchant's name."""
        found = merchants_in(self._session).by_number(number)
        return found.name if found else f"unknown:{number}"

    def actor(self, actor: str, merchant_number: int | None) -> str | None:
        """The name of the person who acted, as this merchant (None: as one who sees everything) may see it; None for a program."""
        return staff_in(self._session).name_of(actor, merchant_number) if person_of(actor) is not None else None

    def optional_merchant(self, number: int | None) -> str | None:
        """A merchant's id; None where there is no merchant."""
        return None if number is None else self.merchant(number)

    def optional_merchant_name(self, number: int | None) -> str | None:
        """A merchant's name; None where there is no merchant."""
        return None if number is None else self.merchant_name(number)

    def actor_label(self, actor: str) -> str:
        """What those who see everything call whoever acted: a person or a process by name, a key by its role or merchant."""
        person = self.actor(actor, None)
        if person is not None:
            return person
        key = keys_in(self._session).by_id(actor)
        if key is None:
            return actor
        owner = f"the {key.role}" if key.merchant_number is None else self.merchant_name(key.merchant_number)
        return f"{key.name} ({owner})" if key.name else f"a key of {owner}"

    def program(self, number: int) -> str:
        """A program's code."""
        found = programs_in(self._session).by_number(number)
        return found.code if found else f"unknown:{number}"

    def agreement(self, number: int) -> str | None:
        """An agreement's id; None for number 0, which stands for no agreement."""
        if number == 0:
            return None
        found = agreements_in(self._session).by_number(number)
        return found.id if found else f"unknown:{number}"

    def target_program(self, agreement_number: int) -> str | None:
        """The code of the program that points enter by an agreement; None where they enter none."""
        found = agreements_in(self._session).by_number(agreement_number)
        return self.program(found.target_program) if found and found.target_program else None
