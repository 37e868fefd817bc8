"""From what a merchant asks for to the chain's numbers: looks up what a request names, and checks what can be known beforehand.

Reads only. What differs between kinds of instruction stands in `kinds`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy.orm import Session

from clearing.kit.clock import clock_of
from clearing.kit.errors import Forbidden, InvalidRequest, NotFound, Pointer, Refused
from clearing.kit.identity import NetworkIdentity
from clearing.ledger.accounts.repository import AccountKey
from clearing.ordering.orders.requests import InstructionRequest
from clearing.ordering.quotes.repository import QuoteRepository
from clearing.parties.agreements.models import Agreement
from clearing.parties.agreements.usability import UsabilityService
from clearing.parties.members.models import Member
from clearing.parties.members.repository import KnownMember, MemberRepository
from clearing.parties.merchants.models import Merchant, MerchantStatus
from clearing.parties.programs.models import Program, ProgramStatus
from clearing.parties.programs.repository import ProgramRepository
from tongdui.encoding import ZERO_WORD, bytes_of, word
from tongdui.orders import UINT64_MAX, ZERO_ADDRESS, Instruction


class Gain(NamedTuple):
    """Points of a program that the member gets: later instructions of an atomic order may use them."""

    program: int
    points: int


class Draw(NamedTuple):
    """Points that an instruction takes, and the account from which it takes them."""

    account: AccountKey
    points: int


class CapUse(NamedTuple):
    """Source points of an agreement's daily cap: `needed` must be left of it, `reserved` count until the order is final."""

    daily_cap: int
    needed: int
    reserved: int


class Charge(NamedTuple):
    """What an instruction costs beside points: `micros` of the payer, and its use of the agreement's daily cap, if it has one."""

    payer: int
    micros: int
    use: CapUse | None = None


class Sides(NamedTuple):
    """The merchant whose points go, and the one whose points come or who takes them for goods. None: they come out of nothing, or
    end. `target_program` is the program that points enter; 0 for none."""

    giver: int | None = None
    receiver: int | None = None
    target_program: int = 0


class Draft(NamedTuple):
    """A resolved instruction, with what it will use up. A tuple, because an order has hundreds of them."""

    request: InstructionRequest
    at: Pointer
    member: Member | KnownMember
    instruction: Instruction
    sides: Sides
    draw: Draw | None = None
    gain: Gain | None = None
    charge: Charge | None = None

    @property
    def account(self) -> AccountKey:
        """The account whose points it moves."""
        return self.instruction.member, self.instruction.program

    @property
    def cap_use(self) -> CapUse | None:
        """Its use of the agreement's daily cap, if it has one."""
        return self.charge.use if self.charge is not None else None


def drawn(instruction: Instruction) -> Draw:
    """The draw of an instruction that takes its points from its own member and program."""
    return Draw((instruction.member, instruction.program), instruction.points)


