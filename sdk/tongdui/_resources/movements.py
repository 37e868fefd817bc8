"""Movements of all kinds, of both sides."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import islice
from typing import Final, TypeAlias, Unpack

from tongdui._flow import Awaiting, Blocking, Flow, operation
from tongdui._gateway import segment
from tongdui._models import Movement
from tongdui._movement_filters import MovementFilters, movement_query
from tongdui._pagination import Page, Query, listing
from tongdui._resource import Resource

_LOOKUP_PAGE: Final = 500
"""References that the gateway looks up at once."""
_Found: TypeAlias = list[Movement]
"""Within the class below, `list` is its method."""


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

    @operation
    def lookup(self, kind: str, references: Iterable[str]) -> Flow[_Found]:
        """Find your own movements by your document numbers, 500 with each request.

        Args:
            kind: What you have given the numbers to: issue, redeem, exchange, spend, transfer, reverse or expire.
            references: The document numbers.

        Returns:
            The movements, in the order of the numbers. Those that you have not made, or that were refused, are missing.
        """
        if isinstance(references, str):
            raise TypeError(f'lookup takes a list of references: ["{references}"]')
        found: _Found = []
        left = iter(dict.fromkeys(references))
        while some := [*islice(left, _LOOKUP_PAGE)]:
            body = {"kind": kind, "references": some}
            response = yield from self._gateway.send("POST", "/v1/movements/lookup", json=body)
            found += self._gateway.parse(Page[Movement], response).data
        return found


class Movements(Blocking, _Movements):
    """Movements of all kinds: what you gave, and what you received."""


class AsyncMovements(Awaiting, _Movements):
    """Movements of all kinds: what you gave, and what you received. Its methods are awaited."""
