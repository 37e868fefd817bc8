"""Resolves requests to wire instructions and checks what can be known before the chain decides. Reads only."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from clearing.kit.clock import now
from clearing.kit.errors import Forbidden, InvalidRequest, NotFound, Refused
from clearing.kit.identity import NetworkIdentity
from clearing.ordering.orders.requests import InstructionRequest
from clearing.ordering.quotes.repository import QuoteRepository
from clearing.parties.agreements.models import Agreement, AgreementState
from clearing.parties.agreements.repository import AgreementRepository
from clearing.parties.members.models import Member
from clearing.parties.members.repository import KnownMember, MemberRepository
from clearing.parties.merchants.models import Merchant, MerchantStatus
from clearing.parties.merchants.repository import MerchantRepository
from clearing.parties.programs.models import Program, ProgramStatus
from clearing.parties.programs.repository import ProgramRepository
from tongdui import rates
from tongdui.encoding import ZERO_WORD
from tongdui.orders import UINT64_MAX, ZERO_ADDRESS, Instruction, Kind

EXCHANGE_KIND, ACCEPTANCE_KIND = 1, 2
SOURCE_MAY_INITIATE = 1


@dataclass(frozen=True, slots=True)
class Draft:
    """A resolved instruction, with what it will use up: points of (member, program) and micros of `payer`."""

    request: InstructionRequest
    member: Member | KnownMember
    wire: Instruction
    gains: tuple[int, int] | None
    """(program, points) that the member gets: later instructions of an atomic order may use them."""
    burns: bool
    payer: int | None = None
    pays: int = 0
    uses: int = 0
    """Source points that will count for the agreement's daily cap ..."""
    daily_cap: int = 0
    """... which is this."""


