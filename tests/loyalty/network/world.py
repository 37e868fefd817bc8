"""A programme on a network, stepped by hand."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from sqlalchemy import select

from loyalty.kit.clock import ShiftedClock
from loyalty.kit.database import Database
from loyalty.kit.settings import Settings
from loyalty.network.models import OrderState, OutgoingOrder, Wish, WishState
from loyalty.network.sender import Sender
from loyalty.network.wishes import IssueWish, ReverseWish, WishService
from tests.loyalty.network.station import Station
from tongdui import Client

PATIENCE = 120.0
_runs = count(1)


@dataclass(slots=True)
class World:
    """The programme, its sender and the merchant that runs it."""

    station: Station
    database: Database
    clock: ShiftedClock
    settings: Settings
    client: Client
    run: int = field(default_factory=lambda: next(_runs))

    def sender(self, **more: Any) -> Sender:
        """A sender as it is after a start."""
        return Sender(self.database, self.client, self.settings.model_copy(update=more))

    def reference(self, name: str) -> str:
        """A reference that no other test has."""
        return f"sale:{self.run}:{name}"

    def wish(self, name: str, member: str, points: int = 10, **more: Any) -> Wish:
        """Writes a wish for points and commits it."""
        with self.database.session.begin() as session:
            wanted = IssueWish(reference=self.reference(name), program="FUEL", member=member, points=points, **more)
            return WishService(session).wish(wanted)

    def take_back(self, name: str, original: str, points: int) -> Wish:
        """Writes the wish to take points back and commits it."""
        with self.database.session.begin() as session:
            wanted = ReverseWish(reference=self.reference(name), original=self.reference(original), points=points)
            return WishService(session).wish(wanted)

    def wishes(self) -> Sequence[Wish]:
        """All wishes as they are now, oldest first."""
        with self.database.reading() as session:
            return session.scalars(select(Wish).order_by(Wish.id)).all()

    def orders(self) -> Sequence[OutgoingOrder]:
        """All orders as they are now, oldest first."""
        with self.database.reading() as session:
            return session.scalars(select(OutgoingOrder).order_by(OutgoingOrder.id)).all()

    def states(self) -> list[WishState]:
        """The state of each wish."""
        return [wish.state for wish in self.wishes()]

    def settle(self, sender: Sender | None = None) -> None:
        """Has a sender work until no wish is on its way."""
        own = sender or self.sender()
        deadline = time.monotonic() + PATIENCE
        while own.step() or not self.is_idle():
            assert time.monotonic() < deadline, f"still open: {[(o.state, o.failure) for o in self.orders()]}"
            time.sleep(0.01)

    def is_idle(self) -> bool:
        """Whether no wish waits and no order is open, but what waits for something else."""
        waits = any(wish.state is WishState.WAITING and wish.original_id is None for wish in self.wishes())
        return not waits and all(order.state is OrderState.DONE for order in self.orders())
