"""Points that will expire soon: the accounts that have some, the first day first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy.orm import Session

from clearing.kit.clock import clock_of
from clearing.kit.errors import InvalidRequest
from clearing.kit.identity import NetworkIdentity
from clearing.kit.viewer import Viewer
from clearing.ledger.accounts.repository import AccountRepository, DuePlace
from clearing.ledger.lots.service import LotService
from clearing.parties.members.repository import MemberRepository
from clearing.parties.programs.directory import programs_in
from clearing.parties.programs.service import require_program

MOST_DAYS = 92
"""So many days ahead accounts are listed: each day is a place to look at."""


@dataclass(frozen=True, slots=True)
class Upcoming:
    """An account with points that expire on a day."""

    place: DuePlace
    member_id: str | None
    """None where no id leads to the account any more."""
    points: int
    """What its lots have left that expires on the day: 0 if all of it was used since."""


class UpcomingService:
    """What expires from tomorrow on, in one session. Reads only."""

    def __init__(self, session: Session, *, network: NetworkIdentity) -> None:
        self._session = session
        self._network = network
        self._clock = clock_of(session)

    def places(
        self,
        viewer: Viewer,
        *,
        program: str | None = None,
        first_day: date | None = None,
        end_day: date | None = None,
        after: tuple[int, int, str] | None = None,
        limit: int,
    ) -> Sequence[DuePlace]:
        """The accounts in the viewer's programs whose next points expire on a day from `first_day` to before `end_day`. What has
        come to its day today is due already, and not here. `after` is the last one of the page before."""
        tomorrow = self._network.day_at(self._clock.unix()) + 1
        furthest = tomorrow + MOST_DAYS
        first, end = (None if day is None else self._network.day_of(day) for day in (first_day, end_day))
        if end is not None and end > furthest:
            detail = (
                f"is too far ahead: the list goes {MOST_DAYS} days ahead, to before {self._network.date_of(furthest)}"
            )
            raise InvalidRequest.of_parameter("day[lt]", detail)
        days = range(max(tomorrow, first or tomorrow), furthest if end is None else end)
        place = DuePlace(*after) if after else None
        return AccountRepository(self._session).due_within(days, self._programs(viewer, program), place, limit)

    def with_points(self, places: Sequence[DuePlace]) -> Sequence[Upcoming]:
        """The same accounts with what expires there, and of whom. Costs what their lots cost."""
        lots = LotService(self._session, network=self._network).of_all([place.account for place in places])
        members = MemberRepository(self._session).by_addresses(place.address for place in places)
        found = []
        for place in places:
            member = members.get(place.address)
            points = sum(lot.points for lot in lots[place.account] if lot.expiry_day == place.due_on)
            found.append(Upcoming(place, member.id if member and member.merged_into is None else None, points))
        return found

    def _programs(self, viewer: Viewer, program: str | None) -> Sequence[int] | None:
        wanted = None if program is None else require_program(self._session, program).number
        if viewer.merchant_number is None:
            return None if wanted is None else [wanted]
        own = [each for each in programs_in(self._session).all() if each.merchant_number == viewer.merchant_number]
        return [each.number for each in own if wanted in (None, each.number)]
