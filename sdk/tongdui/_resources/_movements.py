"""Movements of points: quotes, issuances, redemptions, exchanges, and orders that hold many of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from tongdui._amounts import whole_number, whole_points
from tongdui._core import Identified, given, name_of, segment
from tongdui._flow import Awaiting, Blocking, Flow, operation
from tongdui._instructions import KIND_OF, Exchange, InstructionRequest, Issue, MemberName, ProgramName, Redeem
from tongdui._models import Movement, NonceBlock, Order, Quote, asked_for, remember
from tongdui._pages import Query, listing

from ._base import Resource


class _Movements(Resource):
    """What the resources of single movements have in common."""

    _path: str

    @operation
    def get(self, movement: str) -> Flow[Movement]:
        """One movement by id, as it stands now. Raises NotFoundError."""
        return (yield from self._core.get(Movement, f"{self._path}/{segment(movement)}"))

    @operation
    def wait(self, movement: str | Identified, timeout: float = 30.0) -> Flow[Movement]:
        """The movement once it is settled, rejected or expired, or as it stands after `timeout` seconds."""
        path = f"{self._path}/{segment(name_of(movement))}"
        found = yield from self._core.get(Movement, path)
        found = yield from self._core.follow(found, path, self._core.now() + timeout)
        return remember(found, asked_for(movement))

    @listing
    def list(
        self,
        *,
        member: MemberName | None = None,
        program: ProgramName | None = None,
        state: str | None = None,
        reference: str | None = None,
        page_size: int | None = None,
    ) -> Query[Movement]:
        """Movements, newest first, of one member, program, state or reference."""
        return Query(
            self._path,
            Movement,
            {
                "member": name_of(member) if member is not None else None,
                "program": name_of(program) if program is not None else None,
                "state": state,
                "reference": reference,
                "limit": page_size,
            },
        )

    def _hand_in(self, instruction: InstructionRequest, key: str | None, wait: float | None) -> Flow[Movement]:
        return (
            yield from self._desk.hand_in(
                Movement, self._path, [instruction], lambda bodies: bodies[0], key=key, wait=wait
            )
        )


class _Issuances(_Movements):
    _path = "/v1/issuances"

    @operation
    def create(
        self,
        *,
        program: ProgramName,
        member: MemberName,
        points: int,
        expires_on: date | None = None,
        reference: str | None = None,
        idempotency_key: str | None = None,
        wait: float | None = None,
    ) -> Flow[Movement]:
        """Gives a member new points of your program.

        `reference` is your document number; a second movement with it is refused (DuplicateReferenceError). With
        `wait` (seconds) it returns when the chain has decided; `movement.settled()` then gives the entry or raises
        RejectedError.
        """
        instruction = Issue(program=program, member=member, points=points, expires_on=expires_on, reference=reference)
        return (yield from self._hand_in(instruction, idempotency_key, wait))


class _Redemptions(_Movements):
    _path = "/v1/redemptions"

    @operation
    def create(
        self,
        *,
        program: ProgramName,
        member: MemberName,
        points: int,
        reference: str | None = None,
        idempotency_key: str | None = None,
        wait: float | None = None,
    ) -> Flow[Movement]:
        """Takes a member's points of your program in payment. Raises InsufficientPointsError when they are too few."""
        instruction = Redeem(program=program, member=member, points=points, reference=reference)
        return (yield from self._hand_in(instruction, idempotency_key, wait))


class _Exchanges(_Movements):
    _path = "/v1/exchanges"

    @operation
    def create(
        self,
        *,
        member: MemberName,
        points: int,
        agreement: str | Identified | None = None,
        source_program: ProgramName | None = None,
        target_program: ProgramName | None = None,
        min_out: int | None = None,
        quote: str | Quote | None = None,
        reference: str | None = None,
        idempotency_key: str | None = None,
        wait: float | None = None,
    ) -> Flow[Movement]:
        """Changes a member's points into another program's, by an agreement, a quote, or the agreement between two
        programs.

        `points` is the most that is burnt: what buys no whole target point stays with the member. Raises
        InsufficientPointsError, InsufficientLiquidityError, AgreementError, QuoteExpiredError.
        """
        instruction = Exchange(
            member=member,
            points=points,
            agreement=agreement,
            source_program=source_program,
            target_program=target_program,
            min_out=min_out,
            quote=quote,
            reference=reference,
        )
        return (yield from self._hand_in(instruction, idempotency_key, wait))


