"""Instructions as you write them, as the API takes them, and as they are signed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, TypeAlias

from . import orders
from ._amounts import whole_points
from ._core import Core, Identified, M, given, name_of, new_key
from ._errors import APIError, SigningError
from ._flow import Flow
from ._models import Asked, Member, NonceBlock, Program, Quote, remember
from ._nonces import NonceLease
from ._reference import Book, day_number
from ._signing import reference_hash, signed
from .encoding import hex_of

MemberName: TypeAlias = str | Identified
"""A `Member`, its id (`mem_...`), or `external:` and your own number for the customer."""
ProgramName: TypeAlias = str | Identified
"""A `Program`, its code (`FUEL`) or its id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """New points for a member. `expires_on` is the first day on which they are gone; without it the program's default
    holds."""

    program: ProgramName
    member: MemberName
    points: int
    expires_on: date | None = None
    reference: str | None = None

    def __post_init__(self) -> None:
        whole_points(self.points)
        if self.expires_on is not None:
            _check_day(self.expires_on, "expires_on")

    def body(self) -> dict[str, Any]:
        """What the API takes."""
        return given(
            program=_program(self.program),
            member=name_of(self.member),
            points=self.points,
            expires_on=self.expires_on.isoformat() if self.expires_on else None,
            reference=self.reference,
        )

    def wire(self, book: Book) -> Flow[tuple[orders.Instruction, dict[str, Any]]]:
        """What is signed, and what the API has to be told in addition."""
        program = yield from book.program(_program(self.program))
        expiry = self.expires_on
        if expiry is None and program.default_lifetime_days:
            expiry = (yield from book.today()) + timedelta(days=program.default_lifetime_days)
        address = yield from book.address(name_of(self.member))
        ref = reference_hash(book.signer, self.reference)
        instruction = orders.Instruction(
            kind=orders.Kind.ISSUE,
            member=address,
            points=self.points,
            program=program.number,
            expiry_day=day_number(expiry) if expiry else 0,
            ref=ref,
        )
        return instruction, {"ref": hex_of(ref)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Redeem:
    """Points taken in at the program's own till."""

    program: ProgramName
    member: MemberName
    points: int
    reference: str | None = None

    def __post_init__(self) -> None:
        whole_points(self.points)

    def body(self) -> dict[str, Any]:
        """What the API takes."""
        return given(
            program=_program(self.program),
            member=name_of(self.member),
            points=self.points,
            reference=self.reference,
        )

    def wire(self, book: Book) -> Flow[tuple[orders.Instruction, dict[str, Any]]]:
        """What is signed, and what the API has to be told in addition."""
        program = yield from book.program(_program(self.program))
        address = yield from book.address(name_of(self.member))
        ref = reference_hash(book.signer, self.reference)
        instruction = orders.Instruction(
            kind=orders.Kind.REDEEM, member=address, points=self.points, program=program.number, ref=ref
        )
        return instruction, {"ref": hex_of(ref)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """Points of one program into points of another, by `agreement`, by `quote`, or from `source_program` to
    `target_program`.

    `min_out` is the fewest target points that the member accepts; with a `Quote` it is the quoted number unless you
    say otherwise.
    """

    member: MemberName
    points: int
    agreement: str | Identified | None = None
    source_program: ProgramName | None = None
    target_program: ProgramName | None = None
    min_out: int | None = None
    quote: str | Quote | None = None
    reference: str | None = None

    def __post_init__(self) -> None:
        whole_points(self.points)
        if self.min_out is not None:
            whole_points(self.min_out, "min_out", zero=True)
        pair = self.source_program is not None and self.target_program is not None
        if not (pair or self.agreement is not None or self.quote is not None):
            raise ValueError("an exchange needs agreement, quote, or both source_program and target_program")

    def body(self) -> dict[str, Any]:
        """What the API takes."""
        quote = self.quote
        return given(
            agreement=self._agreement(),
            source_program=_program(self.source_program) if self.source_program else None,
            target_program=_program(self.target_program) if self.target_program else None,
            member=name_of(self.member),
            points=self.points,
            min_out=self.min_out or (quote.out if isinstance(quote, Quote) else None),
            quote=name_of(quote) if quote is not None else None,
            reference=self.reference,
        )

    def wire(self, book: Book) -> Flow[tuple[orders.Instruction, dict[str, Any]]]:
        """What is signed, and what the API has to be told in addition: above all which agreement was signed."""
        body = self.body()
        if isinstance(self.quote, str) and not self.min_out:
            raise SigningError("pass the Quote itself: its id does not say how many points the order must bring")
        if name := self._agreement():
            agreement = yield from book.agreement(name)
        elif self.source_program is not None and self.target_program is not None:
            agreement = yield from book.agreement_between(body["source_program"], body["target_program"])
        else:
            raise SigningError("name the agreement too: the quote's id does not say which one to sign")
        if agreement.number is None:
            raise SigningError(f"agreement {agreement.id} is {agreement.state}: it is not on the chain")
        program = yield from book.program(agreement.source_program)
        address = yield from book.address(name_of(self.member))
        ref = reference_hash(book.signer, self.reference)
        instruction = orders.Instruction(
            kind=orders.Kind.EXCHANGE,
            member=address,
            points=self.points,
            program=program.number,
            agreement=agreement.number,
            min_out=body.get("min_out", 0),
            ref=ref,
        )
        return instruction, {"ref": hex_of(ref), "agreement": agreement.id}

    def _agreement(self) -> str | None:
        if self.agreement is None:
            return self.quote.agreement if isinstance(self.quote, Quote) else None
        return name_of(self.agreement)


InstructionRequest: TypeAlias = Issue | Redeem | Exchange
"""What an order may hold."""

KIND_OF = {Issue: "issue", Redeem: "redeem", Exchange: "exchange"}

_STALE_NONCE = {"nonce_used", "nonce_not_reserved"}
_STALE = {"wrong_signer", "agreement_not_live", "unknown_agreement", "unknown_program"}
"""Refusals that may only mean that reference data changed since it was fetched. Nothing was accepted then."""


@dataclass(slots=True)
class Desk:
    """Signs orders where there is a signer, and hands them in."""

    core: Core
    book: Book
    nonces: NonceLease

    def hand_in(
        self,
        model: type[M],
        path: str,
        instructions: Sequence[InstructionRequest],
        arrange: Callable[[list[dict[str, Any]]], dict[str, Any]],
        *,
        atomic: bool = False,
        key: str | None,
        wait: float | None,
        minimal: bool = False,
        collection: str | None = None,
    ) -> Flow[M]:
        """Posts what `arrange` makes of the instructions' bodies, signed if there is a signer.

        When the gateway refuses a signature because reference data changed since it was fetched (a new agreement,
        midnight), the data is fetched again and the order signed again, once, under the same nonce: of the two only
        one can ever take effect. A key that you gave is never changed, so then the refusal is raised. So is one that is
        about the nonce: nothing is ever signed under two.

        The answer remembers what was signed (or, without a signer, asked for), for `entries.receipt`.
        """
        signing = self.core.options.signer is not None
        own_key = key or new_key()
        nonce = (yield from self._nonce(key)) if signing else None
        for last in (False, True):
            asked: Iterable[Asked]
            if nonce is None:
                bodies, authorization = [i.body() for i in instructions], None
                asked = tuple(self._asked(i) for i in instructions)
            else:
                bodies, authorization, order = yield from self._sign(instructions, nonce, atomic=atomic)
                asked = _Signed(order, with_nonce=key is None or self.nonces.outlives_process)
            body = {**arrange(bodies), **given(authorization=authorization)}
            try:
                answer = self.core.post(
                    model, path, body, key=own_key, wait=wait, minimal=minimal, collection=collection
                )
                return remember((yield from answer), asked)
            except APIError as refusal:
                if refusal.code in _STALE_NONCE:
                    self.nonces.drop()
                if last or not signing or key is not None or refusal.code not in _STALE:
                    raise
            self.book.forget()
            own_key = new_key()
        raise AssertionError("unreachable")

    def _sign(
        self, instructions: Sequence[InstructionRequest], nonce: int, *, atomic: bool
    ) -> Flow[tuple[list[dict[str, Any]], dict[str, Any], orders.Order]]:
        """Bodies as the API takes them, the `authorization` over exactly these instructions, and the order."""
        domain = yield from self.book.domain()
        merchant = yield from self.book.own_number()
        wires, bodies = [], []
        for instruction in instructions:
            wire, told = yield from instruction.wire(self.book)
            wires.append(wire)
            bodies.append(_told(instruction.body(), told))
        deadline = int(self.core.now()) + self.core.options.deadline_seconds
        order = orders.Order(merchant, nonce, deadline, tuple(wires), atomic)
        signature = signed(self.book.signer, order.digest(domain))
        return bodies, {"nonce": nonce, "deadline": deadline, "signature": signature}, order

    def _asked(self, instruction: InstructionRequest) -> Asked:
        """What a client without a signer knows of the entry that an instruction will become."""
        kind = orders.Kind[KIND_OF[type(instruction)].upper()]
        member = instruction.member
        address = member.address if isinstance(member, Member) else self.book.known_address(name_of(member))
        return {"kind": int(kind), **given(member=address), "points": instruction.points}

    def _nonce(self, key: str | None) -> Flow[int]:
        while (nonce := self.nonces.take(key)) is None:
            body = {"count": self.nonces.block}
            self.nonces.add((yield from self.core.post(NonceBlock, "/v1/nonces", body)))
        return nonce


@dataclass(frozen=True, slots=True)
class _Signed:
    """What the signed order says of the entries that it will become, made when somebody looks.

    Without the nonce where an earlier process may have signed for the same Idempotency-Key: its order, and so its
    nonce, is then the one that the gateway rightly answers with. The expiry is left out for the same reason: midnight
    may have passed.
    """

    order: orders.Order
    with_nonce: bool

    def __iter__(self) -> Iterator[Asked]:
        for item, i in enumerate(self.order.instructions):
            yield {
                "merchant": self.order.merchant,
                **({"nonce": self.order.nonce} if self.with_nonce else {}),
                "item": item,
                "kind": int(i.kind),
                "program": i.program,
                "agreement": i.agreement,
                "member": i.member,
                "points": i.points,
                "ref": hex_of(i.ref),
            }


def _told(body: dict[str, Any], told: dict[str, Any]) -> dict[str, Any]:
    """A body that names the agreement which was signed, and not the programs by which it was found."""
    if "agreement" in told:
        body = {k: v for k, v in body.items() if k not in {"source_program", "target_program"}}
    return {**body, **told}


def _program(program: ProgramName) -> str:
    return program.code if isinstance(program, Program) else name_of(program)


def _check_day(value: object, field: str) -> None:
    if not isinstance(value, date) or isinstance(value, datetime):
        raise TypeError(f"{field} must be a datetime.date, not {value!r}")
