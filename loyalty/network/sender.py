"""The sender: it brings wishes to the network in signed orders, and books what becomes of them.

An order goes through four states, each kept before the next step: claimed, signed (its exact bytes are kept), accepted, done. So a
sender that dies anywhere is followed by one that sends the same bytes under the same key, and the network has them once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import structlog

from loyalty.kit.database import Database
from loyalty.kit.settings import Settings
from loyalty.network.enrolment import Enrolment
from loyalty.network.kinds import KINDS
from loyalty.network.models import OrderState, Wish
from loyalty.network.outcomes import SPENT
from loyalty.network.sending import LostLease, OutgoingOrders, Reason, Work
from tongdui import (
    APIError,
    AuthorizationError,
    Client,
    DuplicateReferenceError,
    ForbiddenError,
    IdempotencyKeyReusedError,
    InstructionRequest,
    Movement,
    NonceUsedError,
    NotFoundError,
    Order,
    PreparedOrder,
    TongduiError,
    UnprocessableError,
)

log = structlog.get_logger(__name__)

_POINTER = re.compile(r"/instructions/(\d+)(?:/|$)")
_TOO_LARGE = 413
_PASSING = frozenset({"program_paused", "over_issuance_cap", "member_merged", "not_settled"})
"""Refusals of an instruction that say "not now": tomorrow, or once somebody has acted, it may be carried out as it is."""


class Sender:
    """Sends for one programme. Any number of senders may work on one database."""

    def __init__(self, database: Database, client: Client, settings: Settings) -> None:
        self._client = client
        self._enrolment = Enrolment(database, client)
        self.orders = OutgoingOrders(database, settings)

    def step(self) -> bool:
        """Works on one order, as far as it goes now; without one, tells the network of members. False if nothing is due."""
        work = self.orders.take()
        if work is None:
            return self._enrolment.step()
        try:
            self._advance(work)
        except LostLease:
            log.info("another sender has taken over", order=work.order.id)
        return True

    def _advance(self, work: Work) -> None:
        going: Work | None = work
        while going is not None and going.order.state is not OrderState.DONE:
            work = going
            try:
                if work.order.state is OrderState.CLAIMED:
                    going = self._sign(work)
                elif work.order.state is OrderState.SIGNED:
                    going = self._submit(work)
                else:
                    self._look(work)
                    return
            except (TongduiError, TypeError, ValueError) as error:
                # No answer, "not now", or something that no other order would change: the bytes stay what they are.
                log.warning("the network did not decide", order=work.order.id, error=str(error))
                self.orders.postpone(work, str(error))
                return

    # ---------------------------------------------------------------- claimed -> signed

    def _sign(self, work: Work) -> Work:
        self._enrolment.before(work.wishes)
        try:
            prepared = self.prepare(work, work.wishes)
        except NotFoundError:
            self._client.network.get()  # where there is no gateway, nothing is found either: then this is refused, too
            return self.orders.refuse(work, self._unknown(work, work.wishes))
        return self.orders.keep_signed(work, prepared)

    def prepare(self, work: Work, wishes: Sequence[Wish]) -> PreparedOrder:
        """Signs wishes as one order. With the same key it takes the same nonce."""
        instructions = [self._instruction(work, wish) for wish in wishes]
        return self._client.orders.prepare(instructions, idempotency_key=work.key, nonce=work.order.nonce)

    def _instruction(self, work: Work, wish: Wish) -> InstructionRequest:
        return KINDS[wish.kind].instruction(wish, work.original_of(wish))

    def _unknown(self, work: Work, wishes: Sequence[Wish]) -> dict[str, Reason]:
        """Finds those wishes, by id, that name a member or a program which the network does not know, by halves."""
        try:
            self.prepare(work, wishes)
        except NotFoundError as error:
            if len(wishes) == 1:
                return {wishes[0].id: (error.code, error.detail)}
            half = len(wishes) // 2
            return self._unknown(work, wishes[:half]) | self._unknown(work, wishes[half:])
        return {}

    # ---------------------------------------------------------------- signed -> accepted

    def _submit(self, work: Work) -> Work | None:
        try:
            order = self.submit(work.prepared)
        except DuplicateReferenceError as error:
            return self._adopt(work, error, _pointed(error, work.wishes) or work.wishes)
        except NonceUsedError as error:
            return self._recover(work, error)
        except AuthorizationError as error:
            if error.code == "deadline_passed":
                self.orders.let_go(work, str(error))
            else:  # a key or a member's address has changed: what is signed now may be right
                self.orders.sign_anew(work, str(error))
            return None
        except IdempotencyKeyReusedError as error:  # it is for another version of the order, whatever it was
            self.orders.sign_anew(work, str(error))
            return None
        except (UnprocessableError, NotFoundError, ForbiddenError) as error:
            return self._refused(work, error)
        except APIError as error:
            if error.status != _TOO_LARGE or len(work.wishes) == 1:
                raise
            return self.orders.split(work)
        self.orders.keep_accepted(work, order.id)
        return None

    def submit(self, prepared: PreparedOrder) -> Order:
        """Sends what was kept."""
        return self._client.orders.submit(prepared, detail=False)  # the answer's id is all that is kept of it

    def _refused(self, work: Work, error: APIError) -> Work | None:
        """The network takes the order only without some of its wishes."""
        pointed = _pointed(error, work.wishes)
        if error.code in _PASSING:
            self.orders.sign_anew(work, str(error))
            return None
        if error.code == SPENT and (short := self._short(work, pointed or work.wishes)) is not None:
            return self._owed(work, short, error)
        if pointed:
            return self.orders.refuse(work, {wish.id: (error.code, detail) for wish, detail in pointed.items()})
        if isinstance(error, ForbiddenError):
            raise error  # it is about whoever calls, not about what was asked
        if len(work.wishes) > 1:
            return self.orders.split(work)
        return self.orders.refuse(work, {work.wishes[0].id: (error.code, error.detail)})

    def _short(self, work: Work, suspects: Iterable[Wish]) -> dict[str, int] | None:
        """How many points of the one reversal among these can be taken back, by its id; None if it is not said which one it is."""
        found = [wish for wish in suspects if wish.original_id is not None]
        if len(found) != 1:
            return None
        (wish,) = found
        accounts = self._client.members.accounts(wish.member)
        there = sum(account.available for account in accounts if account.program == wish.program)
        earlier = [one for one in work.wishes if one.original_id is not None and one.id < wish.id]
        taken = sum(one.moving for one in earlier if (one.member, one.program) == (wish.member, wish.program))
        return {wish.id: min(max(0, there - taken), wish.moving)}

    def _owed(self, work: Work, short: Mapping[str, int], error: APIError) -> Work | None:
        """Takes back what is there, and the rest is owed."""
        if any(wish.moving == short.get(wish.id) for wish in work.wishes):
            self.orders.sign_anew(work, str(error))  # points have come meanwhile: now they are all there
            return None
        return self.orders.owe(work, short)

    def _adopt(self, work: Work, error: APIError, suspects: Iterable[Wish]) -> Work | None:
        """The network has some of the wishes: from an earlier life of this database, or from somebody else."""
        found, reasons = self._known(work, suspects)
        if not found and not reasons:
            self.orders.postpone(work, str(error))  # somebody is submitting them at this very moment
            return None
        return self.orders.adopt(work, found, reasons)

    def _recover(self, work: Work, error: NonceUsedError) -> Work | None:
        """Another order has the nonce. What the network has of the wishes is adopted; the others wait until the bytes are void."""
        found, reasons = self._known(work, work.wishes)
        if found or reasons:
            return self.orders.adopt(work, found, reasons)
        self.orders.let_go(work, str(error))
        return None

    def _known(self, work: Work, wishes: Iterable[Wish]) -> tuple[dict[str, str], dict[str, Reason]]:
        """What the network has under the references of these wishes: its order, or why that is not what was wished for."""
        found: dict[str, str] = {}
        reasons: dict[str, Reason] = {}
        suspects = list(wishes)
        for kind in {wish.kind for wish in suspects}:
            ours = {wish.reference: wish for wish in suspects if wish.kind == kind}
            for movement in self._client.movements.lookup(kind, ours):
                wish = ours[str(movement.reference)]
                if self._is_of(work, wish, movement):
                    found[wish.id] = movement.order
                else:
                    detail = f"the network has {movement.id} under this reference, and that is something else"
                    reasons[wish.id] = "duplicate_reference", detail
        return found, reasons

    def _is_of(self, work: Work, wish: Wish, movement: Movement) -> bool:
        members = self._client.members.lookup([wish.member])
        is_theirs = any(movement.member in {member.id, *member.merged} for member in members)
        return is_theirs and KINDS[wish.kind].is_of(wish, work.original_of(wish), movement)

    # ---------------------------------------------------------------- accepted -> done

    def _look(self, work: Work) -> None:
        assert work.order.network_order is not None, "the network has accepted it"
        order = self._client.orders.get(work.order.network_order)
        movements: Mapping[str | None, Movement] = {movement.reference: movement for movement in order.movements}
        if missing := [wish.reference for wish in work.wishes if wish.reference not in movements]:
            self.orders.postpone(work, f"{order.id} of the network has no movement {missing[0]}")
            return
        self.orders.book(work, movements)


def _pointed(error: APIError, wishes: Sequence[Wish]) -> dict[Wish, str]:
    """The wishes at which a refusal points, with what is wrong with them."""
    found = {}
    for one in error.errors:
        match = _POINTER.match(one.pointer)
        if match and int(match[1]) < len(wishes):
            found[wishes[int(match[1])]] = one.detail
    return found
