"""Lots, and points whose day has come."""

from __future__ import annotations

from tongdui._flow import Awaiting, Blocking, Flow, operation
from tongdui._gateway import name_of, segment
from tongdui._instruction import MemberName, ProgramName
from tongdui._models import Movement
from tongdui._pagination import Query, listing
from tongdui._resource import MemberCollection, Resource
from tongdui._statement import DuePoints, Lot


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
    def due(self, *, page_size: int | None = None) -> Query[DuePoints]:
        """List points of your programs whose day has come and which are not burnt yet, `page_size` accounts at a time."""
        return Query(f"{self._path}/due", DuePoints, {"limit": page_size})


class Lots(Blocking, _Lots):
    """Lots: which points of a member expire when."""


class AsyncLots(Awaiting, _Lots):
    """Lots: which points of a member expire when. Its methods are awaited."""


class Expirations(Blocking, _Expirations):
    """Expirations: expired points that were burnt, and those that are due."""


class AsyncExpirations(Awaiting, _Expirations):
    """Expirations: expired points that were burnt, and those that are due. Its methods are awaited."""
