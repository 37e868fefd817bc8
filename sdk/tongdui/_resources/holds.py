"""Holds: points set aside while a pump runs or a seat is chosen."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from tongdui._amounts import whole_number, whole_points
from tongdui._directory import day_number
from tongdui._dry_run import DryRun
from tongdui._errors import VerificationError
from tongdui._flow import Awaiting, Blocking, Flow, operation
from tongdui._gateway import Identified, given, name_of, optional_name_of, segment
from tongdui._instruction import CaptureTerms, MemberName, ProgramName
from tongdui._kinds import instruction_of_capture
from tongdui._kinds._conversions import require_member_or_code
from tongdui._models import Hold, Movement
from tongdui._resource import MemberCollection
from tongdui._verification import require_same
from tongdui.encoding import word

_PATH = "/v1/holds"
_LONGEST_SECONDS = 31_536_000
_CLOCKS_DIFFER = 300
"""Seconds by which this machine's clock may differ from the gateway's."""


def _body(
    points: int,
    *,
    program: ProgramName | None,
    member: MemberName | None,
    member_code: str | None,
    agreement: str | Identified | None,
    target_program: ProgramName | None,
    expires_in: int,
    reference: str | None = None,
) -> dict[str, Any]:
    """The body that asks for a hold."""
    require_member_or_code(member, member_code)
    if program is None and agreement is None:
        raise ValueError("a hold needs a program or an agreement")
    return given(
        program=optional_name_of(program),
        agreement=optional_name_of(agreement),
        target_program=optional_name_of(target_program),
        member=optional_name_of(member),
        member_code=member_code,
        points=whole_points(points),
        expires_in=whole_number(expires_in, "expires_in", least=1, most=_LONGEST_SECONDS, unit="seconds"),
        reference=reference,
    )


class _Holds(MemberCollection[Hold]):
    _model = Hold
    _path = _PATH

    @operation
    def create(
        self,
        *,
        points: int,
        program: ProgramName | None = None,
        member: MemberName | None = None,
        member_code: str | None = None,
        agreement: str | Identified | None = None,
        target_program: ProgramName | None = None,
        expires_in: int = 900,
        reference: str | None = None,
        idempotency_key: str | None = None,
    ) -> Flow[Hold]:
        """Set points aside, at once: of your program, or with the member's code of another merchant's.

        Points of another merchant are held under an agreement: the one that you name, or the one by which you take the program's
        points for goods (with `target_program`: by which they become points of yours). Its capture is bound to it.

        A client that signs compares the hold with what it asked for, because `capture` will sign what the hold says.

        Args:
            points: How many.
            program: The program. You need not name it beside an agreement.
            member: Whose points they are.
            member_code: In place of `member`: the one-time code that the member has shown you. It is used up.
            agreement: The agreement under which the points will be spent or exchanged.
            target_program: Without an agreement: the program that the points will enter.
            expires_in: Seconds until the points are free again by themselves.
            reference: Your document number.
            idempotency_key: Identifies the request over retries of your own. A random key by default.

        Returns:
            The hold.

        Raises:
            InsufficientPointsError: The member has too few points.
            MemberCodeError: The code is not valid, or not for so many points.
            AgreementError: The agreement does not allow it.
            VerificationError: The gateway recorded another hold (`hold.points`, `hold.program`, `hold.member_address`,
                `hold.taken_on`, ...).
        """
        body = _body(
            points,
            program=program,
            member=member,
            member_code=member_code,
            agreement=agreement,
            target_program=target_program,
            expires_in=expires_in,
            reference=reference,
        )
        hold = yield from self._gateway.post(Hold, _PATH, body, key=idempotency_key)
        if self._gateway.options.signer is not None:
            yield from self._check_hold(body, hold)
            yield from self._check_day(hold, is_new=idempotency_key is None)
        return hold

    @operation
    def dry_run(
        self,
        *,
        points: int,
        program: ProgramName | None = None,
        member: MemberName | None = None,
        member_code: str | None = None,
        agreement: str | Identified | None = None,
        target_program: ProgramName | None = None,
        expires_in: int = 900,
    ) -> Flow[DryRun[Hold]]:
        """Ask what `create` would do, without doing it: the member's code is not used up.

        Args:
            points: How many.
            program: The program. You need not name it beside an agreement.
            member: Whose points they would be.
            member_code: In place of `member`: the one-time code that the member has shown you.
            agreement: The agreement under which the points would be spent or exchanged.
            target_program: Without an agreement: the program that the points would enter.
            expires_in: Seconds until the points would be free again.

        Returns:
            The hold that there would be.

        Raises:
            APIError: The gateway would refuse it, for the same reason.
        """
        body = _body(
            points,
            program=program,
            member=member,
            member_code=member_code,
            agreement=agreement,
            target_program=target_program,
            expires_in=expires_in,
        )
        return (yield from self._gateway.dry_run(Hold, _PATH, body))

    @operation
    def dry_run_capture(
        self,
        hold: str | Identified,
        kind: str = "redeem",
        *,
        points: int | None = None,
        agreement: str | Identified | None = None,
        target_program: ProgramName | None = None,
        min_out: int | None = None,
    ) -> Flow[DryRun[Movement]]:
        """Ask what `capture` would do, without doing it: the hold stays as it is.

        Args:
            hold: The hold, or its id.
            kind: What it would become, such as `redeem` or `exchange`.
            points: How many of its points. By default all.
            agreement: The agreement to use.
            target_program: The program that the points would enter.
            min_out: The fewest target points that the member accepts.

        Returns:
            The movement that there would be, and what its entry would say.

        Raises:
            APIError: The gateway would refuse it, for the same reason.
        """
        body = given(
            kind=kind,
            points=points,
            agreement=optional_name_of(agreement),
            target_program=optional_name_of(target_program),
            min_out=min_out,
        )
        return (yield from self._gateway.dry_run(Movement, f"{_PATH}/{segment(name_of(hold))}/capture", body))

    def _check_day(self, hold: Hold, *, is_new: bool) -> Flow[None]:
        """Compare the hold's day with this machine's. With a key of the caller's own, the hold may be an older one."""
        first = yield from self._directory.today(-_CLOCKS_DIFFER)
        last = yield from self._directory.today(_CLOCKS_DIFFER)
        if hold.taken_on > last or (is_new and hold.taken_on < first):
            raise VerificationError(
                "hold.taken_on", "the gateway recorded another day", expected=str(last), found=str(hold.taken_on)
            )

    def _check_hold(self, asked: dict[str, Any], hold: Hold) -> Flow[None]:
        comparisons: list[tuple[str, object, object]] = [("points", asked["points"], hold.points)]
        if "program" in asked:
            program = (yield from self._directory.program(asked["program"])).code
            comparisons.append(("program", program, hold.program))
        if "agreement" in asked:
            comparisons.append(("agreement", asked["agreement"], hold.agreement))
        if "member" in asked:
            address = yield from self._directory.address(asked["member"])
            recorded = (yield from self._directory.address(hold.member)) if hold.member is not None else None
            comparisons += [("member", address, recorded), ("member_address", address, hold.member_address)]
        for name, expected, found in comparisons:
            require_same(f"hold.{name}", "the gateway recorded another hold", expected, found)

    @operation
    def capture(
        self,
        hold: str | Hold,
        *,
        points: int | None = None,
        agreement: str | Identified | None = None,
        target_program: ProgramName | None = None,
        target_merchant: str | Identified | None = None,
        min_out: int | None = None,
        reference: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        wait: float | None = None,
    ) -> Flow[Movement]:
        """Turn a hold into a redemption, an exchange or a spend.

        It becomes what the agreement says under which it was made, or the one that you name. With `target_program` it becomes an
        exchange, with `target_merchant` a spend, and without all of these a redemption.

        Points that are not captured are free at once.

        Args:
            hold: The hold. A client that signs takes member, program and day from the `Hold` that you pass; if you pass
                only an id, it asks the gateway for them.
            points: How many of its points to use. By default all.
            agreement: Exchange or spend under this agreement. By default the hold's, if it was made under one.
            target_program: Exchange into this program.
            target_merchant: Spend at this merchant's till.
            min_out: The fewest target points that the member accepts.
            reference: Your document number. A second movement with it is refused.
            metadata: A JSON object of your own, kept beside the movement and shown to you only; never on the chain.
            idempotency_key: Identifies the request over retries of your own. A random key by default.
            wait: Seconds to wait until the chain has decided.

        Returns:
            The movement.

        Raises:
            ConflictError: The hold was captured or released, or has expired (`hold_ended`).
            SigningError: The order cannot be signed on this machine.
        """
        if isinstance(hold, str):
            hold = yield from self._gateway.get(Hold, f"{_PATH}/{segment(hold)}")
        if hold.member is None:
            raise ValueError(f"{hold.id} has no member: it cannot be captured")
        bound = agreement if agreement is not None else hold.agreement
        terms = CaptureTerms(
            points=hold.points if points is None else points,
            agreement=optional_name_of(bound),
            agreement_kind=(yield from self._directory.kind_of_agreement(bound)) if bound is not None else None,
            target_program=target_program,
            target_merchant=target_merchant,
            min_out=min_out,
            reference=reference,
            metadata=metadata,
        )
        if hold.member_address is not None:
            self._directory.pin(hold.member, hold.member_address)
        instruction = instruction_of_capture(hold, terms)

        def arrange(bodies: list[dict[str, Any]]) -> dict[str, Any]:
            return {"kind": instruction.label, **instruction.capture_body(bodies[0])}

        return (
            yield from self._submitter.submit(
                Movement,
                f"{_PATH}/{segment(hold.id)}/capture",
                [instruction],
                arrange,
                key=idempotency_key,
                wait=wait,
                collection=f"/v1/{instruction.collection}",
                link=word(day_number(hold.taken_on)),
            )
        )

    @operation
    def release(self, hold: str | Identified, *, idempotency_key: str | None = None) -> Flow[Hold]:
        """Set the points free. Releasing twice does no harm.

        Args:
            hold: The hold, or its id.
            idempotency_key: Identifies the request over retries of your own. A random key by default.

        Returns:
            The released hold.

        Raises:
            ConflictError: The hold was captured or has expired (`hold_ended`).
        """
        path = f"{_PATH}/{segment(name_of(hold))}/release"
        return (yield from self._gateway.post(Hold, path, {}, key=idempotency_key))

    @operation
    def get(self, hold: str, *, expand: Collection[str] = ()) -> Flow[Hold]:
        """Fetch one hold by its id, as it is now; fields in `expand` are whole in `expanded`. Raises NotFoundError."""
        return (yield from self._gateway.get(Hold, f"{_PATH}/{segment(hold)}", expand=expand))


class Holds(Blocking, _Holds):
    """Holds: points set aside for a while."""


class AsyncHolds(Awaiting, _Holds):
    """Holds: points set aside for a while. Its methods are awaited."""
