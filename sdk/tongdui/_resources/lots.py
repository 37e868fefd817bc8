"""Lots, points whose day has come, and points whose day is near."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

from tongdui._flow import Awaiting, Blocking, Flow, operation
from tongdui._gateway import expanding, name_of, optional_name_of, segment
from tongdui._instruction import MemberName, ProgramName
from tongdui._models import DuePoints, Movement, UpcomingPoints
from tongdui._pagination import Query, listing
from tongdui._resource import MemberCollection, Resource
from tongdui._statement import Lot


class _Lots(Resource):
    @listing
    def list(self, member: MemberName, program: ProgramName, *, page_size: int | None = None) -> Query[Lot]:
        """List what a member has left of each lot, in the order in which it will be used.

        Args:
            member: The member.
            program: The program.
            page_size: Lots to fetch at a time.

        Returns:
            An iterator that fetches pages as you go.
        """
        path = f"/v1/members/{segment(name_of(member))}/accounts/{segment(name_of(program))}/lots"
        return Query(path, Lot, {"limit": page_size})


class _Expirations(MemberCollection[Movement]):
    _model = Movement
    _path = "/v1/expirations"

    @operation
    def get(self, movement: str) -> Flow[Movement]:
        """Fetch one expiration by its id. Raises NotFoundError."""
        return (yield from self._gateway.get(Movement, f"{self._path}/{segment(movement)}"))

    @listing
    def due(self, *, expand: Collection[str] = (), page_size: int | None = None) -> Query[DuePoints]:
        """List points of your programs whose day has come and which are not burnt yet, `page_size` accounts at a time; fields in
        `expand` are whole in `expanded`."""
        return Query(f"{self._path}/due", DuePoints, {**expanding(expand), "limit": page_size})

    @listing
    def upcoming(
        self,
        *,
        program: ProgramName | None = None,
        first_day: date | None = None,
        end_day: date | None = None,
        expand: Collection[str] = (),
        page_size: int | None = None,
    ) -> Query[UpcomingPoints]:
        """List accounts of your programs whose next points expire from tomorrow on, the first day first; up to 92 days ahead.

        Args:
            program: Only of this program.
            first_day: Only what expires on this day or later.
            end_day: Only what expires before this day.
            expand: Fields to show whole, such as `["member"]`: they are in `expanded` then.
            page_size: Accounts to fetch at a time.

        Returns:
            An iterator that fetches pages as you go.
        """
        wanted = {
            "program": optional_name_of(program),
            "day[gte]": first_day.isoformat() if first_day else None,
            "day[lt]": end_day.isoformat() if end_day else None,
            **expanding(expand),
            "limit": page_size,
        }
        return Query(f"{self._path}/upcoming", UpcomingPoints, wanted)


class Lots(Blocking, _Lots):
    """Lots: which points of a member expire when."""


class AsyncLots(Awaiting, _Lots):
    """Lots: which points of a member expire when. Its methods are awaited."""


class Expirations(Blocking, _Expirations):
    """Expirations: expired points that were burnt, those that are due, and what expires soon."""


class AsyncExpirations(Awaiting, _Expirations):
    """Expirations: expired points that were burnt, those that are due, and what expires soon. Its methods are awaited."""
