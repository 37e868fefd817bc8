"""Issue: new points for a member."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, ClassVar

from tongdui import orders
from tongdui._amounts import whole_points
from tongdui._directory import Directory, day_number
from tongdui._flow import Awaiting, Blocking, Flow, operation
from tongdui._gateway import given, name_of
from tongdui._instruction import (
    InstructionRequest,
    MemberName,
    ProgramName,
    SignableInstruction,
    code_of,
)
from tongdui._models import Movement
from tongdui._signing import reference_hash
from tongdui.encoding import hex_of

from ._movements import MovementResource


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue(InstructionRequest):
    """New points for a member.

    Attributes:
        program: The program to issue in.
        member: Who gets the points.
        points: How many.
        expires_on: The first day on which the points are gone. By default the program's lifetime decides.
        reference: Your document number. A second movement with it is refused.
        metadata: A JSON object of your own, kept beside the movement and shown to you only; never on the chain.
    """

    kind: ClassVar = orders.Kind.ISSUE
    label: ClassVar = "issue"
    noun: ClassVar = "issuance"
    collection: ClassVar = "issuances"

    program: ProgramName
    member: MemberName
    points: int
    expires_on: date | None = None
    reference: str | None = None
    metadata: Mapping[str, Any] | None = field(default=None, hash=False)

    def __post_init__(self) -> None:
        whole_points(self.points)
        if self.expires_on is not None:
            _check_day(self.expires_on, "expires_on")

    def body(self) -> dict[str, Any]:
        """The JSON body of the instruction when the gateway signs it."""
        return given(
            program=code_of(self.program),
            member=name_of(self.member),
            points=self.points,
            expires_on=self.expires_on.isoformat() if self.expires_on else None,
            reference=self.reference,
            metadata=self.metadata,
        )

    def signable(self, directory: Directory) -> Flow[SignableInstruction]:
        """Work out what to sign: by default with the expiry that the program gives points issued today."""
        program = yield from directory.program(code_of(self.program))
        expiry = self.expires_on
        if expiry is None and program.default_lifetime_days:
            expiry = (yield from directory.today()) + timedelta(days=program.default_lifetime_days)
        address = yield from directory.address(name_of(self.member))
        ref = reference_hash(directory.signer, self.reference)
        wire = orders.Instruction(
            kind=self.kind,
            member=address,
            points=self.points,
            program=program.number,
            expiry_day=day_number(expiry) if expiry else 0,
            ref=ref,
        )
        return SignableInstruction(wire, {**self.body(), "ref": hex_of(ref)})


def _check_day(value: object, field: str) -> None:
    if not isinstance(value, date) or isinstance(value, datetime):
        raise TypeError(f"{field} must be a datetime.date, not {value!r}")


class _Issuances(MovementResource):
    request = Issue

    @operation
    def create(
        self,
        *,
        program: ProgramName,
        member: MemberName,
        points: int,
        expires_on: date | None = None,
        reference: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        wait: float | None = None,
    ) -> Flow[Movement]:
        """Give a member new points of your program.

        Args:
            program: The program to issue in.
            member: Who gets the points.
            points: How many.
            expires_on: The first day on which the points are gone. By default the program's lifetime decides.
            reference: Your document number. A second movement with it is refused.
            metadata: A JSON object of your own, kept beside the movement and shown to you only; never on the chain.
            idempotency_key: Identifies the request over retries of your own. A random key by default.
            wait: Seconds to wait until the chain has decided.

        Returns:
            The movement. `movement.settled()` gives its entry, or raises RejectedError.

        Raises:
            DuplicateReferenceError: The reference was used before.
            IssuanceCapError: The program may not issue so many points today.
            SigningError: The order cannot be signed on this machine.
        """
        instruction = Issue(
            program=program, member=member, points=points, expires_on=expires_on, reference=reference, metadata=metadata
        )
        return (yield from self._submit(instruction, idempotency_key, wait))


class Issuances(Blocking, _Issuances):
    """Issuances: new points of your program."""


class AsyncIssuances(Awaiting, _Issuances):
    """Issuances: new points of your program. Its methods are awaited."""
