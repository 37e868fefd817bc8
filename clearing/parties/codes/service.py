"""Rules of member codes: who may ask for one, what it is good for, and how many wrong ones a merchant may present.

Guessing: a code has 10 symbols of base 32, so there are 32^10 (about 1.1 x 10^15). A merchant has 5 wrong tries in 10 minutes.
While N codes are live, one try hits one of them with the chance N / 32^10, and a day of tries (720) with 720 N / 32^10: with 10,000
live codes, once in 150 million days. Whoever steals the hashes needs 10^15 of them for one code, within the minutes of its life.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from clearing.kit.clock import clock_of
from clearing.kit.errors import ClearingError, Conflict, FieldError, Forbidden, NotFound, Pointer, RateLimited, Refused
from clearing.kit.events.recorder import EventRecorder
from clearing.kit.ids import new_id
from clearing.kit.one_time_codes import hash_of, new_code, plain
from clearing.kit.viewer import Viewer
from clearing.parties.codes.models import MemberCode, MemberCodeState, PresenterTries
from clearing.parties.codes.repository import MemberCodeRepository, Presentation, PresenterTriesRepository
from clearing.parties.members.freezes import require_not_frozen
from clearing.parties.members.models import Member
from clearing.parties.members.repository import MemberRepository
from clearing.parties.members.service import require_member
from clearing.parties.merchants.models import Merchant
from clearing.parties.merchants.service import require_merchant, require_participating
from clearing.parties.names import Names
from clearing.parties.programs.models import Program
from clearing.parties.programs.repository import ProgramRepository
from clearing.parties.programs.service import require_program

MOST_TRIES = 5
"""So many wrong codes may a merchant present in `TRIES_WINDOW`; so often may a code be presented for what it does not allow."""
TRIES_WINDOW = timedelta(minutes=10)
QR_PREFIX = "tongdui:code:"
"""What a code's QR code says before the code."""


