"""What a merchant may see because it runs a program or is a party to an agreement."""

from __future__ import annotations

from sqlalchemy.orm import Session

from clearing.kit.errors import NotFound
from clearing.kit.viewer import Viewer
from clearing.parties.agreements.models import Agreement
from clearing.parties.agreements.repository import AgreementRepository
from clearing.parties.merchants.models import Merchant
from clearing.parties.programs.repository import ProgramRepository


class Visibility:
    """One merchant's view of programs and agreements, in one session."""

    def __init__(self, session: Session, merchant_number: int) -> None:
        self._merchant_number = merchant_number
        self._programs = ProgramRepository(session)
        self._agreements = AgreementRepository(session)

    def own_programs(self) -> list[int]:
        """Numbers of the programs that the merchant runs."""
        return [program.number for program in self._programs.of_merchant(self._merchant_number)]

    def agreements(self) -> list[int]:
        """Numbers of the agreements to which it is a party."""
        return self._agreements.numbers_of(self._merchant_number)

    def programs(self) -> set[int]:
        """Numbers of the programs that it deals with: its own, and both sides of its agreements on the chain."""
        return set(self.own_programs()) | self._agreements.programs_seen_by(self._merchant_number)


def locked_for_party(agreements: AgreementRepository, merchant: Merchant, agreement_id: str) -> Agreement:
    """The agreement with this id, locked until the transaction ends; NotFound if the merchant is not one of its parties."""
    agreement = agreements.lock(agreement_id)
    if agreement is None or merchant.number not in (agreement.source_merchant, agreement.target_merchant):
        raise unknown_agreement(agreement_id)
    return agreement


def visible_agreement(session: Session, viewer: Viewer, agreement_id: str) -> Agreement:
    """The agreement with this id, or NotFound if the viewer is not one of its parties."""
    agreement = AgreementRepository(session).by_id(agreement_id)
    if agreement is None or not viewer.sees(agreement.source_merchant, agreement.target_merchant):
        raise unknown_agreement(agreement_id)
    return agreement


def unknown_agreement(agreement_id: str) -> NotFound:
    """The refusal of an agreement that does not exist, or of which the caller may not know."""
    return NotFound(f"there is no agreement {agreement_id}", code="unknown_agreement")