class Resolver:
    """Looks up what the requests of one merchant's order name; each thing once, however often it is named."""

    def __init__(
        self, session: Session, merchant: Merchant, network: NetworkIdentity, *, held_on: int | None = None
    ) -> None:
        """`held_on` is the network day of the hold that the order comes from: its lots are taken as on that day."""
        self.merchant = merchant
        self._held_on = held_on
        self.network = network
        self.clock = clock_of(session)
        self.usability = UsabilityService(session, network=network)
        self._programs = ProgramRepository(session)
        self._members = MemberRepository(session)
        self._quotes = QuoteRepository(session)
        self._known_members: dict[str, KnownMember] = {}
        self._known_programs: dict[str | int, Program] = {}
        self._known_agreements: dict[tuple[str | None, str | None, str | None], Agreement] = {}

    def prepare(self, requests: Iterable[InstructionRequest]) -> None:
        """Looks the members of all requests up, in one statement."""
        self._known_members = self._members.resolve_all(self.merchant.number, (r.member for r in requests))

    @staticmethod
    def require_points(request: InstructionRequest, at: Pointer) -> None:
        """Refuses points that are not a positive number of 64 bits."""
        if not 0 < request.points <= UINT64_MAX:
            raise InvalidRequest.at(at("points"), "points must be a whole number from 1 up")

    def instruction(
        self,
        request: InstructionRequest,
        member: Member | KnownMember,
        program: Program,
        *,
        agreement: int = 0,
        min_out: int = 0,
        expiry_day: int = 0,
    ) -> Instruction:
        """The instruction as it is signed."""
        return Instruction(
            kind=request.kind,
            member=member.address,
            points=request.points,
            program=program.number,
            agreement=agreement,
            min_out=min_out,
            expiry_day=expiry_day,
            link=ZERO_WORD if self._held_on is None else word(self._held_on),
            ref=bytes_of(request.ref) if request.ref is not None else ZERO_WORD,
        )

    # ---------------------------------------------------------------- members

    def member(self, request: InstructionRequest, at: Pointer) -> KnownMember:
        """The member, whom the merchant must know."""
        member = self._known_members.get(request.member)
        if member is None or member.address == ZERO_ADDRESS:
            detail = f"there is no member {request.member}; register it with POST /v1/members"
            raise NotFound.at(at("member"), detail, code="unknown_member")
        return member

    def member_of_network(self, request: InstructionRequest, at: Pointer) -> Member | KnownMember:
        """The member, whom the merchant need not know if it gives the id: points come by exchanges and as gifts, too."""
        return self._members.by_id(request.member) or self.member(request, at)

    # ---------------------------------------------------------------- programs

    def own_program(self, request: InstructionRequest, name: str, at: Pointer) -> Program:
        """The program with this code or id, which must be the merchant's own and active."""
        program = self._program(name, at("program"))
        if program.merchant_number != self.merchant.number:
            raise Forbidden.at(
                at("program"),
                f"{program.code} belongs to another merchant; only that merchant may {request.kind.label} it",
                code="not_program_merchant",
            )
        if program.status is not ProgramStatus.ACTIVE:
            detail = f"program {program.code} is {program.status}: nothing in it moves until it is active"
            raise Refused.at(at("program"), detail, code="program_paused")
        return program

    def source_program(self, agreement: Agreement) -> Program:
        """The program whose points are burnt under an agreement."""
        number = agreement.source_program
        program = self._known_programs.get(number) or self._programs.by_number(number)
        assert program is not None, "agreements name registered programs"
        self._known_programs[number] = program
        return program

    def _program(self, name: str, pointer: str) -> Program:
        program = self._known_programs.get(name) or self._programs.by_code_or_id(name)
        if program is None:
            raise NotFound.at(pointer, f"there is no program {name}", code="unknown_program")
        self._known_programs[name] = program
        return program

    # ---------------------------------------------------------------- the merchant itself

    def refuse_suspended(self) -> None:
        """Refuses what a suspended merchant may not do."""
        if self.merchant.status is not MerchantStatus.ACTIVE:
            raise Forbidden(
                f"merchant {self.merchant.id} is {self.merchant.status}: it may only redeem and reverse",
                code="merchant_suspended",
            )

    # ---------------------------------------------------------------- agreements

    def exchange_agreement(
        self, *, agreement_id: str | None, source_program: str | None, target_program: str | None, at: Pointer
    ) -> Agreement:
        """The exchange agreement that a request names, if the merchant may start an exchange under it now."""
        key = (agreement_id, source_program, target_program)
        if key not in self._known_agreements:
            self._known_agreements[key] = self.usability.exchange_agreement(
                self.merchant,
                agreement_id=agreement_id,
                source_program=source_program,
                target_program=target_program,
                at=at,
            )
        return self._known_agreements[key]

    def quoted(self, quote_id: str, points: int, source_program: str | None, at: Pointer) -> tuple[Agreement, int]:
        """The agreement of a quote that still holds, and the target points that it promises."""
        quote = self._quotes.by_id(quote_id)
        if quote is None or quote.merchant_number != self.merchant.number:
            raise NotFound.at(at("quote"), f"there is no quote {quote_id}")
        if quote.expires_at <= self.clock.now():
            raise Refused.at(at("quote"), "the quote has expired; ask for a new one", code="quote_expired")
        if quote.points != points:
            raise InvalidRequest.at(at("points"), f"the quote is for {quote.points} points, not {points}")
        agreement = self.exchange_agreement(
            agreement_id=quote.agreement_id, source_program=source_program, target_program=None, at=at
        )
        return agreement, quote.out