class MemberCodeService:
    """Member codes in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._clock = clock_of(session)
        self._codes = MemberCodeRepository(session)
        self._tries = PresenterTriesRepository(session)
        self._events = EventRecorder(session)
        self._names = Names(session)

    # ---------------------------------------------------------------- the member's own merchant

    def create(
        self,
        merchant: Merchant,
        member: str,
        *,
        points: int,
        program: str | None,
        presenter: str | None,
        seconds: int,
        actor: str,
    ) -> tuple[MemberCode, str]:
        """A code with which another merchant may draw on at most `points` of the member's, once; and the code as it is read out.

        It is good for programs of the merchant that asks for it, and no others': nobody gives consent to draw on another issuer's
        points. `program` limits it to one of them, `presenter` to the merchant with this id.
        """
        require_participating(merchant)
        holder = require_member(self._session, merchant, member)
        require_not_frozen(self._session, holder, merchant, "")
        issued = self._own_program(merchant, program)
        shown_by = require_merchant(self._session, presenter, "/merchant") if presenter is not None else None
        text = new_code(5, 5)
        code = MemberCode(
            id=new_id("mcd"),
            code_hash=hash_of(text),
            member_id=holder.id,
            merchant_number=merchant.number,
            points=points,
            program=issued.number if issued else None,
            presenter=shown_by.number if shown_by else None,
            expires_at=self._clock.now() + timedelta(seconds=seconds),
        )
        self._codes.add(code)
        limits = {"program": issued.code if issued else None, "merchant": shown_by.id if shown_by else None}
        self._record("created", code, actor, {"points": points, **limits, "expires_at": code.expires_at.isoformat()})
        return code, text

    def visible(self, viewer: Viewer, member: Member, code_id: str) -> MemberCode:
        """The member's code with this id, if the viewer may see it. A merchant sees those that it asked for."""
        code = self._codes.by_id(code_id)
        if code is None or self._member(code).id != member.id or not viewer.sees(code.merchant_number):
            raise NotFound(f"there is no code {code_id} of this member")
        return code

    def void(self, code: MemberCode, actor: str) -> None:
        """Ends a code before its time. Harmless if it has ended; refused if it was used."""
        if self._codes.void(code.id, self._clock.now()):
            self._record("voided", code, actor, {"reason": "merchant"})
        elif code.used_at is not None:
            raise Conflict(f"the code was used for {code.used_for}; it cannot be taken back", code="member_code_used")

    # ---------------------------------------------------------------- the merchant at whose till it is shown

    def peek(self, merchant: Merchant, code: str, *, program: int, points: int, at: Pointer) -> Member:
        """The member whose code the merchant may present now for `points` of a program. Writes nothing, so it promises nothing.

        Raises what `present` raises.
        """
        shown = self._presentation(merchant, code, program, points, at)
        found = self._codes.by_hash(shown.code_hash)
        refusal = self._refusal(found, shown, at)
        if found is None or refusal is not None:
            raise refusal or self._wrong(shown, at, "is unknown")
        return self._member(found)

    def present(
        self, merchant: Merchant, code: str, *, program: int, points: int, at: Pointer, used_for: str, actor: str
    ) -> Member:
        """Uses the code up for the hold or movement with the id `used_for`, and returns its member.

        If the caller rolls back afterwards, because the request is refused for another reason, the code stays live.

        Raises `member_code_invalid` for a code that is unknown or not live, `over_member_code` and `member_code_other_program` for
        one that does not allow this, and `too_many_tries` to a merchant that has presented too many wrong ones. These tries are
        counted although the refusal rolls back (`ClearingError.count`).
        """
        shown = self._presentation(merchant, code, program, points, at)
        used = self._codes.use(shown, used_for, self._clock.now())
        if used is None:
            refusal = self._refusal(self._codes.by_hash(shown.code_hash), shown, at)
            raise refusal or self._wrong(shown, at, "is not live any more")
        data = {"points": points, "program": self._names.program(program), "used_for": used_for}
        self._record("used", used, actor, {**data, "merchant": merchant.id, "merchant_name": merchant.name})
        return self._member(used)

    def _presentation(self, merchant: Merchant, code: str, program: int, points: int, at: Pointer) -> Presentation:
        """Who presents what, unless the merchant has presented too many wrong codes."""
        now = self._clock.now()
        tries = self._tries.of(merchant.number, now - TRIES_WINDOW)
        if tries is not None and tries.wrong >= MOST_TRIES:
            raise _too_many(tries, now, at)
        issuer = ProgramRepository(self._session).get_one(program).merchant_number
        return Presentation(hash_of(_scanned(code)), merchant.number, program, issuer, points)

    def _refusal(self, code: MemberCode | None, shown: Presentation, at: Pointer) -> ClearingError | None:
        """Why the code may not be presented for this; None if it may."""
        if code is None or code.presenter not in (None, shown.presenter):
            return self._wrong(shown, at, "is unknown, or meant for another merchant")
        state = code.state_at(self._clock.now())
        if state is not MemberCodeState.LIVE:
            return self._wrong(shown, at, "was used already" if state is MemberCodeState.USED else f"is {state}")
        if code.merchant_number != shown.issuer or code.program not in (None, shown.program):
            detail = f"the member's code is not for points of {self._names.program(shown.program)}"
            return self._not_allowed(code, Refused.at(at("member_code"), detail, code="member_code_other_program"))
        if shown.points > code.points:
            detail = f"the member has agreed to at most {code.points} points, not {shown.points}; ask for a new code"
            return self._not_allowed(code, Refused.at(at("points"), detail, code="over_member_code"))
        return None

    # ---------------------------------------------------------------- counting tries

    def _wrong(self, shown: Presentation, at: Pointer, why: str) -> ClearingError:
        """The refusal of a code that is not live: a wrong try of the merchant's."""

        def count(session: Session) -> None:
            now = clock_of(session).now()
            tries = PresenterTriesRepository(session).count(shown.presenter, at=now, since=now - TRIES_WINDOW)
            if tries.wrong > MOST_TRIES:  # others were counted at the same moment
                raise _too_many(tries, now, at)

        detail = f"this code {why}; ask the member for a new one"
        return Refused.at(at("member_code"), detail, code="member_code_invalid").counted_by(count)

    @staticmethod
    def _not_allowed(code: MemberCode, refusal: ClearingError) -> ClearingError:
        """The refusal of a live code that does not allow this: a try of that code. The last one ends it."""

        def count(session: Session) -> None:
            if MemberCodeRepository(session).count_refused_try(code.id) >= MOST_TRIES:
                MemberCodeService(session).end_after_tries(code)

        return refusal.counted_by(count)

    def end_after_tries(self, code: MemberCode) -> None:
        """Ends a live code that was presented too often for what it does not allow."""
        if self._codes.void(code.id, self._clock.now()):
            self._record("voided", code, "gateway", {"reason": "tries"})

    # ---------------------------------------------------------------- the rest

    def _own_program(self, merchant: Merchant, name: str | None) -> Program | None:
        """The merchant's program with this name; None for any of its programs, if it has one."""
        if name is None:
            if not ProgramRepository(self._session).of_merchant(merchant.number):
                detail = "you have no program, so there are no points of yours that a code could be for"
                raise Refused.at("/program", detail, code="no_program")
            return None
        program = require_program(self._session, name, "/program")
        if program.merchant_number != merchant.number:
            detail = f"{program.code} belongs to another merchant; only that merchant makes codes for its points"
            raise Forbidden.at("/program", detail, code="not_program_merchant")
        return program

    def _member(self, code: MemberCode) -> Member:
        member = MemberRepository(self._session).by_id(code.member_id)
        assert member is not None, code.member_id
        return member

    def _record(self, action: str, code: MemberCode, actor: str, data: dict[str, object]) -> None:
        self._events.record(
            f"member.code_{action}",
            code.member_id,
            actor=actor,
            merchants=[code.merchant_number],
            data={"code": code.id, "member": code.member_id, **data},
        )


def qr_payload(code: str) -> str:
    """What a code's QR code says: a URI, so that a scanner can tell what it has read."""
    return QR_PREFIX + plain(code)


def _scanned(text: str) -> str:
    """The code, whether it was typed or comes from a scanner."""
    return text[len(QR_PREFIX) :] if text.lower().startswith(QR_PREFIX) else text


def _too_many(tries: PresenterTries, now: datetime, at: Pointer) -> ClearingError:
    wait = max(1, math.ceil((tries.since + TRIES_WINDOW - now).total_seconds()))
    detail = f"you have presented {MOST_TRIES} wrong codes; wait {wait} seconds, then present the member's code again"
    errors = (FieldError(at("member_code"), detail),)
    return RateLimited(detail, code="too_many_tries", errors=errors, retry_after=wait)
