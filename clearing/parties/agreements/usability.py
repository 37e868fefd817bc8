"""The one answer to "may this agreement be used now, by whom, for how much?". Quotes and orders both ask here.

What the contract would refuse is refused here already, with a sentence that names the field.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy.orm import Session

from clearing.kit.clock import clock_of
from clearing.kit.errors import Forbidden, InvalidRequest, NotFound, Pointer, Refused
from clearing.kit.identity import NetworkIdentity, instant
from clearing.kit.viewer import Viewer
from clearing.parties.agreements.conversion import Conversion, convert
from clearing.parties.agreements.directory import agreements_in
from clearing.parties.agreements.models import Agreement, AgreementKind, AgreementUse, Initiator, Route
from clearing.parties.agreements.repository import REGISTERED, AgreementUseRepository
from clearing.parties.agreements.visibility import visible_agreement
from clearing.parties.merchants.models import Merchant, MerchantStatus
from clearing.parties.merchants.service import merchant_by_number, require_merchant, require_participating
from clearing.parties.programs.directory import programs_in
from clearing.parties.programs.models import Program, ProgramStatus
from clearing.parties.programs.service import require_program

MAX_SETTLED_MICROS = 2**64 - 1
"""Most that the contract settles for one instruction."""

_WRONG_KIND = {
    AgreementKind.EXCHANGE: "{} is an acceptance agreement: it has no program to exchange into",
    AgreementKind.ACCEPTANCE: "{} is an exchange agreement: nobody takes its points for goods",
}


class NamedAgreement(NamedTuple):
    """How a request names an agreement: by id, or by a program and the program or merchant on the other side."""

    agreement: str | None = None
    source_program: str | None = None
    target_program: str | None = None
    target_merchant: str | None = None
    program_field: str = "source_program"
    """What the request calls the source program."""


class UsabilityService:
    """Uses of agreements in one transaction."""

    def __init__(self, session: Session, *, network: NetworkIdentity) -> None:
        self._session = session
        self._network = network
        self._clock = clock_of(session)
        self._uses = AgreementUseRepository(session)

    # ---------------------------------------------------------------- which one

    def agreement(
        self, merchant: Merchant, named: NamedAgreement, *, kind: AgreementKind, has_consent: bool, at: Pointer
    ) -> Agreement:
        """The agreement of this kind that a request names, if the merchant may use it now.

        `has_consent`: the member has consented to a use by the target side, by a one-time code.
        """
        agreement = self.find(merchant, named, kind=kind, at=at)
        self.require_use(merchant, agreement, named, kind=kind, has_consent=has_consent, at=at)
        return agreement

    def find(
        self, merchant: Merchant, named: NamedAgreement, *, kind: AgreementKind | None = None, at: Pointer
    ) -> Agreement:
        """The agreement that a request names, by id or by its two sides, if the merchant is a party to it."""
        if named.agreement is not None:
            return self._by_id(merchant, named, at)
        if kind is AgreementKind.EXCHANGE or (kind is None and named.target_program is not None):
            return self._by_programs(merchant, named, at)
        return self._by_acceptor(merchant, named, at)

    def _by_id(self, merchant: Merchant, named: NamedAgreement, at: Pointer) -> Agreement:
        agreement = agreements_in(self._session).by_id(named.agreement or "")
        if agreement is None or not _is_party(merchant, agreement):
            raise NotFound.at(at("agreement"), f"there is no agreement {named.agreement}", code="unknown_agreement")
        fields = (
            (named.program_field, named.source_program, agreement.source_program, "does not take"),
            ("target_program", named.target_program, agreement.target_program, "does not exchange into"),
        )
        for field, name, number, does_not in fields:
            if name is not None and self._named(name, at(field)).number != number:
                raise Refused.at(at(field), f"{agreement.id} {does_not} {name}", code="wrong_agreement")
        acceptor = named.target_merchant
        if acceptor is not None and self._acceptor(acceptor, at).number != agreement.target_merchant:
            detail = f"{agreement.id} is not an agreement with {acceptor}"
            raise Refused.at(at("target_merchant"), detail, code="wrong_agreement")
        return agreement

    def _by_programs(self, merchant: Merchant, named: NamedAgreement, at: Pointer) -> Agreement:
        for field, program in ((named.program_field, named.source_program), ("target_program", named.target_program)):
            if program is None:
                detail = f"{field} is missing: name the agreement, or the source program and the target program"
                raise InvalidRequest.at(at(field), detail)
        source = self._named(named.source_program or "", at(named.program_field))
        target = self._named(named.target_program or "", at("target_program"))
        sides = (AgreementKind.EXCHANGE, source.number, target.number)
        found = agreements_in(self._session).usable(sides, self._clock.unix())
        if found is None or not _is_party(merchant, found):
            detail = f"no agreement in force exchanges {source.code} for {target.code}"
            raise NotFound.at(at("target_program"), detail, code="unknown_agreement")
        return found

    def _by_acceptor(self, merchant: Merchant, named: NamedAgreement, at: Pointer) -> Agreement:
        """The acceptance agreement between a program's issuer and an acceptor. An acceptor need not name itself."""
        if named.source_program is None:
            detail = "name the agreement, or the program whose points are spent"
            raise InvalidRequest.at(at(named.program_field), detail)
        program = self._named(named.source_program, at(named.program_field))
        if named.target_merchant is not None:
            acceptor = self._acceptor(named.target_merchant, at)
        elif program.merchant_number != merchant.number:
            acceptor = merchant
        else:
            detail = "name the agreement, or the merchant that takes the points"
            raise InvalidRequest.at(at("target_merchant"), detail)
        sides = (AgreementKind.ACCEPTANCE, program.number, acceptor.number)
        found = agreements_in(self._session).usable(sides, self._clock.unix())
        if found is None or not _is_party(merchant, found):
            field = named.program_field if named.target_merchant is None else "target_merchant"
            detail = f"no agreement in force lets {acceptor.id} take {program.code}"
            raise NotFound.at(at(field), detail, code="unknown_agreement")
        return found

    def _acceptor(self, merchant_id: str, at: Pointer) -> Merchant:
        return require_merchant(self._session, merchant_id, at("target_merchant"))

    def _named(self, program: str, pointer: str) -> Program:
        return require_program(self._session, program, pointer)

    # ---------------------------------------------------------------- now, and by whom

    def require_use(
        self,
        merchant: Merchant,
        agreement: Agreement,
        named: NamedAgreement,
        *,
        kind: AgreementKind | None = None,
        has_consent: bool,
        at: Pointer,
    ) -> None:
        """Refuses an agreement that is not of this kind, or that the merchant may not use at this moment."""
        if kind is not None and agreement.kind != kind:
            raise Refused.at(at("agreement"), _WRONG_KIND[kind].format(agreement.id), code="wrong_agreement")
        self._require_in_force(agreement, at)
        is_source = self._require_initiator(merchant, agreement, at)
        require_participating(merchant)
        other = agreement.target_merchant if is_source else agreement.source_merchant
        counterparty = merchant_by_number(self._session, other)
        if counterparty.status is not MerchantStatus.ACTIVE:
            detail = f"{counterparty.id}, the other merchant of the agreement, is {counterparty.status}"
            raise Refused.at(at("agreement"), detail, code="counterparty_inactive")
        self._require_active_program(agreement.source_program, at(named.program_field))
        if agreement.target_program:
            self._require_active_program(agreement.target_program, at("target_program"))
        if not is_source and not has_consent:
            detail = "the points are another merchant's: ask the member for a one-time code, and send it as member_code"
            raise InvalidRequest.at(at("member_code"), detail, code="member_code_required")

    @staticmethod
    def _require_initiator(merchant: Merchant, agreement: Agreement, at: Pointer) -> bool:
        """Whether the merchant uses the agreement as its source side. Otherwise it is the target side, and may use it as such."""
        if merchant.number == agreement.source_merchant and agreement.initiators & Initiator.SOURCE:
            return True
        if merchant.number == agreement.target_merchant and agreement.initiators & Initiator.TARGET:
            return False
        side = "source" if agreement.initiators == Initiator.SOURCE else "target"
        detail = f"under {agreement.id} only the merchant of the {side} side may start this"
        raise Forbidden.at(at("agreement"), detail, code="not_initiator")

    def _require_in_force(self, agreement: Agreement, at: Pointer) -> None:
        is_valid = agreement.valid_from <= self._clock.unix() < agreement.usable_until
        if agreement.state not in REGISTERED or not is_valid:
            when = f"{instant(agreement.valid_from).isoformat()} until {instant(agreement.usable_until).isoformat()}"
            detail = f"{agreement.id} is {agreement.state}, for use from {when}; use the agreement that is in force now"
            raise Refused.at(at("agreement"), detail, code="agreement_not_live")

    def _require_active_program(self, number: int, pointer: str) -> None:
        program = programs_in(self._session).by_number(number)
        assert program is not None, "agreements name registered programs"
        if program.status is not ProgramStatus.ACTIVE:
            detail = f"program {program.code} is {program.status}: nothing in it moves until it is active"
            raise Refused.at(pointer, detail, code="program_paused")

    def route(self, agreement_number: int) -> Route:
        """The two sides of a registered agreement."""
        return agreements_in(self._session).routes([agreement_number])[agreement_number]

    # ---------------------------------------------------------------- for how much

    def converted(self, agreement: Agreement, points: int, least: int, at: Pointer) -> Conversion:
        """What an exchange or a spend of `points` does, if the agreement allows so many and they give `least` target points."""
        if points > agreement.max_points:
            detail = f"the agreement allows at most {agreement.max_points} points at once"
            raise Refused.at(at("points"), detail, code="over_instruction_cap")
        conversion = convert(points, agreement)
        is_exchange = agreement.kind == AgreementKind.EXCHANGE
        if is_exchange and (conversion.out == 0 or conversion.out < least):
            detail = f"{points} points buy {conversion.out} points, fewer than the minimum of {max(least, 1)}"
            raise Refused.at(at("points"), detail, code="below_minimum")
        if conversion.settled > MAX_SETTLED_MICROS:
            raise Refused.at(at("points"), "their price does not fit the chain's 64 bits", code="amount_too_large")
        return conversion

    def require_left_today(self, agreement: Agreement, points: int, pointer: str) -> None:
        """Refuses more source points than are left of the agreement's daily cap, pending orders counted."""
        today = self._network.day_at(self._clock.unix())
        used = self._uses.burnt_or_reserved(agreement.number or 0, today)
        CapStanding(used, AgreementUse(points=0)).require(agreement.daily_cap, points, pointer)

    def use_today(self, viewer: Viewer, agreement_id: str) -> tuple[Agreement, int, CapStanding]:
        """An agreement that the viewer may see, the network's day, and what it has used of that day's cap."""
        agreement = visible_agreement(self._session, viewer, agreement_id)
        number, today = agreement.number or 0, self._network.day_at(self._clock.unix())
        burnt = self._uses.burnt(number, today)
        reserved = self._uses.burnt(number, AgreementUseRepository.RESERVED) if number else 0
        return agreement, today, CapStanding(burnt, AgreementUse(points=reserved))

    def lock_caps(self, agreement_numbers: Collection[int]) -> dict[int, CapStanding]:
        """What these agreements have used of their daily caps: nobody else reserves of them until this transaction ends."""
        if not agreement_numbers:
            return {}
        today = self._network.day_at(self._clock.unix())
        reserved = self._uses.lock_reserved(agreement_numbers)
        burnt = self._uses.burnt_by(agreement_numbers, today)
        return {number: CapStanding(burnt.get(number, 0), use) for number, use in reserved.items()}


@dataclass(slots=True)
class CapStanding:
    """What an agreement has used of today's cap: `burnt` source points, and those that orders on their way have reserved."""

    burnt: int
    reserved: AgreementUse

    def require(self, daily_cap: int, points: int, pointer: str) -> None:
        """Refuses more source points than are left, pending orders counted."""
        left = daily_cap - self.burnt - self.reserved.points
        if points > left:
            detail = f"{max(left, 0)} points are left of today's cap of the agreement, {points} are needed"
            raise Refused.at(pointer, detail, code="over_daily_cap")

    def reserve(self, points: int) -> None:
        """Counts points that a pending order may burn against the daily cap, whichever day its block will be of."""
        self.reserved.points += points


def _is_party(merchant: Merchant, agreement: Agreement) -> bool:
    return merchant.number in (agreement.source_merchant, agreement.target_merchant)
