"""From what a merchant asks for to the chain's numbers: looks up what a request names, and checks what can be known beforehand.

Reads only. What differs between kinds of instruction stands in `kinds`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy.orm import Session

from clearing.kit.clock import clock_of
from clearing.kit.errors import Forbidden, InvalidRequest, NotFound, Pointer, Refused
from clearing.kit.identity import NetworkIdentity
from clearing.ledger.accounts.repository import AccountKey
from clearing.ledger.activity.repository import ActivityRepository
from clearing.ordering.orders.movement_repository import MovementRepository
from clearing.ordering.orders.repository import OrderRepository, Reversed
from clearing.ordering.orders.requests import InstructionRequest, MemberRequest, PointsRequest
from clearing.ordering.quotes.models import Quote
from clearing.ordering.quotes.repository import QuoteRepository
from clearing.parties.agreements.conversion import Conversion
from clearing.parties.agreements.models import Agreement, AgreementKind
from clearing.parties.agreements.usability import NamedAgreement, UsabilityService
from clearing.parties.members.models import Member
from clearing.parties.members.repository import KnownMember, MemberName, MemberRepository
from clearing.parties.merchants.models import Merchant, MerchantStatus
from clearing.parties.programs.directory import programs_in
from clearing.parties.programs.models import Program, ProgramStatus
from tongdui.encoding import ZERO_WORD, bytes_of, word
from tongdui.orders import UINT64_MAX, ZERO_ADDRESS, Instruction


class Gain(NamedTuple):
    """Points that an instruction brings, and the account that gets them: later instructions of an atomic order may use them."""

    account: AccountKey
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
    conversion: Conversion | None = None
    """What its entry will say of points and money; None if all that it says is how many points."""
    recipient: str | None = None
    """Of a transfer: the id of the member to whom the points go."""
    movement: str | None = None
    """Its id, where something refers to it already."""
    original: str | None = None
    """Of a reversal: the id of the movement that it undoes, or a part of it."""

    @property
    def account(self) -> AccountKey:
        """The account whose points it moves."""
        return self.instruction.member, self.instruction.program

    @property
    def cap_use(self) -> CapUse | None:
        """Its use of the agreement's daily cap, if it has one."""
        return self.charge.use if self.charge is not None else None

    @property
    def outcome(self) -> Conversion:
        """What its entry will say of points and money, if the chain accepts it as things are now."""
        return self.conversion or Conversion(self.instruction.points, 0, 0, 0)


class Held(NamedTuple):
    """A hold that is just ending: the order's points come out of it."""

    account: AccountKey
    points: int
    """What the order asks for."""
    taken_on: int
    """The network day of the hold: the order takes lots as on that day, and says so in its link."""
    member: KnownMember
    agreement: int = 0
    """The agreement under which it was made, with the member's code where that was needed; 0 for none."""


def drawn(instruction: Instruction) -> Draw:
    """The draw of an instruction that takes its points from its own member and program."""
    return Draw((instruction.member, instruction.program), instruction.points)


class Lookups:
    """What the requests of several orders name, looked up all together."""

    def __init__(self, session: Session) -> None:
        self._member_names = MemberRepository(session)
        self._quote_ids = QuoteRepository(session)
        self.members: dict[MemberName, KnownMember] = {}
        self.quotes: dict[str, Quote] = {}

    def prepare(self, requests: Iterable[tuple[int, InstructionRequest]]) -> None:
        """Looks up the members and quotes of these requests, each with the number of the merchant that makes it."""
        names: set[MemberName] = set()
        quotes: set[str] = set()
        for merchant, request in requests:
            names.update((merchant, name) for name in request.named_members)
            quotes.update(request.named_quotes)
        self.members = self._member_names.resolve_all(names)
        self.quotes = {quote.id: quote for quote in self._quote_ids.by_ids(quotes)} if quotes else {}


