"""Rules of holds. Every transaction takes its locks in one order: the merchant (for an order's nonce), the account, the hold."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from clearing.kit.clock import clock_of
from clearing.kit.errors import Conflict, InvalidRequest, NotFound, Pointer, Refused, pointer_into
from clearing.kit.events.recorder import EventRecorder
from clearing.kit.identity import NetworkIdentity
from clearing.kit.ids import new_id
from clearing.kit.viewer import Viewer
from clearing.ledger.accounts.models import AT_ONCE
from clearing.ledger.accounts.repository import AccountRepository, Balance
from clearing.ledger.availability.models import Hold, HoldPurpose, HoldState
from clearing.ledger.availability.repository import HoldFilter, HoldRepository, HoldSource
from clearing.ledger.availability.service import AvailabilityService
from clearing.ordering.holds.facts import hold_facts
from clearing.ordering.orders.events import Accepted
from clearing.ordering.orders.kinds import kind_of
from clearing.ordering.orders.requests import MEMBER_OR_CODE, Authorization, InstructionRequest
from clearing.ordering.orders.resolution import Held
from clearing.ordering.orders.service import OrderService
from clearing.parties.agreements.models import Agreement
from clearing.parties.agreements.repository import AgreementRepository
from clearing.parties.agreements.usability import NamedAgreement, UsabilityService
from clearing.parties.codes.service import MemberCodeService
from clearing.parties.members.freezes import Taking, require_takeable
from clearing.parties.members.models import Member
from clearing.parties.members.repository import KnownMember
from clearing.parties.members.service import MemberService, require_member
from clearing.parties.merchants.models import Merchant
from clearing.parties.merchants.service import require_participating
from clearing.parties.names import Names
from clearing.parties.programs.models import Program, ProgramStatus
from clearing.parties.programs.repository import ProgramRepository
from clearing.parties.programs.service import require_program
from tongdui.orders import Kind


class HoldEnded(Conflict):
    """The hold was captured or released, or has expired."""

    code = "hold_ended"


class HoldService:
    """Holds in one transaction."""

    def __init__(self, session: Session, *, network: NetworkIdentity) -> None:
        self._session = session
        self._network = network
        self._clock = clock_of(session)
        self._holds = HoldRepository(session)

    def create(
        self,
        merchant: Merchant,
        named: NamedAgreement,
        *,
        member: str | None,
        member_code: str | None,
        points: int,
        seconds: int,
        most_seconds: int,
        reference: str | None,
        actor: str,
    ) -> Hold:
        """Sets points aside for `seconds`, of which `most_seconds` are allowed.

        They are of the merchant's own program, or of another one that an agreement lets the merchant draw on.
        """
        if seconds > most_seconds:
            raise InvalidRequest.at("/expires_in", f"a hold lasts at most {most_seconds} seconds")
        require_participating(merchant)
        at = pointer_into("")
        agreement = self._agreement(merchant, named, points, has_code=member_code is not None, at=at)
        found = self._program(merchant, named, agreement, at)
        hold_id = new_id("hld")
        holder = self._holder(merchant, member, member_code, found, points, used_for=hold_id, actor=actor, at=at)
        taken_at = self._clock.now()  # before the points are counted: none may have died since
        self._require_available(merchant, holder, found, points)
        hold = Hold(
            id=hold_id,
            merchant_number=merchant.number,
            member_id=holder.id,
            address=holder.address,
            program=found.number,
            agreement=agreement.number or 0 if agreement is not None else 0,
            points=points,
            reference=reference,
            expires_at=taken_at + timedelta(seconds=seconds),
            created_at=taken_at,
        )
        self._holds.add(hold)
        self._record("created", hold, actor)
        return hold

    def capture(
        self,
        merchant: Merchant,
        hold_id: str,
        kind: Kind,
        *,
        points: int | None,
        fields: dict[str, Any],
        orders: OrderService,
        authorization: Authorization | None,
        actor: str,
    ) -> Accepted:
        """Turns the hold, or `points` of it, into an order of this kind; what the order does not ask for is free again.

        The member and the program are the hold's; `fields` are what else the kind's request needs. The hold is used up even if the
        chain rejects the order later.
        """
        at = pointer_into("")
        orders.reserve_nonces(merchant, 0)  # locks the merchant before the account, as every order does
        hold = self._pending(merchant, hold_id)
        points = hold.points if points is None else points
        if points > hold.points:
            detail = f"the hold is for {hold.points} points; capture at most as many"
            raise Refused.at(at("points"), detail, code="over_hold")
        request = self._request(hold, kind, points, fields, at)
        self._end(hold, HoldState.CAPTURED)
        hold.captured = points
        self._session.flush()
        order = orders.accept(
            merchant,
            [request],
            authorization=authorization,
            actor=actor,
            held=Held(
                (hold.address, hold.program),
                points,
                self._day_of(hold),
                KnownMember(hold.member_id, hold.address),
                hold.agreement,
            ),
        )
        hold.order_id = order.id
        hold.movement_id = order.movement
        hold.drawing = True
        if points < hold.points:
            self._note_freed([hold])
        self._record("captured", hold, actor)
        return order

    def _request(self, hold: Hold, kind: Kind, points: int, fields: dict[str, Any], at: Pointer) -> InstructionRequest:
        """What the hold becomes, as the kind's own request."""
        wanted = kind_of(kind)
        if not wanted.can_capture:
            raise InvalidRequest.at(at("kind"), f"a hold cannot become {kind.label}")
        for field in fields:
            if field not in wanted.captured_fields():
                raise InvalidRequest.at(at(field), f"a hold that becomes {kind.label} has no {field}")
        program = ProgramRepository(self._session).by_number(hold.program)
        assert program is not None, "a hold's program is registered"
        assert wanted.program_field is not None, "what a hold becomes moves the hold's program"
        own = {"member": hold.member_id, "points": points, wanted.program_field: program.code}
        if hold.agreement and "agreement" in wanted.captured_fields() and "agreement" not in fields:
            own["agreement"] = AgreementRepository(self._session).get_one(hold.agreement).id
        request: InstructionRequest = wanted.request(**own, **fields)
        return request

    def release(self, merchant: Merchant, hold_id: str, *, actor: str) -> Hold:
        """Frees the points. Releasing twice is harmless."""
        hold = self._mine(merchant, hold_id)
        if hold.state is HoldState.RELEASED:
            return hold
        hold = self._pending(merchant, hold_id)
        self._end(hold, HoldState.RELEASED)
        self._note_freed([hold])
        self._record("released", hold, actor)
        return hold

    def list(
        self,
        viewer: Viewer,
        *,
        member: str | None,
        program: str | None,
        state: HoldState | None,
        reference: str | None,
        after: str | None,
        limit: int,
    ) -> Sequence[Hold]:
        """Merchants' holds that the viewer may see, newest first."""
        wanted = HoldFilter(
            merchant=viewer.merchant_number,
            member_id=MemberService(self._session).visible(viewer, member).id if member else None,
            program=require_program(self._session, program).number if program else None,
            state=state,
            reference=reference,
        )
        sources = [] if wanted.is_narrow else self._sources(wanted)
        return self._holds.list(wanted, sources, at=self._clock.now(), after=after, limit=limit)

    def _sources(self, wanted: HoldFilter) -> Collection[HoldSource]:
        """Who can hold points of which program: the merchant that runs it, and the others to whom an agreement gives them."""
        parties = () if wanted.merchant is None else (wanted.merchant,)
        agreements = AgreementRepository(self._session).numbered(parties)
        own = {(owner, program) for program, owner in ProgramRepository(self._session).owners().items()}
        given = {(target, program) for _, _, _, target, program, _ in agreements}
        return [
            source
            for source in sorted(own | given)
            if wanted.merchant in (None, source[0]) and wanted.program in (None, source[1])
        ]

    def visible(self, viewer: Viewer, hold_id: str) -> Hold:
        """The hold with this id, or NotFound where it is another merchant's."""
        hold = self._holds.by_id(hold_id)
        if hold is None or hold.purpose is not HoldPurpose.MERCHANT or not viewer.sees(hold.merchant_number):
            raise NotFound(f"there is no hold {hold_id}")
        return hold

    def due(self, viewer: Viewer, *, after: str | None, limit: int) -> Sequence[Hold]:
        """Points of the viewer's programs that the expiry round has set aside to be burnt, newest first."""
        number = viewer.merchant_number
        merchants = [number] if number is not None else set(ProgramRepository(self._session).owners().values())
        return self._holds.expiry_list(merchants, after=after, limit=limit)

    def any_lapsed(self, at: datetime) -> bool:
        """Whether there is something to tidy. Writes nothing."""
        return self._holds.any_lapsed(at)

    def tidy(self, limit: int) -> int:
        """Notes that holds have expired, with an event for each; how many. Nothing depends on when this happens."""
        at = self._clock.now()
        found = self._holds.lapsed(at, limit)
        self._note_freed(found)  # locks accounts, so it comes before the holds are locked
        lapsed = self._holds.lock_lapsed([hold.id for hold in found], at)
        for hold in lapsed:
            hold.state = HoldState.EXPIRED
            hold.ended_at = hold.expires_at
            self._record("expired", hold, "worker")
        return len(lapsed)

    # ---------------------------------------------------------------- checks

    def _agreement(
        self, merchant: Merchant, named: NamedAgreement, points: int, *, has_code: bool, at: Pointer
    ) -> Agreement | None:
        """The agreement under which the hold is made; None for points of the merchant's own program, if it names none."""
        if named.agreement is None and named.target_program is None and not self._is_foreign(merchant, named, at):
            return None
        usability = UsabilityService(self._session, network=self._network)
        agreement = usability.find(merchant, named, at=at)
        usability.require_use(merchant, agreement, named, has_consent=has_code, at=at)
        usability.converted(agreement, points, 1, at)
        return agreement

    def _is_foreign(self, merchant: Merchant, named: NamedAgreement, at: Pointer) -> bool:
        if named.source_program is None:
            raise InvalidRequest.at(at("program"), "name the program whose points to hold, or an agreement about it")
        program = require_program(self._session, named.source_program, at("program"))
        return program.merchant_number != merchant.number

    def _program(self, merchant: Merchant, named: NamedAgreement, agreement: Agreement | None, at: Pointer) -> Program:
        """The active program whose points are held."""
        if agreement is not None:
            return ProgramRepository(self._session).get_one(agreement.source_program)
        program = require_program(self._session, named.source_program or "", at("program"))
        assert program.merchant_number == merchant.number, "points of other programs are held under an agreement"
        if program.status is not ProgramStatus.ACTIVE:
            raise Refused.at(at("program"), f"program {program.code} is {program.status}", code="program_paused")
        return program

    def _holder(
        self,
        merchant: Merchant,
        member: str | None,
        code: str | None,
        program: Program,
        points: int,
        *,
        used_for: str,
        actor: str,
        at: Pointer,
    ) -> Member:
        """The member whom the request names, or whose code it presents; the code is used up."""
        if member is not None and code is None:
            return require_member(self._session, merchant, member, at("member"))
        if member is None and code is not None:
            codes = MemberCodeService(self._session)
            return codes.present(
                merchant, code, program=program.number, points=points, at=at, used_for=used_for, actor=actor
            )
        raise InvalidRequest.at(at("member"), MEMBER_OR_CODE)

    def _require_available(self, merchant: Merchant, member: Member, program: Program, points: int) -> None:
        account = (member.address, program.number)
        availability = AvailabilityService(self._session, network=self._network)
        balances = availability.lock([account])
        taking = Taking(member.address, program.merchant_number, pointer_into(""))
        require_takeable(self._session, merchant.number, taking)
        found = availability.of([account], balances=balances)[account]
        if points > found.available:
            detail = f"the member has {max(found.available, 0)} points available, {points} are needed"
            raise Refused.at("/points", detail, code="insufficient_points")

    def _mine(self, merchant: Merchant, hold_id: str) -> Hold:
        return self.visible(Viewer(merchant.number), hold_id)

    def _pending(self, merchant: Merchant, hold_id: str) -> Hold:
        """The merchant's pending hold, after locking its account and then the hold: only then its state can be trusted."""
        hold = self._mine(merchant, hold_id)
        AvailabilityService(self._session, network=self._network).lock([(hold.address, hold.program)])
        hold = self._holds.lock(hold.id)
        state = hold.state_at(self._clock.now())
        if state is not HoldState.PENDING:
            raise HoldEnded(f"the hold is {state}")
        return hold

    def _day_of(self, hold: Hold) -> int:
        """The network day on which the hold was taken."""
        return self._network.day_of_moment(hold.created_at)

    def _note_freed(self, holds: Iterable[Hold]) -> None:
        """Of what these holds set free, some may have come to its day since they were taken: the expiry round has to look."""
        today = self._network.day_at(self._clock.unix())
        older = {(hold.address, hold.program) for hold in holds if self._day_of(hold) < today}
        AccountRepository(self._session).add(dict.fromkeys(older, Balance(due_on=AT_ONCE)))

    def _end(self, hold: Hold, state: HoldState) -> None:
        hold.state = state
        hold.ended_at = self._clock.now()

    def _record(self, action: str, hold: Hold, actor: str) -> None:
        data = hold_facts(hold, Names(self._session), self._network, self._clock.now())
        EventRecorder(self._session).record(
            f"hold.{action}", hold.id, actor=actor, merchants=[hold.merchant_number], data=data
        )