class Resolver:
    """Resolves the requests of one merchant's order."""

    def __init__(self, session: Session, merchant: Merchant, network: NetworkIdentity) -> None:
        self._merchant = merchant
        self._network = network
        self._programs = ProgramRepository(session)
        self._members = MemberRepository(session)
        self._merchants = MerchantRepository(session)
        self._agreements = AgreementRepository(session)
        self._quotes = QuoteRepository(session)
        self._known_members: dict[str, KnownMember] = {}
        self._known_programs: dict[str, Program] = {}
        self._known_agreements: dict[tuple[str | None, str | None, str | None], Agreement] = {}

    def resolve_all(self, requests: Sequence[InstructionRequest]) -> list[Draft]:
        """The drafts of all of an order's requests. Raises a ClearingError that names the first wrong field."""
        self._known_members = self._members.resolve_all(self._merchant.number, (r.member for r in requests))
        return [self._resolve(request) for request in requests]

    def _resolve(self, request: InstructionRequest) -> Draft:
        if not 0 < request.points <= UINT64_MAX:
            raise InvalidRequest.at(request.at("points"), "points must be a whole number from 1 up")
        match request.kind:
            case Kind.ISSUE:
                return self._issue(request)
            case Kind.REDEEM:
                return self._redeem(request)
            case Kind.EXCHANGE:
                return self._exchange(request)
            case Kind.EXPIRE:
                return self._expire(request)
            case _:
                raise InvalidRequest.at(request.at("kind"), f"{request.kind.label} is not offered here yet")

    # ---------------------------------------------------------------- kinds

    def _issue(self, request: InstructionRequest) -> Draft:
        program = self._own_program(request)
        member = self._member(request)
        self._refuse_suspended()
        wire = self._wire(request, member, program, expiry_day=self._expiry_day(request, program))
        return Draft(request, member, wire, gains=(program.number, request.points), burns=False)

    def _redeem(self, request: InstructionRequest) -> Draft:
        program = self._own_program(request)
        member = self._member(request)
        return Draft(request, member, self._wire(request, member, program), gains=None, burns=True)

    def _exchange(self, request: InstructionRequest) -> Draft:
        agreement, least = self._agreement(request)
        self._refuse_oversized(request, agreement)
        program = self._source_program(request, agreement)
        member = self._member(request)
        self._refuse_suspended()
        out = rates.target_points_down(request.points, agreement.rate_num, agreement.rate_den)
        if out == 0 or out < least:
            detail = f"{request.points} points buy {out} points, fewer than the minimum of {max(least, 1)}"
            raise Refused.at(request.at("points"), detail, code="below_minimum")
        settled = out * agreement.unit_price_micros
        wire = self._wire(request, member, program, agreement=agreement.number or 0, min_out=least)
        return Draft(
            request,
            member,
            wire,
            gains=(agreement.target_program, out),
            burns=True,
            payer=agreement.source_merchant,
            pays=settled + rates.fee_up(settled, agreement.fee_bps),
            uses=rates.source_points_up(out, agreement.rate_num, agreement.rate_den),
            daily_cap=agreement.daily_cap,
        )

    def _expire(self, request: InstructionRequest) -> Draft:
        program = self._own_program(request)
        # The merchant need not know the member: points come by exchanges and as gifts, too.
        member = self._members.by_id(request.member) or self._member(request)
        return Draft(request, member, self._wire(request, member, program), gains=None, burns=True)

    def _wire(
        self,
        request: InstructionRequest,
        member: Member | KnownMember,
        program: Program,
        *,
        agreement: int = 0,
        min_out: int = 0,
        expiry_day: int = 0,
    ) -> Instruction:
        return Instruction(
            kind=request.kind,
            member=member.address,
            points=request.points,
            program=program.number,
            agreement=agreement,
            min_out=min_out,
            expiry_day=expiry_day,
            ref=request.ref or ZERO_WORD,
        )

    # ---------------------------------------------------------------- what it names

    def _own_program(self, request: InstructionRequest) -> Program:
        program = self._program(request, request.program, "program")
        if program.merchant_number != self._merchant.number:
            raise Forbidden.at(
                request.at("program"),
                f"{program.code} belongs to another merchant; only that merchant may {request.kind.label} it",
                code="not_program_merchant",
            )
        self._refuse_paused(request, program)
        return program

    def _program(self, request: InstructionRequest, text: str | None, field: str) -> Program:
        if text is None:
            raise InvalidRequest.at(request.at(field), f"{field} is missing")
        program = self._known_programs.get(text) or self._programs.by_code_or_id(text)
        if program is None:
            raise NotFound.at(request.at(field), f"there is no program {text}", code="unknown_program")
        self._known_programs[text] = program
        return program

    def _refuse_paused(self, request: InstructionRequest, program: Program) -> None:
        if program.status is not ProgramStatus.ACTIVE:
            detail = f"program {program.code} is {program.status}: nothing in it moves until it is active"
            raise Refused.at(request.at("program"), detail, code="program_paused")

    def _refuse_suspended(self) -> None:
        if self._merchant.status is not MerchantStatus.ACTIVE:
            raise Forbidden(
                f"merchant {self._merchant.id} is {self._merchant.status}: it may only redeem and reverse",
                code="merchant_suspended",
            )

    def _member(self, request: InstructionRequest) -> KnownMember:
        member = self._known_members.get(request.member)
        if member is None or member.address == ZERO_ADDRESS:
            detail = f"there is no member {request.member}; register it with POST /v1/members"
            raise NotFound.at(request.at("member"), detail, code="unknown_member")
        return member

    def _expiry_day(self, request: InstructionRequest, program: Program) -> int:
        today = self._network.today()
        if request.expires_on is None:
            return today + program.default_lifetime_days if program.default_lifetime_days else 0
        day = self._network.day_of(request.expires_on)
        if day <= today:
            detail = f"{request.expires_on} is not after today ({self._network.date_of(today)})"
            raise Refused.at(request.at("expires_on"), detail, code="already_expired")
        return day

    # ---------------------------------------------------------------- agreements

    def _agreement(self, request: InstructionRequest) -> tuple[Agreement, int]:
        """The agreement that the request uses, and the fewest target points it accepts."""
        least = request.min_out or 0
        if request.quote is not None:
            return self._quoted(request, least)
        key = (request.agreement, request.program, request.target_program)
        if key not in self._known_agreements:
            found = self._agreement_by_id(request) if request.agreement else self._agreement_by_programs(request)
            self._check_agreement(request, found)
            self._known_agreements[key] = found
        return self._known_agreements[key], least

    def _agreement_by_id(self, request: InstructionRequest) -> Agreement:
        agreement = self._agreements.by_id(request.agreement or "")
        if agreement is None or not self._may_see(agreement):
            detail = f"there is no agreement {request.agreement}"
            raise NotFound.at(request.at("agreement"), detail, code="unknown_agreement")
        return agreement

    def _agreement_by_programs(self, request: InstructionRequest) -> Agreement:
        source = self._program(request, request.program, "program")
        target = self._program(request, request.target_program, "target_program")
        found = self._agreements.usable(EXCHANGE_KIND, source.number, target.number, None, int(time.time()))
        if found is None or not self._may_see(found):
            detail = f"no agreement in force exchanges {source.code} for {target.code}"
            raise NotFound.at(request.at("target_program"), detail, code="unknown_agreement")
        return found

    def _quoted(self, request: InstructionRequest, least: int) -> tuple[Agreement, int]:
        quote = self._quotes.by_id(request.quote or "")
        if quote is None or quote.merchant_number != self._merchant.number:
            raise NotFound.at(request.at("quote"), f"there is no quote {request.quote}")
        if quote.expires_at <= now():
            raise Refused.at(request.at("quote"), "the quote has expired; ask for a new one", code="quote_expired")
        if quote.points != request.points:
            detail = f"the quote is for {quote.points} points, not {request.points}"
            raise InvalidRequest.at(request.at("points"), detail)
        agreement = self._agreements.by_id(quote.agreement_id)
        assert agreement is not None
        self._check_agreement(request, agreement)
        return agreement, least or quote.out

    def _may_see(self, agreement: Agreement) -> bool:
        return self._merchant.number in (agreement.source_merchant, agreement.target_merchant)

    def _check_agreement(self, request: InstructionRequest, agreement: Agreement) -> None:
        if agreement.kind != EXCHANGE_KIND:
            detail = f"{agreement.id} is an acceptance agreement: it has no program to exchange into"
            raise Refused.at(request.at("agreement"), detail, code="wrong_agreement")
        self._check_live(request, agreement)
        by_source = self._merchant.number == agreement.source_merchant
        if not (by_source and agreement.initiators & SOURCE_MAY_INITIATE):
            # The target side needs the member's one-time code, which is not offered here yet.
            detail = "only the merchant whose points are given may start this exchange"
            raise Forbidden.at(request.at("agreement"), detail, code="not_initiator")
        if request.program is not None:
            program = self._program(request, request.program, "program")
            if program.number != agreement.source_program:
                detail = f"{agreement.id} does not exchange {program.code}"
                raise Refused.at(request.at("program"), detail, code="wrong_agreement")
        counterparty = self._merchants.by_number(agreement.target_merchant)
        if counterparty is None or counterparty.status is not MerchantStatus.ACTIVE:
            detail = "the other merchant of the agreement takes part no more for now"
            raise Refused.at(request.at("agreement"), detail, code="counterparty_inactive")

    def _refuse_oversized(self, request: InstructionRequest, agreement: Agreement) -> None:
        if request.points > agreement.max_points:
            detail = f"the agreement allows at most {agreement.max_points} points at once"
            raise Refused.at(request.at("points"), detail, code="over_instruction_cap")

    def _source_program(self, request: InstructionRequest, agreement: Agreement) -> Program:
        key = f"#{agreement.source_program}"
        program = self._known_programs.get(key) or self._programs.by_number(agreement.source_program)
        assert program is not None  # agreements name registered programs
        self._known_programs[key] = program
        self._refuse_paused(request, program)
        return program

    def _check_live(self, request: InstructionRequest, agreement: Agreement) -> None:
        registered = agreement.state in (
            AgreementState.ACTIVE,
            AgreementState.SUPERSEDED,
            AgreementState.TERMINATED,
        )
        if not registered or not agreement.valid_from <= time.time() < agreement.ends_at:
            detail = f"{agreement.id} is {agreement.state} or outside its validity; use the current agreement"
            raise Refused.at(request.at("agreement"), detail, code="agreement_not_live")