class _Quotes(Resource):
    @operation
    def create(
        self,
        *,
        points: int,
        agreement: str | Identified | None = None,
        source_program: ProgramName | None = None,
        target_program: ProgramName | None = None,
        member: MemberName | None = None,
        idempotency_key: str | None = None,
    ) -> Flow[Quote]:
        """What an exchange would give and cost; locked until `expires_at`. Nothing moves."""
        body = given(
            agreement=name_of(agreement) if agreement is not None else None,
            source_program=name_of(source_program) if source_program is not None else None,
            target_program=name_of(target_program) if target_program is not None else None,
            points=whole_points(points),
            member=name_of(member) if member is not None else None,
        )
        return (yield from self._core.post(Quote, "/v1/quotes", body, key=idempotency_key))


class _Orders(Resource):
    @operation
    def create(
        self,
        instructions: Sequence[InstructionRequest],
        *,
        atomic: bool = False,
        idempotency_key: str | None = None,
        wait: float | None = None,
        detail: bool = True,
    ) -> Flow[Order]:
        """Hands in 1 to 500 instructions under one signature. `atomic`: all of them take effect, or none.

        Refused as a whole when any of them cannot be accepted; `errors` of the exception then points at
        `/instructions/3/...`. Without `detail` the answer is faster, and has movements only if one was rejected.
        """
        if not 1 <= len(instructions) <= 500:
            raise ValueError(f"an order has 1 to 500 instructions, not {len(instructions)}")
        kinds = [KIND_OF[type(i)] for i in instructions]
        order = yield from self._desk.hand_in(
            Order,
            "/v1/orders",
            instructions,
            lambda bodies: {
                "atomic": atomic,
                "instructions": [{"kind": kind, **body} for kind, body in zip(kinds, bodies, strict=True)],
            },
            atomic=atomic,
            key=idempotency_key,
            wait=wait,
            minimal=not detail,
        )
        if detail or not order.rejected_count:
            return order
        return remember((yield from self._fetch(order.id)), asked_for(order))

    @operation
    def get(self, order: str) -> Flow[Order]:
        """One order with its movements, as it stands now. Raises NotFoundError."""
        return (yield from self._fetch(order))

    def _fetch(self, order: str) -> Flow[Order]:
        return (yield from self._core.get(Order, f"/v1/orders/{segment(order)}"))

    @operation
    def wait(self, order: str | Identified, timeout: float = 30.0) -> Flow[Order]:
        """The order once it is settled, rejected or expired, or as it stands after `timeout` seconds."""
        path = f"/v1/orders/{segment(name_of(order))}"
        found = yield from self._core.get(Order, path)
        found = yield from self._core.follow(found, path, self._core.now() + timeout)
        return remember(found, asked_for(order))


class _Nonces(Resource):
    @operation
    def reserve(self, count: int, *, idempotency_key: str | None = None) -> Flow[NonceBlock]:
        """Nonces for orders that you sign yourself. `orders.create` and its kin do this on their own."""
        body = {"count": whole_number(count, "count", least=1, most=1000)}
        return (yield from self._core.post(NonceBlock, "/v1/nonces", body, key=idempotency_key))


class Issuances(Blocking, _Issuances):
    """`client.issuances`."""


class AsyncIssuances(Awaiting, _Issuances):
    """`client.issuances`, awaited."""


class Redemptions(Blocking, _Redemptions):
    """`client.redemptions`."""


class AsyncRedemptions(Awaiting, _Redemptions):
    """`client.redemptions`, awaited."""


class Exchanges(Blocking, _Exchanges):
    """`client.exchanges`."""


class AsyncExchanges(Awaiting, _Exchanges):
    """`client.exchanges`, awaited."""


class Quotes(Blocking, _Quotes):
    """`client.quotes`."""


class AsyncQuotes(Awaiting, _Quotes):
    """`client.quotes`, awaited."""


class Orders(Blocking, _Orders):
    """`client.orders`."""


class AsyncOrders(Awaiting, _Orders):
    """`client.orders`, awaited."""


class Nonces(Blocking, _Nonces):
    """`client.nonces`."""


class AsyncNonces(Awaiting, _Nonces):
    """`client.nonces`, awaited."""
