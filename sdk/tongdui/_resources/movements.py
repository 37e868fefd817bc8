"""Movements of all kinds, of both sides."""

from __future__ import annotations

from collections.abc import Collection
from typing import Unpack

from tongdui._flow import Awaiting, Blocking, Flow, operation
from tongdui._gateway import segment
from tongdui._models import Movement
from tongdui._movement_filters import MovementFilters, movement_query
from tongdui._pagination import Query, listing
from tongdui._resource import Resource


class _Movements(Resource):
    @listing
    def list(self, *, kind: str | None = None, **filters: Unpack[MovementFilters]) -> Query[Movement]:
        """List movements of all kinds, newest first: those that you signed, and those in which you are the other side.

        Args:
            kind: Only those of this kind: issue, redeem, exchange, spend, transfer, reverse or expire.
            filters: Which of them: `direction`, `counterparty`, `member`, ... as `MovementFilters` explains them.

        Returns:
            An iterator that fetches pages as you go.
        """
        return movement_query("/v1/movements", filters, kind)

    @operation
    def get(self, movement: str, *, expand: Collection[str] = ()) -> Flow[Movement]:
        """Fetch one movement, of whatever kind, as it is now.

        Args:
            movement: Its id.
            expand: Fields to show whole, such as `["counterparty", "member"]`: they are in `expanded` then.

        Returns:
            The movement.

        Raises:
            NotFoundError: There is none with this id, or you are on neither side of it.
        """
        return (yield from self._gateway.get(Movement, f"/v1/movements/{segment(movement)}", expand=expand))


class Movements(Blocking, _Movements):
    """Movements of all kinds: what you gave, and what you received."""


class AsyncMovements(Awaiting, _Movements):
    """Movements of all kinds: what you gave, and what you received. Its methods are awaited."""
