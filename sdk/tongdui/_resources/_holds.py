"""Holds: points set aside while a pump runs or a seat is chosen."""

from __future__ import annotations

from typing import Any

from tongdui._amounts import whole_number, whole_points
from tongdui._core import Identified, given, name_of, segment
from tongdui._errors import VerificationError
from tongdui._flow import Awaiting, Blocking, Flow, operation
from tongdui._instructions import Exchange, MemberName, ProgramName, Redeem
from tongdui._models import Hold, Movement
from tongdui._pages import Query, listing

from ._base import Resource

_PATH = "/v1/holds"
_FROM_HOLD = {"member", "program", "source_program", "quote"}
"""What the hold itself says of an instruction."""


class _Holds(Resource):
    @operation
    def create(
        self,
        *,
        program: ProgramName,
        member: MemberName,
        points: int,
        expires_in: int = 900,
        reference: str | None = None,
        idempotency_key: str | None = None,
    ) -> Flow[Hold]:
        """Sets points of your program aside for `expires_in` seconds, at once. Raises InsufficientPointsError.

        A client that signs compares the hold with what it asked for, because `capture` will sign what the hold says:
        VerificationError (`hold.points`, `hold.program`, `hold.member`) when the gateway noted another one.
        """
        body = given(
            program=name_of(program),
            member=name_of(member),
            points=whole_points(points),
            expires_in=whole_number(expires_in, "expires_in", least=1, most=31_536_000, unit="seconds"),
            reference=reference,
        )
        hold = yield from self._core.post(Hold, _PATH, body, key=idempotency_key)
        if self._core.options.signer is not None:
            yield from self._check_asked(body, hold)
        return hold

    def _check_asked(self, asked: dict[str, Any], hold: Hold) -> Flow[None]:
        program = (yield from self._book.program(asked["program"])).code
        address = yield from self._book.address(asked["member"])
        found = (yield from self._book.address(hold.member)) if hold.member is not None else None
        compared = (
            ("points", asked["points"], hold.points),
            ("program", program, hold.program),
            ("member", address.lower(), found.lower() if found else None),
        )
        for name, expected, noted in compared:
            if expected != noted:
                raise VerificationError(
                    f"hold.{name}", "the gateway noted another hold", expected=expected, found=noted
                )

    @operation
    def capture(
        self,
        hold: str | Hold,
        *,
        points: int | None = None,
        agreement: str | Identified | None = None,
        target_program: ProgramName | None = None,
        min_out: int | None = None,
        reference: str | None = None,
        idempotency_key: str | None = None,
        wait: float | None = None,
    ) -> Flow[Movement]:
        """Turns a hold, or `points` of it, into a redemption; with `agreement` or `target_program` into an exchange.

        The rest is free at once. A client that signs takes member and program from the `Hold` that you pass; by its id
        alone it asks the gateway for them. Raises ConflictError (`hold_ended`) when it was captured, released or is
        over.
        """
        if isinstance(hold, str):
            hold = yield from self._core.get(Hold, f"{_PATH}/{segment(hold)}")
        if hold.member is None:
            raise ValueError(f"{hold.id} is nobody's: it cannot be captured")
        points = hold.points if points is None else points
        instruction: Redeem | Exchange
        if agreement is None and target_program is None:
            kind, collection = "redeem", "/v1/redemptions"
            instruction = Redeem(program=hold.program, member=hold.member, points=points, reference=reference)
        else:
            kind, collection = "exchange", "/v1/exchanges"
            instruction = Exchange(
                member=hold.member,
                points=points,
                agreement=agreement,
                source_program=hold.program,
                target_program=target_program,
                min_out=min_out,
                reference=reference,
            )

        def arrange(bodies: list[dict[str, Any]]) -> dict[str, Any]:
            return {"kind": kind, **{name: value for name, value in bodies[0].items() if name not in _FROM_HOLD}}

        path = f"{_PATH}/{segment(hold.id)}/capture"
        return (
            yield from self._desk.hand_in(
                Movement, path, [instruction], arrange, key=idempotency_key, wait=wait, collection=collection
            )
        )

    @operation
    def release(self, hold: str | Identified, *, idempotency_key: str | None = None) -> Flow[Hold]:
        """Sets the points free. Releasing twice is harmless."""
        path = f"{_PATH}/{segment(name_of(hold))}/release"
        return (yield from self._core.post(Hold, path, {}, key=idempotency_key))

    @operation
    def get(self, hold: str) -> Flow[Hold]:
        """One hold by id, as it stands now. Raises NotFoundError."""
        return (yield from self._core.get(Hold, f"{_PATH}/{segment(hold)}"))

    @listing
    def list(
        self,
        *,
        member: MemberName | None = None,
        program: ProgramName | None = None,
        state: str | None = None,
        reference: str | None = None,
        page_size: int | None = None,
    ) -> Query[Hold]:
        """Your holds, newest first, of one member, program, state or reference."""
        return Query(
            _PATH,
            Hold,
            {
                "member": name_of(member) if member is not None else None,
                "program": name_of(program) if program is not None else None,
                "state": state,
                "reference": reference,
                "limit": page_size,
            },
        )


class Holds(Blocking, _Holds):
    """`client.holds`."""


class AsyncHolds(Awaiting, _Holds):
    """`client.holds`, awaited."""