class Resolver:
    """Finds what the requests of one merchant's order name."""

    def __init__(
        self,
        session: Session,
        merchant: Merchant,
        network: NetworkIdentity,
        actor: str,
        lookups: Lookups,
        held: Held | None = None,
    ) -> None:
        self.actor = actor
        self.session = session
        self.merchant = merchant
        self.held = held
        self.network = network
        self.clock = clock_of(session)
        self.usability = UsabilityService(session, network=network)
        self._members = MemberRepository(session)
        self._lookups = lookups
        self._programs = programs_in(session)
        self.orders = OrderRepository(session)
        self.movements = MovementRepository(session)
        self._reversing: dict[str, list[Reversed]] = defaultdict(list)
        """Reversals of this very order, by their originals."""
        self._issued: dict[int, int] = defaultdict(int)
        """Points that this very order issues, by program."""
        self._known_agreements: dict[tuple[AgreementKind, NamedAgreement, bool], Agreement] = {}

    @staticmethod
    def require_points(request: InstructionRequest, at: Pointer) -> None:
        """Refuses points that are not a positive number of 64 bits."""
        if isinstance(request, PointsRequest) and not 0 < request.points <= UINT64_MAX:
            raise InvalidRequest.at(at("points"), "points must be a whole number from 1 up")

    def instruction(
        self,
        request: PointsRequest,
        member: Member | KnownMember,
        program: Program,
        *,
        agreement: int = 0,
        min_out: int = 0,
        expiry_day: int = 0,
        link: bytes = ZERO_WORD,
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
            link=word(self.held.taken_on) if self.held is not None else link,
            ref=bytes_of(request.ref) if request.ref is not None else ZERO_WORD,
        )

    # ---------------------------------------------------------------- members

    def member(self, request: MemberRequest, at: Pointer) -> KnownMember:
        """The member, whom the merchant must know."""
        return self.known_member(request.member, at("member"))

    def known_member(self, name: str, pointer: str) -> KnownMember:
        """The member with this name, whom the merchant must know."""
        if self.held is not None and name == self.held.member.id:
            return self.held.member  # whoever holds points by a member's code need not know the member
        member = self._lookups.members.get((self.merchant.number, name))
        if member is None or member.address == ZERO_ADDRESS:
            detail = f"there is no member {name}; register it with POST /v1/members"
            raise NotFound.at(pointer, detail, code="unknown_member")
        return member

    def member_of_network(self, request: MemberRequest, at: Pointer) -> Member | KnownMember:
        """The member, whom the merchant need not know if it gives the id: points come by exchanges and as gifts, too."""
        known = self._lookups.members.get((self.merchant.number, request.member))
        return known or self._members.by_id(request.member) or self.member(request, at)

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
        self.require_active(program.number, at("program"))
        return program

    def require_active(self, number: int, pointer: str) -> None:
        """Refuses a program in which nothing moves for now."""
        program = self._by_number(number)
        if program.status is not ProgramStatus.ACTIVE:
            detail = f"program {program.code} is {program.status}: nothing in it moves until it is active"
            raise Refused.at(pointer, detail, code="program_paused")

    def require_under_cap(self, program: Program, points: int, pointer: str) -> None:
        """Refuses more points than blocks have left of what the program may issue today. The chain has the last word."""
        today = self.network.day_at(self.clock.unix())
        cap = program.cap_on(today)
        if not cap:
            return
        issued = ActivityRepository(self.session).issued_on(program.merchant_number, program.number, today)
        uncapped = program.uncapped_points if program.uncapped_day == today else 0
        left = max(cap - (issued - uncapped) - self._issued[program.number], 0)
        self._issued[program.number] += points
        if points > left:
            detail = (
                f"{left} points are left of what {program.code} may issue today (at most {cap}), {points} are needed"
            )
            raise Refused.at(pointer, detail, code="over_issuance_cap")

    def source_program(self, agreement: Agreement) -> Program:
        """The program whose points are burnt under an agreement."""
        return self._by_number(agreement.source_program)

    def _by_number(self, number: int) -> Program:
        program = self._programs.by_number(number)
        assert program is not None, "agreements and entries name registered programs"
        return program

    def _program(self, name: str, pointer: str) -> Program:
        program = self._programs.by_code_or_id(name)
        if program is None:
            raise NotFound.at(pointer, f"there is no program {name}", code="unknown_program")
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

    def agreement(self, named: NamedAgreement, *, kind: AgreementKind, has_consent: bool, at: Pointer) -> Agreement:
        """The agreement that a request names, if it is of this kind and the merchant may use it now."""
        key = (kind, named, has_consent)
        if key not in self._known_agreements:
            self._known_agreements[key] = self.usability.agreement(
                self.merchant, named, kind=kind, has_consent=has_consent, at=at
            )
        return self._known_agreements[key]

    def refuse_other_agreement(self, agreement: Agreement, at: Pointer) -> None:
        """Refuses to capture a hold under another agreement than the one under which it was made."""
        made_under = self.held.agreement if self.held is not None else 0
        is_target = agreement.source_merchant != self.merchant.number
        if (made_under or is_target) and self.held is not None and made_under != agreement.number:
            detail = "the hold was made under another agreement; capture it under that one"
            raise Refused.at(at("agreement"), detail, code="wrong_agreement")

    # ---------------------------------------------------------------- reversals

    def reversals_of(self, movement_id: str) -> list[Reversed]:
        """Every reversal of a movement that has taken effect or still may, those of this order among them."""
        return self.orders.reversals([movement_id]) + self._reversing[movement_id]

    def note_reversal(self, movement_id: str, points: int) -> None:
        """Remembers that this order undoes so many points of a movement."""
        self._reversing[movement_id].append(Reversed(movement_id, points, is_posted=False))

    # ---------------------------------------------------------------- quotes

    def quote(self, quote_id: str, points: int, at: Pointer) -> Quote:
        """The merchant's quote for so many points, if it still holds."""
        quote = self._lookups.quotes.get(quote_id)
        if quote is None or quote.merchant_number != self.merchant.number:
            raise NotFound.at(at("quote"), f"there is no quote {quote_id}")
        if quote.expires_at <= self.clock.now():
            raise Refused.at(at("quote"), "the quote has expired; ask for a new one", code="quote_expired")
        if quote.points != points:
            raise InvalidRequest.at(at("points"), f"the quote is for {quote.points} points, not {points}")
        return quote
