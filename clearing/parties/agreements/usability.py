"""The one answer to "may this agreement be used now, by whom, for how much?". Quotes and orders both ask here.

What the contract would refuse is refused here already, with a sentence that names the field.
"""

from __future__ import annotations

from sqlalchemy.orm import Session

from clearing.kit.clock import clock_of
from clearing.kit.errors import Forbidden, InvalidRequest, NotFound, Pointer, Refused
from clearing.kit.identity import NetworkIdentity
from clearing.parties.agreements.conversion import Conversion, convert
from clearing.parties.agreements.models import Agreement, AgreementKind, Initiator
from clearing.parties.agreements.repository import REGISTERED, AgreementRepository, AgreementUseRepository
from clearing.parties.merchants.models import Merchant, MerchantStatus
from clearing.parties.merchants.repository import MerchantRepository
from clearing.parties.merchants.service import require_participating
from clearing.parties.programs.models import Program, ProgramStatus
from clearing.parties.programs.repository import ProgramRepository
from clearing.parties.programs.service import require_program

MAX_SETTLED_MICROS = 2**64 - 1
"""Most that the contract settles for one instruction."""


class UsabilityService:
    """Uses of agreements in one transaction."""

    def __init__(self, session: Session, *, network: NetworkIdentity) -> None:
        self._session = session
        self._network = network
        self._clock = clock_of(session)
        self._agreements = AgreementRepository(session)
        self._uses = AgreementUseRepository(session)
        self._merchants = MerchantRepository(session)
        self._programs = ProgramRepository(session)
        self._named_programs: dict[str, Program] = {}
        """Programs that requests have named. Held here, because a session forgets an object that nobody holds."""

    # ---------------------------------------------------------------- which one

    def exchange_agreement(
        self,
        merchant: Merchant,
        *,
        agreement_id: str | None,
        source_program: str | None,
        target_program: str | None,
        at: Pointer,
    ) -> Agreement:
        """The exchange agreement that a request names, by id or by its two programs, if the merchant may start an exchange now."""
        if agreement_id is not None:
            agreement = self._by_id(merchant, agreement_id, at)
        else:
            agreement = self._by_programs(merchant, source_program, target_program, at)
        self.require_exchange(merchant, agreement, at)
        if source_program is not None:
            program = self._named(source_program, at("source_program"))
            if program.number != agreement.source_program:
                detail = f"{agreement.id} does not exchange {program.code}"
                raise Refused.at(at("source_program"), detail, code="wrong_agreement")
        return agreement

    def _by_id(self, merchant: Merchant, agreement_id: str, at: Pointer) -> Agreement:
        agreement = self._agreements.by_id(agreement_id)
        if agreement is None or not _is_party(merchant, agreement):
            raise NotFound.at(at("agreement"), f"there is no agreement {agreement_id}", code="unknown_agreement")
        return agreement

    def _by_programs(
        self, merchant: Merchant, source_program: str | None, target_program: str | None, at: Pointer
    ) -> Agreement:
        for field, program in (("source_program", source_program), ("target_program", target_program)):
            if program is None:
                detail = f"{field} is missing: name the agreement, or the source program and the target program"
                raise InvalidRequest.at(at(field), detail)
        source = self._named(source_program or "", at("source_program"))
        target = self._named(target_program or "", at("target_program"))
        found = self._agreements.usable(AgreementKind.EXCHANGE, source.number, target.number, None, self._clock.unix())
        if found is None or not _is_party(merchant, found):
            detail = f"no agreement in force exchanges {source.code} for {target.code}"
            raise NotFound.at(at("target_program"), detail, code="unknown_agreement")
        return found

    def _named(self, program: str, pointer: str) -> Program:
        if program not in self._named_programs:
            self._named_programs[program] = require_program(self._session, program, pointer)
        return self._named_programs[program]

    # ---------------------------------------------------------------- now, and by whom

    def require_exchange(self, merchant: Merchant, agreement: Agreement, at: Pointer) -> None:
        """Refuses an agreement under which the merchant may not start an exchange at this moment."""
        if agreement.kind != AgreementKind.EXCHANGE:
            detail = f"{agreement.id} is an acceptance agreement: it has no program to exchange into"
            raise Refused.at(at("agreement"), detail, code="wrong_agreement")
        self._require_in_force(agreement, at)
        # The target side needs the member's one-time code, which is not offered here yet.
        if merchant.number != agreement.source_merchant or not agreement.initiators & Initiator.SOURCE:
            detail = "only the merchant whose points are given may start this exchange"
            raise Forbidden.at(at("agreement"), detail, code="not_initiator")
        require_participating(merchant)
        counterparty = self._merchants.by_number(agreement.target_merchant)
        if counterparty is None or counterparty.status is not MerchantStatus.ACTIVE:
            detail = "the other merchant of the agreement takes part no more for now"
            raise Refused.at(at("agreement"), detail, code="counterparty_inactive")
        self._require_active_program(agreement.source_program, at("source_program"))
        self._require_active_program(agreement.target_program, at("target_program"))

    def _require_in_force(self, agreement: Agreement, at: Pointer) -> None:
        is_valid = agreement.valid_from <= self._clock.unix() < agreement.usable_until
        if agreement.state not in REGISTERED or not is_valid:
            detail = f"{agreement.id} is {agreement.state} or outside its validity; use the current agreement"
            raise Refused.at(at("agreement"), detail, code="agreement_not_live")

    def _require_active_program(self, number: int, pointer: str) -> None:
        program = self._programs.by_number(number)
        assert program is not None, "agreements name registered programs"
        if program.status is not ProgramStatus.ACTIVE:
            detail = f"program {program.code} is {program.status}: nothing in it moves until it is active"
            raise Refused.at(pointer, detail, code="program_paused")

    # ---------------------------------------------------------------- for how much

    def converted(self, agreement: Agreement, points: int, least: int, at: Pointer) -> Conversion:
        """What an exchange of `points` does, if the agreement allows so many and they give at least `least` target points."""
        if points > agreement.max_points:
            detail = f"the agreement allows at most {agreement.max_points} points at once"
            raise Refused.at(at("points"), detail, code="over_instruction_cap")
        conversion = convert(points, agreement)
        if conversion.out == 0 or conversion.out < least:
            detail = f"{points} points buy {conversion.out} points, fewer than the minimum of {max(least, 1)}"
            raise Refused.at(at("points"), detail, code="below_minimum")
        if conversion.settled > MAX_SETTLED_MICROS:
            raise Refused.at(at("points"), "their price does not fit the chain's 64 bits", code="amount_too_large")
        return conversion

    def require_left_today(self, agreement_number: int, daily_cap: int, points: int, pointer: str) -> None:
        """Refuses more source points than are left of the agreement's daily cap, pending orders counted."""
        today = self._network.day_at(self._clock.unix())
        left = daily_cap - self._uses.burnt_or_reserved(agreement_number, today)
        if points > left:
            detail = f"{max(left, 0)} points are left of today's cap of the agreement, {points} are needed"
            raise Refused.at(pointer, detail, code="over_daily_cap")

    def reserve(self, agreement_number: int, points: int) -> None:
        """Counts points that a pending order may burn against the daily cap, whichever day its block will be of."""
        self._uses.add(agreement_number, AgreementUseRepository.RESERVED, points)


def _is_party(merchant: Merchant, agreement: Agreement) -> bool:
    return merchant.number in (agreement.source_merchant, agreement.target_merchant)
