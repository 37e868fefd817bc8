"""The transactions of a sender: it takes an order, and each step that it has made is kept before the next one begins.

Nothing here talks to the network. Every change asks whether the order is still the sender's: one that was slow finds out that
another sender has taken over, and changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from loyalty.kit.database import Database
from loyalty.kit.ids import new_id
from loyalty.kit.settings import Settings
from loyalty.network.debts import DebtService
from loyalty.network.models import OrderState, OutgoingOrder, Wish, WishState
from loyalty.network.order_repository import OrderRepository
from loyalty.network.outcomes import settle, settlement
from loyalty.network.wish_repository import WishRepository
from loyalty.network.wishes import refuse
from tongdui import Movement, PreparedOrder

Reason = tuple[str, str]
"""A code, and what it means here, in words."""

_DEADLINE_SLACK = timedelta(seconds=60)
"""Clocks differ: so long after its deadline nobody takes an order any more."""


class LostLease(Exception):
    """Another sender has taken over."""


@dataclass(slots=True)
class Work:
    """An order that a sender works on, as the database has it."""

    order: OutgoingOrder
    owner: str
    wishes: Sequence[Wish]
    originals: Mapping[str, Wish]

    @property
    def key(self) -> str:
        """The idempotency key of what the order carries now."""
        return f"{self.order.id}-{self.order.version}"

    @property
    def prepared(self) -> PreparedOrder:
        """What is sent."""
        assert self.order.content is not None, "a signed order has its bytes"
        deadline = self.order.deadline
        return PreparedOrder(
            self.order.content, self.key, self.order.nonce, int(deadline.timestamp()) if deadline else None
        )

    def original_of(self, wish: Wish) -> Wish | None:
        """The wish that this one undoes."""
        return self.originals.get(wish.original_id) if wish.original_id is not None else None


class OutgoingOrders:
    """Where a sender keeps what it does."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings

    # ---------------------------------------------------------------- taking

    def take(self) -> Work | None:
        """An order to work on: one that is due, or new wishes. Nobody else works on it for as long as a lease lasts."""
        now = self._database.clock.now()
        with self._database.session.begin() as session:
            order = OrderRepository(session).due(now) or self._claimed(session)
            if order is None:
                return None
            order.owner = new_id("snd")
            order.leased_until = now + timedelta(seconds=self._settings.lease)
            return _work(session, order, order.owner)

    def _claimed(self, session: Session) -> OutgoingOrder | None:
        wishes = WishRepository(session)
        found = wishes.claimable(self._settings.order_size)
        if not found:
            return None
        order = OutgoingOrder(id=new_id("out"))
        OrderRepository(session).add(order)
        wishes.put_into(order, found)
        return order

    # ---------------------------------------------------------------- what was done

    def keep_signed(self, work: Work, prepared: PreparedOrder) -> Work:
        """Keeps the bytes, before anybody sends them."""
        with self._changing(work) as (_, order):
            order.state, order.content, order.nonce = OrderState.SIGNED, prepared.content, prepared.nonce
            order.deadline = None if prepared.deadline is None else datetime.fromtimestamp(prepared.deadline, UTC)
            return Work(order, work.owner, work.wishes, work.originals)

    def keep_accepted(self, work: Work, network_order: str) -> None:
        """Keeps that the network has the order, and looks again soon."""
        with self._changing(work) as (_, order):
            order.state, order.network_order = OrderState.ACCEPTED, network_order
            order.failures, order.failure = 0, None
            self._rest(order, self._settings.poll_interval)

    def book(self, work: Work, movements: Mapping[str | None, Movement]) -> None:
        """Books what the chain has decided of each wish, by reference."""
        now = self._database.clock.now()
        with self._changing(work) as (session, order):
            can_expire = order.deadline is None or order.deadline < now
            wishes, settled, others = WishRepository(session), [], []
            for wish, reference, known in wishes.undecided(order):
                movement = movements[reference]
                if (outcome := settlement(movement)) is not None:
                    settled.append({"id": wish, **outcome})
                elif movement.is_final or movement.id != known:
                    others.append(wish)
            wishes.change(settled)
            for other in wishes.with_ids(others):
                settle(other, movements[other.reference], can_expire=can_expire)
            order.failures, order.failure = 0, None
            self._rest_or_end(session, order, self._settings.poll_interval)

    def refuse(self, work: Work, reasons: Mapping[str, Reason]) -> Work:
        """Refuses these wishes (by id). The others are signed anew, with the same nonce."""
        with self._changing(work) as (session, order):
            for wish in WishRepository(session).of_order(order):
                if wish.id in reasons:
                    refuse(wish, *reasons[wish.id])
                    wish.order_id = None
            return self._changed(session, order, work)

    def owe(self, work: Work, there: Mapping[str, int]) -> Work:
        """Has these reversals (by id) take back the points that are there; the others are owed. All is signed anew, with the same
        nonce."""
        with self._changing(work) as (session, order):
            for wish in WishRepository(session).of_order(order):
                if wish.id in there:
                    DebtService(session).book(wish, there[wish.id])
            return self._changed(session, order, work)

    def split(self, work: Work) -> Work:
        """Gives half of the wishes to an order of their own: one of them is refused, and nobody says which."""
        with self._changing(work) as (session, order):
            wishes = WishRepository(session).of_order(order)
            _gathered(session, wishes[len(wishes) // 2 :], OutgoingOrder(id=new_id("out")))
            return self._changed(session, order, work)

    def adopt(self, work: Work, found: Mapping[str, str], reasons: Mapping[str, Reason]) -> Work:
        """Gives wishes that the network has already to the order (of the network) that has them, by the wishes' ids."""
        with self._changing(work) as (session, order):
            wishes = WishRepository(session).of_order(order)
            for network_order in sorted(set(found.values())):
                theirs = [wish for wish in wishes if found.get(wish.id) == network_order]
                adopted = OutgoingOrder(id=new_id("out"), state=OrderState.ACCEPTED, network_order=network_order)
                _gathered(session, theirs, adopted)
            for wish in wishes:
                if wish.id in reasons:
                    refuse(wish, *reasons[wish.id])
                    wish.order_id = None
            return self._changed(session, order, work)

    def sign_anew(self, work: Work, failure: str) -> None:
        """Has the same wishes signed again a little later, with the same nonce."""
        with self._changing(work) as (session, order):
            self._changed(session, order, work)
            self._fail(order, failure)

    def let_go(self, work: Work, failure: str) -> None:
        """Gives all wishes free, to be sent in other orders with other nonces, once these bytes can no longer take effect."""
        now = self._database.clock.now()
        with self._changing(work) as (session, order):
            free_at = now if order.deadline is None else order.deadline + _DEADLINE_SLACK
            if free_at > now:
                order.failure = failure[:500]
                self._rest(order, (free_at - now).total_seconds())
                return
            for wish in WishRepository(session).of_order(order):
                wish.state, wish.order_id = WishState.WAITING, None
            self._rest_or_end(session, order, 0)

    def postpone(self, work: Work, failure: str) -> None:
        """Keeps the order as it is, for another attempt: after one second, two, four and so on."""
        with self._changing(work) as (_, order):
            self._fail(order, failure)

    # ---------------------------------------------------------------- how

    @contextmanager
    def _changing(self, work: Work) -> Iterator[tuple[Session, OutgoingOrder]]:
        with self._database.session.begin() as session:
            order = OrderRepository(session).owned(work.order.id, work.owner)
            if order is None or order.version != work.order.version:
                raise LostLease(work.order.id)
            yield session, order

    def _changed(self, session: Session, order: OutgoingOrder, work: Work) -> Work:
        """An order that carries something else than before, or nothing more."""
        order.state, order.content, order.version = OrderState.CLAIMED, None, order.version + 1
        session.flush()
        if not WishRepository(session).of_order(order):
            self._rest_or_end(session, order, 0)
        return _work(session, order, work.owner)

    def _rest_or_end(self, session: Session, order: OutgoingOrder, seconds: float) -> None:
        session.flush()
        if not WishRepository(session).has_undecided(order):
            order.state, order.content = OrderState.DONE, None
        self._rest(order, seconds)

    def _rest(self, order: OutgoingOrder, seconds: float) -> None:
        order.owner = order.leased_until = None
        order.due_at = self._database.clock.now() + timedelta(seconds=seconds)

    def _fail(self, order: OutgoingOrder, failure: str) -> None:
        pause = min(2 ** min(order.failures, 16), self._settings.longest_pause)
        order.failures, order.failure = order.failures + 1, failure[:500]
        self._rest(order, pause)


def _work(session: Session, order: OutgoingOrder, owner: str) -> Work:
    session.flush()
    wishes = WishRepository(session).of_order(order)
    return Work(order, owner, wishes, WishRepository(session).originals(wishes))


def _gathered(session: Session, wishes: Collection[Wish], order: OutgoingOrder) -> OutgoingOrder:
    """A new order with these wishes."""
    OrderRepository(session).add(order)
    for wish in wishes:
        wish.state, wish.order_id = WishState.SENDING, order.id
    return order
