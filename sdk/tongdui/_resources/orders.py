"""Orders of many instructions, the nonces that they are signed with, and quotes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tongdui._amounts import whole_number, whole_points
from tongdui._dry_run import DryRun
from tongdui._flow import Awaiting, Blocking, Flow, operation
from tongdui._gateway import Identified, checked_key, given, name_of, new_key, optional_name_of, segment
from tongdui._instruction import InstructionRequest, MemberName, ProgramName
from tongdui._kinds import KINDS
from tongdui._models import NonceBlock, Order, Quote, expect, expectations_of
from tongdui._prepared import PreparedOrder
from tongdui._resource import Resource

_MOST_INSTRUCTIONS = 500


def _check(instructions: Sequence[InstructionRequest]) -> None:
    """Refuse what no order can hold. Raises ValueError or TypeError."""
    if not 1 <= len(instructions) <= _MOST_INSTRUCTIONS:
        raise ValueError(f"an order has 1 to {_MOST_INSTRUCTIONS} instructions, not {len(instructions)}")
    for index, instruction in enumerate(instructions):
        if not isinstance(instruction, KINDS):
            allowed = ", ".join(kind.__name__ for kind in KINDS)
            raise TypeError(f"instruction {index} is a {type(instruction).__name__}; an order takes {allowed}")


def _body(
    instructions: Sequence[InstructionRequest], bodies: Sequence[dict[str, Any]], *, atomic: bool
) -> dict[str, Any]:
    """The body of the order, without its authorization."""
    labels = (instruction.label for instruction in instructions)
    items = [{"kind": label, **body} for label, body in zip(labels, bodies, strict=True)]
    return {"atomic": atomic, "instructions": items}


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
        """Submit 1 to 500 instructions under one signature.

        The gateway refuses the whole order if it cannot accept one of the instructions; `errors` of the exception then
        points at `/instructions/3/...`.

        Args:
            instructions: What to do: `Issue`, `Redeem` and `Exchange` objects.
            atomic: Whether all of them take effect or none.
            idempotency_key: Identifies the request over retries of your own. A random key by default.
            wait: Seconds to wait until the chain has decided.
            detail: Whether the answer has every movement. Without, it is faster and has movements only if one of them
                was rejected.

        Returns:
            The order.

        Raises:
            APIError: The gateway refused the order.
            SigningError: The order cannot be signed on this machine.
        """
        _check(instructions)

        def arrange(bodies: list[dict[str, Any]]) -> dict[str, Any]:
            return _body(instructions, bodies, atomic=atomic)

        order = yield from self._submitter.submit(
            Order,
            "/v1/orders",
            instructions,
            arrange,
            atomic=atomic,
            key=idempotency_key,
            wait=wait,
            minimal=not detail,
        )
        if detail or not order.rejected_count:
            return order
        return expect((yield from self._fetch(order.id)), expectations_of(order))

    @operation
    def prepare(
        self,
        instructions: Sequence[InstructionRequest],
        *,
        atomic: bool = False,
        idempotency_key: str | None = None,
        nonce: int | None = None,
    ) -> Flow[PreparedOrder]:
        """Make and sign an order, and do not send it: keep it, then `submit` it, as often as it takes.

        `create` does both at once, and after a crash the order has to be signed anew. A prepared order that you have kept
        stays what it was, byte for byte. Nothing happens if it is never submitted.

        Args:
            instructions: What to do: `Issue`, `Reverse` and others.
            atomic: Whether all of them take effect or none.
            idempotency_key: Identifies the request. A random key by default.
            nonce: The nonce to sign with: that of an earlier order which this one replaces because it was refused. Only one of
                the two can ever take effect. By default a nonce that nobody else has.

        Returns:
            The order, to be kept and submitted.

        Raises:
            NotFoundError: A member or a program is unknown.
            SigningError: The order cannot be signed on this machine.
        """
        _check(instructions)

        def arrange(bodies: list[dict[str, Any]]) -> dict[str, Any]:
            return _body(instructions, bodies, atomic=atomic)

        key = checked_key(idempotency_key) if idempotency_key is not None else new_key()
        return (yield from self._submitter.prepare(instructions, arrange, atomic=atomic, key=key, nonce=nonce))

    @operation
    def submit(self, prepared: PreparedOrder, *, wait: float | None = None, detail: bool = True) -> Flow[Order]:
        """Send a prepared order as it is. Sent again, it gets the first answer.

        Args:
            prepared: What `prepare` has made.
            wait: Seconds to wait until the chain has decided.
            detail: Whether the answer has every movement. Without, it is faster and may have none.

        Returns:
            The order.

        Raises:
            APIError: The gateway refused the order; `errors` may point at its instructions.
            APIConnectionError: No answer came. Send it again.
        """
        return (yield from self._submitter.submit_prepared("/v1/orders", prepared, wait, minimal=not detail))

    @operation
    def cancel(self, order: str | Identified, *, idempotency_key: str | None = None) -> Flow[Order]:
        """Cancel an order that waits for a batch, and release what it reserved. The operator may do this.

        Args:
            order: The order, or its id.
            idempotency_key: Identifies the request over retries of your own. A random key by default.

        Returns:
            The cancelled order.

        Raises:
            ConflictError: It is in a batch already, or final (`order_not_waiting`).
        """
        path = f"/v1/orders/{segment(name_of(order))}/cancel"
        return self._gateway.parse(Order, (yield from self._gateway.send("POST", path, key=idempotency_key)))

    @operation
    def dry_run(self, instructions: Sequence[InstructionRequest], *, atomic: bool = False) -> Flow[DryRun[Order]]:
        """Ask what `create` would do, without doing it: every check of the gateway, but no effect and no signature.

        Args:
            instructions: What to try.
            atomic: Whether all of them take effect or none.

        Returns:
            The order that there would be, and for each instruction what its entry would say.

        Raises:
            APIError: The gateway would refuse it, for the same reason.
        """
        _check(instructions)
        body = _body(instructions, [instruction.body() for instruction in instructions], atomic=atomic)
        return (yield from self._gateway.dry_run(Order, "/v1/orders", body))

    @operation
    def get(self, order: str) -> Flow[Order]:
        """Fetch one order by its id, with its movements as they are now. Raises NotFoundError."""
        return (yield from self._fetch(order))

    @operation
    def wait(self, order: str | Identified, timeout: float = 30.0) -> Flow[Order]:
        """Wait until an order is settled, rejected or expired.

        Args:
            order: The order, or its id.
            timeout: Seconds to wait at most.

        Returns:
            The order: final, or as it was when the time was up.

        Raises:
            NotFoundError: There is none with this id, or you may not see it.
        """
        path = f"/v1/orders/{segment(name_of(order))}"
        found = yield from self._gateway.get(Order, path)
        found = yield from self._gateway.follow(found, path, self._gateway.now() + timeout)
        return expect(found, expectations_of(order))

    def _fetch(self, order: str) -> Flow[Order]:
        return (yield from self._gateway.get(Order, f"/v1/orders/{segment(order)}"))


class _Nonces(Resource):
    @operation
    def reserve(self, count: int, *, idempotency_key: str | None = None) -> Flow[NonceBlock]:
        """Reserve nonces for orders that you build and sign yourself. Every `create` of this client does so on its own.

        Args:
            count: How many, 1 to 1000.
            idempotency_key: Identifies the request over retries of your own. A random key by default.

        Returns:
            The reserved nonces.
        """
        body = {"count": whole_number(count, "count", least=1, most=1000)}
        return (yield from self._gateway.post(NonceBlock, "/v1/nonces", body, key=idempotency_key))


class _Quotes(Resource):
    @operation
    def create(
        self,
        *,
        points: int,
        agreement: str | Identified | None = None,
        source_program: ProgramName | None = None,
        target_program: ProgramName | None = None,
        target_merchant: str | Identified | None = None,
        member: MemberName | None = None,
        idempotency_key: str | None = None,
    ) -> Flow[Quote]:
        """Lock what an exchange or a spend would give and cost. No points move.

        Args:
            points: How many source points to exchange at most, or to spend.
            agreement: The agreement to use.
            source_program: Without an agreement: the program that the points leave.
            target_program: Without an agreement: the program that they enter, for an exchange.
            target_merchant: Without an agreement: the merchant that takes them for goods, for a spend. By default you.
            member: Whose points they are.
            idempotency_key: Identifies the request over retries of your own. A random key by default.

        Returns:
            The amounts, locked until `expires_at`.

        Raises:
            AgreementError: The agreement does not allow it.
        """
        body = given(
            agreement=optional_name_of(agreement),
            source_program=optional_name_of(source_program),
            target_program=optional_name_of(target_program),
            target_merchant=optional_name_of(target_merchant),
            points=whole_points(points),
            member=optional_name_of(member),
        )
        return (yield from self._gateway.post(Quote, "/v1/quotes", body, key=idempotency_key))


class Orders(Blocking, _Orders):
    """Orders: many instructions under one signature."""


class AsyncOrders(Awaiting, _Orders):
    """Orders: many instructions under one signature. Its methods are awaited."""


class Nonces(Blocking, _Nonces):
    """Nonces, for orders that you build and sign yourself."""


class AsyncNonces(Awaiting, _Nonces):
    """Nonces, for orders that you build and sign yourself. Its methods are awaited."""


class Quotes(Blocking, _Quotes):
    """Quotes: what an exchange or a spend would give and cost."""


class AsyncQuotes(Awaiting, _Quotes):
    """Quotes: what an exchange or a spend would give and cost. Its methods are awaited."""
