"""Which accounts of a member a viewer may see, and what is in them. A merchant sees those in programs that it deals with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy.orm import Session

from clearing.kit.errors import NotFound
from clearing.kit.identity import NetworkIdentity
from clearing.kit.viewer import Viewer
from clearing.ledger.accounts.repository import AccountRepository
from clearing.ledger.availability.service import Availability, AvailabilityService
from clearing.ledger.lots.service import Lot, LotService
from clearing.parties.agreements.visibility import Visibility
from clearing.parties.members.models import Member
from clearing.parties.programs.service import require_program


class AccountService:
    """Members' accounts in one session. Reads only."""

    def __init__(self, session: Session, *, network: NetworkIdentity) -> None:
        self._session = session
        self._network = network

    def balances(self, viewer: Viewer, member: Member) -> Mapping[int, Availability]:
        """The member's accounts that the viewer may see, by program number."""
        programs = self._programs(viewer)
        accounts = [
            (account.address, account.program)
            for account in AccountRepository(self._session).of_member(member.address)
            if programs is None or account.program in programs
        ]
        availability = AvailabilityService(self._session, network=self._network).of(accounts)
        return {program: availability[address, program] for address, program in accounts}

    def lots(
        self, viewer: Viewer, member: Member, program: str, *, after: tuple[int, ...] | None, limit: int
    ) -> Sequence[Lot]:
        """The lots of the member's account in a program (by code or id), in the order in which they will be used.

        `after` is the place of the last lot of the previous page.
        """
        found = require_program(self._session, program)
        programs = self._programs(viewer)
        if programs is not None and found.number not in programs:
            raise NotFound(f"there is no program {program} that you deal with")
        lots = LotService(self._session, network=self._network).of((member.address, found.number))
        return [lot for lot in lots if after is None or lot.place > after][:limit]

    def _programs(self, viewer: Viewer) -> set[int] | None:
        """The programs whose accounts the viewer may see; None for all."""
        if viewer.merchant_number is None:
            return None
        return Visibility(self._session, viewer.merchant_number).programs()
