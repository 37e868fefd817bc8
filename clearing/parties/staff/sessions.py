"""Rules of sessions: what a person who is signed in may do, for how long, and how it ends."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy.orm import Session

from clearing.kit.clock import clock_of
from clearing.kit.config import Settings
from clearing.kit.errors import Forbidden, NotFound
from clearing.kit.events.recorder import EventRecorder
from clearing.parties.access.actors import person_actor
from clearing.parties.access.service import Caller
from clearing.parties.staff.models import Occupied, Person, Restriction, Seat, SignInMethod, StaffSession
from clearing.parties.staff.repository import SeatRepository
from clearing.parties.staff.session_repository import StaffSessionRepository
from clearing.parties.staff.titles import NEEDS_SECOND_FACTOR
from clearing.parties.staff.tokens import TokenKind, id_in, matches, new_token


class Origin(NamedTuple):
    """Where a person signs in from."""

    address: str = ""
    user_agent: str = ""


class Proof(NamedTuple):
    """How a person has shown who it is."""

    method: SignInMethod
    second_factor: bool


class Issued(NamedTuple):
    """A session that has just begun, with its token, which is shown only this once."""

    occupied: Occupied
    token: str


class SessionService:
    """Sessions in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._clock = clock_of(session)
        self._sessions = StaffSessionRepository(session)
        self._seats = SeatRepository(session)
        self._events = EventRecorder(session)

    # ---------------------------------------------------------------- who is calling

    def bearer_of(self, token: str) -> Caller | None:
        """Whose token this is, or None. Takes equally long whichever part of the token is wrong."""
        id = id_in(TokenKind.SESSION, token)  # noqa: A001
        found = next(iter(self._sessions.occupied([id] if id else [])), None)
        is_right = matches(token, found.session.token_hash if found else None)
        if found is None or not is_right or not is_live(found, self._clock.now()):
            return None
        return caller_of(found)

    def live(self, ids: Collection[str]) -> set[Caller]:
        """Who is calling with each of these sessions, if that is still good."""
        at = self._clock.now()
        return {caller_of(found) for found in self._sessions.occupied(ids) if is_live(found, at)}

    def note_uses(self, uses: Mapping[str, datetime]) -> None:
        """Notes when sessions were used, by their ids. One that is over stays so: somebody was perhaps told that it is."""
        at = self._clock.now()
        live = {one.session.id for one in self._sessions.occupied(uses) if is_live(one, at)}
        if live:
            self._sessions.note_uses({id: used for id, used in uses.items() if id in live})  # noqa: A001

    # ---------------------------------------------------------------- begin

    def begin(self, person: Person, seat: Seat, proof: Proof, origin: Origin, settings: Settings) -> Issued:
        """Signs a person in, with a new token."""
        at = self._clock.now()
        token = new_token(TokenKind.SESSION)
        session = StaffSession(
            id=token.id,
            token_hash=token.hash,
            person_id=person.id,
            seat_id=seat.id,
            method=proof.method,
            second_factor=proof.second_factor,
            restriction=_restriction(person, seat, proof, settings),
            address=origin.address[:45],
            user_agent=origin.user_agent[:300],
            created_at=at,
            expires_at=at + timedelta(seconds=settings.staff_session_lifetime),
            idle_seconds=settings.staff_session_idle,
            last_seen_at=at,
        )
        self._sessions.add(session)
        data = {"session": session.id, "seat": seat.id, "title": seat.title, "method": proof.method}
        self._events.record("staff.signed_in", person.id, actor=person_actor(person.id), data=data)
        return Issued(Occupied(session, person, seat), token.text)

    def begin_anew(self, caller: Caller, settings: Settings, *, second_factor: bool = False) -> Issued:
        """Ends every session of the caller's person and begins another one in the place of the caller's."""
        found = self.current(caller)
        self.end_all_of(found.person)
        proof = Proof(found.session.method, second_factor or found.session.second_factor)
        return self.begin(
            found.person, found.seat, proof, Origin(found.session.address, found.session.user_agent), settings
        )

    def usual_seat(self, person: Person) -> Seat | None:
        """The seat on which a person begins: the one of its last session, or else its oldest."""
        seats = self._seats.of_person(person.id)
        last = self._sessions.newest_of(person.id)
        return next(
            (seat for seat in seats if last is not None and seat.id == last.seat_id), seats[0] if seats else None
        )

    # ---------------------------------------------------------------- while it lasts

    def current(self, caller: Caller) -> Occupied:
        """The caller's own session."""
        return self._sessions.occupied([caller.key_id])[0]

    def seats(self, person_id: str) -> Sequence[Seat]:
        """The seats that a person may take."""
        return self._seats.of_person(person_id)

    def take_seat(self, caller: Caller, seat_id: str, settings: Settings) -> Occupied:
        """Sits the caller's session on another seat of the same person."""
        found = self.current(caller)
        seat = self._seats.live(seat_id)
        if seat is None or seat.person_id != caller.person_id:
            raise NotFound.of("seat", f"you have no seat {seat_id}", "/seat")
        if found.session.restriction is Restriction.PASSWORD_CHANGE:
            raise Forbidden("change your password first", code="password_change_required")
        found.session.seat_id = seat.id
        proof = Proof(found.session.method, found.session.second_factor)
        found.session.restriction = _restriction(found.person, seat, proof, settings)
        return Occupied(found.session, found.person, seat)

    def list(self, caller: Caller, *, after: str | None, limit: int) -> Sequence[Occupied]:
        """Where the caller's person is signed in, newest first."""
        assert caller.person_id is not None
        at = self._clock.now()
        found: list[Occupied] = []
        while len(found) < limit:
            page = self._sessions.of_person(caller.person_id, after=after, limit=limit)
            known = {one.session.id: one for one in self._sessions.occupied([session.id for session in page])}
            found += [known[session.id] for session in page if is_live(known[session.id], at)]
            if len(page) < limit:
                break
            after = page[-1].id
        return found[:limit]

    # ---------------------------------------------------------------- end

    def revoke(self, caller: Caller, session_id: str) -> Occupied:
        """Ends one of the caller's person's sessions. Repeating it changes nothing."""
        found = next(iter(self._sessions.occupied([session_id])), None)
        if found is None or found.person.id != caller.person_id:
            raise NotFound(f"you have no session {session_id}")
        if self._sessions.end(found.session, self._clock.now()):
            data = {"session": found.session.id}
            self._events.record("staff.signed_out", found.person.id, actor=caller.actor, data=data)
        return found

    def end_all_of(self, person: Person) -> None:
        """Ends every session of a person."""
        self._sessions.end_all_of(person.id, self._clock.now())

    def end_all_on(self, seat: Seat) -> None:
        """Ends every session that sits on a seat."""
        self._sessions.end_all_on(seat.id, self._clock.now())


def is_live(found: Occupied, at: datetime) -> bool:
    """Whether a session lets anybody in at this moment."""
    session = found.session
    if session.ended_at is not None or found.person.disabled_at is not None or found.seat.removed_at is not None:
        return False
    return at < min(session.expires_at, _idle_from(session))


def _idle_from(session: StaffSession) -> datetime:
    return session.last_seen_at + timedelta(seconds=session.idle_seconds)


def caller_of(found: Occupied) -> Caller:
    """Who is calling with this session."""
    title = found.seat.title
    return Caller(
        key_id=found.session.id,
        role=title.role,
        merchant_number=found.seat.merchant_number,
        scopes=title.scopes,
        person_id=found.person.id,
        title=title.value,
        restriction=found.session.restriction,
        idle_from=_idle_from(found.session),
    )


def _restriction(person: Person, seat: Seat, proof: Proof, settings: Settings) -> Restriction | None:
    if person.must_change_password and proof.method is SignInMethod.PASSWORD:
        return Restriction.PASSWORD_CHANGE
    if settings.staff_require_totp and seat.title in NEEDS_SECOND_FACTOR and not proof.second_factor:
        return Restriction.SECOND_FACTOR
    return None
