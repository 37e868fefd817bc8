"""Which accounts of a member a viewer may see, and what is in them. A merchant sees those in programs that it deals with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from clearing.kit.errors import NotFound
from clearing.kit.identity import NetworkIdentity
from clearing.kit.viewer import Viewer
from clearing.ledger.accounts.repository import AccountRepository
from clearing.ledger.availability.service import Availability, AvailabilityService
from clearing.ledger.lots.service import Lot, LotService
from clearing.parties.agreements.visibility import Visibility
from clearing.parties.members.repository import MemberRepository
from clearing.parties.members.service import MemberService, is_address
from clearing.parties.programs.service import require_program


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose accounts: an address, and the member to whom it belongs; None where it was erased."""

    address: str
    member_id: str | None


class AccountService:
    """Members' accounts in one session. Reads only."""

    def __init__(self, session: Session, *, network: NetworkIdentity) -> None:
        self._session = session
        self._network = network

    def holder(self, viewer: Viewer, reference: str) -> Holder:
        """Whose accounts the viewer means. A merchant names a member that it knows; the others also an address, which may be one
        that a merge has emptied, or that no member has any more."""
        if viewer.merchant_number is not None or not is_address(reference):
            member = MemberService(self._session).visible(viewer, reference)
            return Holder(member.address, member.id)
        address = reference.lower()
        owner = MemberRepository(self._session).by_addresses([address]).get(address)
        if owner is None and not AccountRepository(self._session).of_member(address):
            raise NotFound(f"there is no account at {address}")
        return Holder(address, None if owner is None else owner.id)

    def posted(self, viewer: Viewer, holder: Holder) -> dict[int, int]:
        """What the chain says that the holder has, by the number of each program whose account the viewer may see."""
        programs = self._programs(viewer)
        accounts = AccountRepository(self._session).of_member(holder.address)
        return {
            account.program: account.posted for account in accounts if programs is None or account.program in programs
        }

    def balances(self, viewer: Viewer, holder: Holder) -> Mapping[int, Availability]:
        """The holder's accounts that the viewer may see, by program number."""
        accounts = [(holder.address, program) for program in self.posted(viewer, holder)]
        availability = AvailabilityService(self._session, network=self._network).of(accounts)
        return {program: availability[address, program] for address, program in accounts}

    def lots(
        self, viewer: Viewer, holder: Holder, program: str, *, after: tuple[int, ...] | None, limit: int
    ) -> Sequence[Lot]:
        """The lots of the holder's account in a program (by code or id), in the order in which they will be used.

        `after` is the place of the last lot of the previous page.
        """
        found = require_program(self._session, program)
        programs = self._programs(viewer)
        if programs is not None and found.number not in programs:
            raise NotFound(f"there is no program {program} that you deal with")
        lots = LotService(self._session, network=self._network).of((holder.address, found.number))
        return [lot for lot in lots if after is None or lot.place > after][:limit]

    def _programs(self, viewer: Viewer) -> set[int] | None:
        """The programs whose accounts the viewer may see; None for all."""
        if viewer.merchant_number is None:
            return None
        return Visibility(self._session, viewer.merchant_number).programs()
