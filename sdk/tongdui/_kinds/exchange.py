"""Exchange: points of one program into points of another, under an agreement of their merchants."""

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
class Exchange(InstructionRequest):
    """Points of one program into points of another: by an agreement, by a quote, or from one program to another.

    Attributes:
        points: How many source points to exchange at most.
        member: Whose points they are.
        member_code: In place of `member`: the one-time code that the member has shown you. If another merchant issues the points.
        agreement: The agreement to use.
        source_program: Without agreement and quote: the program that the points leave.
        target_program: Without agreement and quote: the program that they enter.
        min_out: The fewest target points that the member accepts. With a `Quote`, the quoted number by default.
        quote: The quote that fixes the amounts.
        reference: Your document number. A second movement with it is refused.
        metadata: A JSON object of your own, kept beside the movement and shown to you only; never on the chain.
    """

    kind: ClassVar = orders.Kind.EXCHANGE
    label: ClassVar = "exchange"
    noun: ClassVar = "exchange"
    collection: ClassVar = "exchanges"

    points: int
    member: MemberName | None = None
    member_code: str | None = None
    agreement: str | Identified | None = None
    source_program: ProgramName | None = None
    target_program: ProgramName | None = None
    min_out: int | None = None
    quote: str | Quote | None = None
    reference: str | None = None
    metadata: Mapping[str, Any] | None = field(default=None, hash=False)

    def __post_init__(self) -> None:
        whole_points(self.points)
        require_member_or_code(self.member, self.member_code)
        if self.min_out is not None:
            whole_points(self.min_out, "min_out", zero=True)
        has_pair = self.source_program is not None and self.target_program is not None
        if not (has_pair or self.agreement is not None or self.quote is not None):
            raise ValueError("an exchange needs agreement, quote, or both source_program and target_program")

    def body(self) -> dict[str, Any]:
        """The JSON body of the instruction when the gateway signs it."""
        programs = given(
            source_program=code_of(self.source_program) if self.source_program else None,
            target_program=code_of(self.target_program) if self.target_program else None,
        )
        return {**given(agreement=agreement_name(self.agreement, self.quote)), **programs, **self._amounts()}

    def signable(self, directory: Directory) -> Flow[SignableInstruction]:
        """Work out what to sign. The body names the agreement, not the programs that it was found by."""
        if isinstance(self.quote, str) and not self.min_out:
            raise SigningError("pass the Quote itself: its id does not say how many points the order must bring")
        agreement = yield from self._agreement(directory)
        number = number_on_chain(agreement, "exchange")
        program = yield from directory.program(agreement.source_program)
        address = yield from address_of(directory, self.member, self.member_code, program.code, self.points)
        ref = reference_hash(directory.signer, self.reference)
        wire = orders.Instruction(
            kind=self.kind,
            member=address,
            points=self.points,
            program=program.number,
            agreement=number,
            min_out=self._least_out() or 0,
            ref=ref,
        )
        return SignableInstruction(wire, {"agreement": agreement.id, **self._amounts(), "ref": hex_of(ref)})

    @classmethod
    def from_hold(cls, hold: Hold, terms: CaptureTerms) -> Self | None:
        """Exchange what a hold set aside, if the terms name an exchange agreement or a target program."""
        if hold.member is None or (terms.agreement_kind != "exchange" and terms.target_program is None):
            return None
        return cls(
            member=hold.member,
            points=terms.points,
            agreement=terms.agreement,
            source_program=hold.program,
            target_program=terms.target_program,
            min_out=terms.min_out,
            reference=terms.reference,
            metadata=terms.metadata,
        )

    def capture_body(self, body: dict[str, Any]) -> dict[str, Any]:
        """Reduce the body to what a hold does not say itself: it has the source program, and takes no quote."""
        return {name: value for name, value in body.items() if name not in {"member", "source_program", "quote"}}

    def _amounts(self) -> dict[str, Any]:
        """The part of the body that does not depend on how the agreement is named."""
        return given(
            member=optional_name_of(self.member),
            member_code=self.member_code,
            points=self.points,
            min_out=self._least_out(),
            quote=optional_name_of(self.quote),
            reference=self.reference,
            metadata=self.metadata,
        )

    def _least_out(self) -> int | None:
        return self.min_out or (self.quote.out if isinstance(self.quote, Quote) else None)

    def _agreement(self, directory: Directory) -> Flow[Agreement]:
        if name := agreement_name(self.agreement, self.quote):
            return (yield from directory.agreement(name))
        if self.source_program is not None and self.target_program is not None:
            source, target = code_of(self.source_program), code_of(self.target_program)
            return (yield from directory.agreement_between(source, target))
        raise SigningError("name the agreement too: the quote's id does not say which one to sign")


class _Exchanges(MovementResource):
    request = Exchange

    @operation
    def create(
        self,
        *,
        points: int,
        member: MemberName | None = None,
        member_code: str | None = None,
        agreement: str | Identified | None = None,
        source_program: ProgramName | None = None,
        target_program: ProgramName | None = None,
        min_out: int | None = None,
        quote: str | Quote | None = None,
        reference: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        wait: float | None = None,
    ) -> Flow[Movement]:
        """Change a member's points into another program's.

        Name an agreement, a quote, or the two programs; for these the newest agreement that you may start is used.

        Args:
            member: Whose points they are.
            member_code: In place of `member`: the one-time code that the member has shown you, for points that another merchant
                issues. It is used up.
            points: How many source points to exchange at most. What buys no whole target point stays with the member.
            agreement: The agreement to use.
            source_program: The program that the points leave.
            target_program: The program that they enter.
            min_out: The fewest target points that the member accepts. With a `Quote`, the quoted number by default.
            quote: The quote that fixes the amounts. A client that signs needs the `Quote` itself, or also `min_out`.
            reference: Your document number. A second movement with it is refused.
            metadata: A JSON object of your own, kept beside the movement and shown to you only; never on the chain.
            idempotency_key: Identifies the request over retries of your own. A random key by default.
            wait: Seconds to wait until the chain has decided.

        Returns:
            The movement. `movement.settled()` gives its entry, or raises RejectedError.

        Raises:
            InsufficientPointsError: The member has too few points.
            InsufficientLiquidityError: The paying merchant's position and credit limit do not cover it.
            MemberCodeError: The code is not valid, or not for so many points.
            AgreementError: The agreement does not allow it.
            QuoteExpiredError: The quote has expired.
            SigningError: The order cannot be signed on this machine.
        """
        instruction = Exchange(
            member=member,
            member_code=member_code,
            points=points,
            agreement=agreement,
            source_program=source_program,
            target_program=target_program,
            min_out=min_out,
            quote=quote,
            reference=reference,
            metadata=metadata,
        )
        return (yield from self._submit(instruction, idempotency_key, wait))


class Exchanges(Blocking, _Exchanges):
    """Exchanges: points of one program into points of another."""


class AsyncExchanges(Awaiting, _Exchanges):
    """Exchanges: points of one program into points of another. Its methods are awaited."""
