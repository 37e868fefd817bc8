"""Spend: points taken at another merchant's till, under an agreement with their issuer, who pays for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from tongdui import orders
from tongdui._amounts import whole_points
from tongdui._directory import Directory
from tongdui._errors import SigningError
from tongdui._flow import Awaiting, Blocking, Flow, operation
from tongdui._gateway import Identified, given, optional_name_of
from tongdui._instruction import (
    CaptureTerms,
    InstructionRequest,
    MemberName,
    ProgramName,
    SignableInstruction,
    code_of,
)
from tongdui._models import Agreement, Hold, Movement, Quote
from tongdui._signing import reference_hash
from tongdui.encoding import hex_of

from ._conversions import address_of, agreement_name, number_on_chain, require_member_or_code
from ._movements import MovementResource


@dataclass(frozen=True, slots=True, kw_only=True)
class Spend(InstructionRequest):
    """Points taken for goods at another merchant's till: by an agreement, by a quote, or by a program and who takes its points.

    Attributes:
        points: How many.
        member: Whose points they are. If you issue them.
        member_code: In place of `member`: the one-time code that the member has shown you. If another merchant issues them.
        agreement: The agreement to use.
        program: Without agreement and quote: the program whose points are taken.
        target_merchant: With `program`: the merchant that takes them. By default you.
        quote: The quote that fixes the amounts.
        reference: Your document number. A second movement with it is refused.
        metadata: A JSON object of your own, kept beside the movement and shown to you only; never on the chain.
    """

    kind: ClassVar = orders.Kind.SPEND
    label: ClassVar = "spend"
    noun: ClassVar = "spend"
    collection: ClassVar = "spends"

    points: int
    member: MemberName | None = None
    member_code: str | None = None
    agreement: str | Identified | None = None
    program: ProgramName | None = None
    target_merchant: str | Identified | None = None
    quote: str | Quote | None = None
    reference: str | None = None
    metadata: Mapping[str, Any] | None = field(default=None, hash=False)

    def __post_init__(self) -> None:
        whole_points(self.points)
        require_member_or_code(self.member, self.member_code)
        if self.agreement is None and self.quote is None and self.program is None:
            raise ValueError("a spend needs agreement, quote or program")

    def body(self) -> dict[str, Any]:
        """The JSON body of the instruction when the gateway signs it."""
        route = given(
            agreement=agreement_name(self.agreement, self.quote),
            program=code_of(self.program) if self.program is not None else None,
            target_merchant=optional_name_of(self.target_merchant),
        )
        return {**route, **self._amounts()}

    def signable(self, directory: Directory) -> Flow[SignableInstruction]:
        """Work out what to sign. The body names the agreement, not the program that it was found by."""
        agreement = yield from self._agreement(directory)
        number = number_on_chain(agreement, "acceptance")
        program = yield from directory.program(agreement.source_program)
        address = yield from address_of(directory, self.member, self.member_code, program.code, self.points)
        ref = reference_hash(directory.signer, self.reference)
        wire = orders.Instruction(
            kind=self.kind, member=address, points=self.points, program=program.number, agreement=number, ref=ref
        )
        return SignableInstruction(wire, {"agreement": agreement.id, **self._amounts(), "ref": hex_of(ref)})

    @classmethod
    def from_hold(cls, hold: Hold, terms: CaptureTerms) -> Self | None:
        """Spend what a hold set aside, if the terms name an acceptance agreement or the merchant that takes the points."""
        if hold.member is None or (terms.agreement_kind != "acceptance" and terms.target_merchant is None):
            return None
        return cls(
            member=hold.member,
            points=terms.points,
            agreement=terms.agreement,
            program=hold.program,
            target_merchant=terms.target_merchant,
            reference=terms.reference,
            metadata=terms.metadata,
        )

    def capture_body(self, body: dict[str, Any]) -> dict[str, Any]:
        """Reduce the body to what a hold does not say itself: it has the program, and takes no quote."""
        return {name: value for name, value in body.items() if name not in {"member", "program", "quote"}}

    def _amounts(self) -> dict[str, Any]:
        """The part of the body that does not depend on how the agreement is named."""
        return given(
            member=optional_name_of(self.member),
            member_code=self.member_code,
            points=self.points,
            quote=optional_name_of(self.quote),
            reference=self.reference,
            metadata=self.metadata,
        )

    def _agreement(self, directory: Directory) -> Flow[Agreement]:
        if name := agreement_name(self.agreement, self.quote):
            return (yield from directory.agreement(name))
        if self.program is not None:
            acceptor = optional_name_of(self.target_merchant)
            return (yield from directory.acceptance(code_of(self.program), acceptor))
        raise SigningError("name the agreement too: the quote's id does not say which one to sign")


class _Spends(MovementResource):
    request = Spend

    @operation
    def create(
        self,
        *,
        points: int,
        member: MemberName | None = None,
        member_code: str | None = None,
        agreement: str | Identified | None = None,
        program: ProgramName | None = None,
        target_merchant: str | Identified | None = None,
        quote: str | Quote | None = None,
        reference: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        wait: float | None = None,
    ) -> Flow[Movement]:
        """Take points for goods at a till that is not the issuer's. The issuer pays the till's merchant at once.

        Name an agreement, a quote, or the program; for a program the newest agreement that you may use is found. At your own till,
        pass the member's code. For points of your own program, pass the member and who takes the points.

        Args:
            points: How many.
            member: Whose points they are, if you issue them.
            member_code: In place of `member`: the one-time code that the member has shown you. It is used up.
            agreement: The agreement to use.
            program: The program whose points are taken.
            target_merchant: With `program`: the merchant that takes them. By default you.
            quote: The quote that fixes the amounts. A client that signs needs the `Quote` itself, or also `agreement`.
            reference: Your document number. A second movement with it is refused.
            metadata: What you keep beside the spend: a JSON object that nobody else sees, and the chain never.
            idempotency_key: Identifies the request over retries of your own. A random key by default.
            wait: Seconds to wait until the chain has decided.

        Returns:
            The movement. `movement.settled()` gives its entry, or raises RejectedError.

        Raises:
            InsufficientPointsError: The member has too few points.
            InsufficientLiquidityError: The issuer's position and credit limit do not cover it.
            MemberCodeError: The code is not valid, or not for so many points.
            AgreementError: The agreement does not allow it.
            QuoteExpiredError: The quote has expired.
            SigningError: The order cannot be signed on this machine.
        """
        instruction = Spend(
            points=points,
            member=member,
            member_code=member_code,
            agreement=agreement,
            program=program,
            target_merchant=target_merchant,
            quote=quote,
            reference=reference,
            metadata=metadata,
        )
        return (yield from self._submit(instruction, idempotency_key, wait))


class Spends(Blocking, _Spends):
    """Spends: points taken for goods at another merchant's till."""


class AsyncSpends(Awaiting, _Spends):
    """Spends: points taken for goods at another merchant's till. Its methods are awaited."""
