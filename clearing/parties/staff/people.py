"""Rules of people and their seats: who may add, change and remove whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from clearing.kit.clock import clock_of
from clearing.kit.errors import Conflict, Forbidden, InvalidRequest, NotFound, Unauthenticated
from clearing.kit.events.changes import changed_from
from clearing.kit.events.recorder import EventRecorder
from clearing.kit.ids import new_id
from clearing.kit.viewer import Viewer
from clearing.parties.access.service import NEEDS_SECOND_PERSON, Caller
from clearing.parties.staff.emails import email_key
from clearing.parties.staff.models import Colleague, Language, Person, Seat
from clearing.parties.staff.repository import PersonRepository, SeatRepository
from clearing.parties.staff.sessions import SessionService
from clearing.parties.staff.titles import NETWORK, Title


@dataclass(frozen=True, slots=True)
class NewPerson:
    """Somebody who is to be added."""

    email: str
    name: str
    language: Language
    password_hash: str | None
    must_change_password: bool = False


class PeopleService:
    """People and seats in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._clock = clock_of(session)
        self._people = PersonRepository(session)
        self._seats = SeatRepository(session)
        self._sessions = SessionService(session)
        self._events = EventRecorder(session)

    # ---------------------------------------------------------------- who is there

    def by_email(self, email: str) -> Person | None:
        """The person with this address."""
        return self._people.by_email(email_key(email))

    def locked_by_email(self, email: str) -> Person | None:
        """The same; nobody else can change it before this transaction ends."""
        person = self.by_email(email)
        return self._people.lock(person.id) if person is not None else None

    def of(self, caller: Caller) -> Person:
        """The person who calls."""
        assert caller.person_id is not None, "only people may call this route"
        person = self._people.by_id(caller.person_id)
        assert person is not None, caller.person_id
        return person

    def locked(self, caller: Caller) -> Person:
        """The person who calls, as it is now; nobody else can change it before this transaction ends.

        Refuses one who was signed out while we waited for that: it must not begin another session now.
        """
        person = self._people.lock(self.of(caller).id)
        assert person is not None, caller.person_id
        if caller not in self._sessions.live([caller.key_id]):
            raise Unauthenticated("you are not signed in any more")
        return person

    def list(
        self, viewer: Viewer, merchant_number: int | None, *, after: str | None, limit: int
    ) -> Sequence[Colleague]:
        """Who sits at a merchant, or in the network itself (None), newest seat first. A merchant sees its own people."""
        if not viewer.sees(merchant_number):
            raise NotFound("you may see the people of your own merchant only")
        return self._seats.colleagues(merchant_number, after=after, limit=limit)

    def everybody(self) -> Sequence[Colleague]:
        """All people of the network and of all merchants, with their seats."""
        return self._seats.list_all()

    # ---------------------------------------------------------------- add

    def add(self, new: NewPerson, *, actor: str) -> Person:
        """Adds a person, who has no seat yet."""
        self._people.lock_email(email_key(new.email))
        if self.by_email(new.email) is not None:
            raise Conflict.at("/email", f"{new.email} belongs to somebody already", code="email_taken")
        person = Person(
            id=new_id("stf"),
            email=new.email,
            email_key=email_key(new.email),
            name=new.name,
            language=new.language,
            password_hash=new.password_hash,
            must_change_password=new.must_change_password,
        )
        self._people.add(person)
        self._events.record("staff.added", person.id, actor=actor, data={"name": new.name})
        return person

    def seat(self, person: Person, title: Title, merchant_number: int | None, *, actor: str) -> Seat:
        """Gives a person a seat. Somebody has one at a merchant, and at most one of each title in the network itself."""
        require_fitting(title, merchant_number)
        self.require_free(person, title, merchant_number)
        seat = Seat(id=new_id("sea"), person_id=person.id, merchant_number=merchant_number, title=title)
        self._seats.add(seat)
        self._record("seated", person, seat, actor, {"title": title})
        return seat

    # ---------------------------------------------------------------- change

    def change_title(self, caller: Caller, seat_id: str, title: Title) -> Colleague:
        """Gives somebody at the caller's merchant another title. Whoever sits there signs in again."""
        found = self._managed(caller, seat_id)
        seat = found.seat
        if seat.merchant_number is None:
            raise Conflict(
                "a seat in the network keeps its title; remove it, and invite the person to another", code="conflict"
            )
        require_fitting(title, seat.merchant_number)
        if seat.title is title:
            return found
        self._keep_an_admin(seat, found.person)
        before = seat.title
        self._seats.retitle(seat, title)
        self._sessions.end_all_on(seat)
        self._record("title_changed", found.person, seat, caller.actor, {"title": title, "before": before})
        return found

    def remove_seat(self, caller: Caller, seat_id: str) -> Colleague:
        """Takes a seat from somebody, and signs it out there. The person stays, with its other seats."""
        found = self._managed(caller, seat_id)
        self._keep_an_admin(found.seat, found.person)
        self._seats.remove(found.seat, self._clock.now())
        self._sessions.end_all_on(found.seat)
        data = {"title": found.seat.title, **changed_from({"title": found.seat.title}, {"title": None})}
        self._record("unseated", found.person, found.seat, caller.actor, data)
        return found

    def disable(self, caller: Caller, person_id: str) -> Person:
        """Lets somebody in no more, at once. A merchant's admin may do that to people who sit at its merchant only.

        The operator may do it also to a merchant's last admin, who is perhaps the one to keep out; it then invites another one.
        """
        person = self._wholly_managed(caller, person_id)
        for seat in self._seats.of_person(person.id):
            if seat.merchant_number == caller.merchant_number:
                self._keep_an_admin(seat, person)
        self.shut_out(person, by_network=caller.merchant_number is None, actor=caller.actor)
        return person

    def shut_out(self, person: Person, *, by_network: bool, actor: str) -> None:
        """Disables a person and ends its sessions. What the network does weighs more than what an admin did before."""
        if person.disabled_at is not None and (person.disabled_by_network or not by_network):
            return
        before = _access_of(person)
        person.disabled_at = person.disabled_at or self._clock.now()
        person.disabled_by_network = by_network
        self._sessions.end_all_of(person)
        self._record_at_all_seats("disabled", person, actor, changed_from(before, _access_of(person)))

    def enabling_needs_second_person(self, caller: Caller, person_id: str) -> bool:
        """Whether the caller cannot let this person in alone: whoever can move money or let others in gets that power again."""
        seats = self._seats.at(person_id, None)
        return caller.merchant_number is None and any(seat.title.role in NEEDS_SECOND_PERSON for seat in seats)

    def known(self, person_id: str) -> Person:
        """The person with this id, whom nobody else can change before this transaction ends; or NotFound."""
        person = self._people.lock(person_id)
        if person is None:
            raise NotFound(f"there is no person {person_id}")
        return person

    def enable(self, caller: Caller, person_id: str) -> Person:
        """Lets somebody in again."""
        person = self._wholly_managed(caller, person_id)
        if person.disabled_by_network and caller.merchant_number is not None:
            detail = "the network's operator has disabled this person; only the operator can let it in again"
            raise Forbidden(detail, code="disabled_by_network")
        self.let_back(person, actor=caller.actor)
        return person

    def let_back(self, person: Person, *, actor: str) -> None:
        """Enables a person."""
        if person.disabled_at is None:
            return
        before = _access_of(person)
        person.disabled_at = None
        person.disabled_by_network = False
        self._record_at_all_seats("enabled", person, actor, changed_from(before, _access_of(person)))

    def sign_out(self, caller: Caller, person_id: str) -> Person:
        """Ends all sessions of somebody: for a merchant's admin those on seats at its merchant, for the operator all."""
        person = self._people.lock(person_id)
        seats = [seat for seat in self._seats.of_person(person_id) if _is_managed(seat, caller)]
        if person is None or not (seats or caller.merchant_number is None):
            raise NotFound(f"there is no person {person_id} among those whom you manage")
        if person.id == caller.person_id:
            raise Forbidden("end your own sessions where you are signed in: /v1/sessions", code="own_seat")
        if caller.merchant_number is None:
            self._sessions.end_all_of(person)
        else:
            for seat in seats:
                self._sessions.end_all_on(seat)
        merchants = [seat.merchant_number for seat in seats if seat.merchant_number is not None]
        data = {"name": person.name}
        self._events.record("staff.sessions_ended", person.id, actor=caller.actor, merchants=merchants, data=data)
        return person

    def set_password(self, person: Person, password_hash: str, *, must_change: bool, actor: str) -> None:
        """Gives a person another password, and ends all its sessions."""
        person.password_hash = password_hash
        person.must_change_password = must_change
        self._sessions.end_all_of(person)
        self._events.record("staff.password_changed", person.id, actor=actor, data={})

    def change_profile(self, person: Person, *, name: str | None, language: Language | None, actor: str) -> None:
        """Changes how a person is called, and in which language it reads."""
        if name is not None and name != person.name:
            self._record_at_all_seats("renamed", person, actor, {"name": name, "before": person.name})
            person.name = name
        person.language = language or person.language

    # ---------------------------------------------------------------- who may

    def require_free(
        self, person: Person, title: Title, merchant_number: int | None, pointer: str | None = None
    ) -> None:
        """Refuses a second seat at a merchant, and a second one with the same title in the network itself."""
        taken = self._seats.at(person.id, merchant_number)
        if any(seat.title is title or merchant_number is not None for seat in taken):
            detail = f"{person.email} has a seat there already, as {taken[0].title}"
            error = Conflict(detail, code="seat_taken")
            raise error if pointer is None else Conflict.at(pointer, detail, code="seat_taken")

    def _managed(self, caller: Caller, seat_id: str) -> Colleague:
        """A seat that the caller may change: an admin those of its merchant, the operator those of the network itself."""
        seat = self._seats.live(seat_id)
        if seat is None or seat.merchant_number != caller.merchant_number:
            raise NotFound(f"there is no seat {seat_id} among those that you manage")
        person = self._people.lock(seat.person_id)
        assert person is not None, seat.person_id
        if self._seats.live(seat_id) is None:  # somebody else was faster
            raise NotFound(f"there is no seat {seat_id} among those that you manage")
        if person.id == caller.person_id:
            raise Forbidden("nobody changes its own seat; ask another admin", code="own_seat")
        return Colleague(seat, person)

    def _wholly_managed(self, caller: Caller, person_id: str) -> Person:
        """A person all of whose seats the caller manages. The operator manages everybody."""
        person = self._people.lock(person_id)
        seats = self._seats.of_person(person_id)
        is_known = caller.merchant_number is None or any(
            seat.merchant_number == caller.merchant_number for seat in seats
        )
        if person is None or not is_known:
            raise NotFound(f"there is no person {person_id} among those whom you manage")
        if person.id == caller.person_id:
            raise Forbidden("nobody disables itself; ask another admin", code="own_seat")
        if caller.merchant_number is not None and any(seat.merchant_number != caller.merchant_number for seat in seats):
            detail = "the person works elsewhere, too: remove its seat at your merchant instead"
            raise Forbidden(detail, code="person_elsewhere")
        return person

    def require_no_admin(self, merchant_number: int) -> None:
        """Refuses to bring another admin to a merchant that has one, who lets others in."""
        if self._seats.count_able(merchant_number, Title.ADMIN) > 0:
            detail = "the merchant has an admin, who invites its people"
            raise Conflict.at("/merchant", detail, code="merchant_has_admin")

    def _keep_an_admin(self, seat: Seat, person: Person) -> None:
        """Refuses to take its title from the last person who could let others in. Somebody disabled could not."""
        if person.disabled_at is not None or seat.title not in (Title.ADMIN, Title.OPERATOR):
            return
        if self._seats.count_able(seat.merchant_number, seat.title) <= 1:
            raise Conflict(f"this is the last {seat.title}; make another one first", code="last_admin")

    # ---------------------------------------------------------------- the audit log
    # Everybody who reads a merchant's events reads these: they name people, and never say their addresses.

    def _record(self, action: str, person: Person, seat: Seat, actor: str, data: dict[str, Any]) -> None:
        merchants = [] if seat.merchant_number is None else [seat.merchant_number]
        named = {"name": person.name, "seat": seat.id, **data}
        self._events.record(f"staff.{action}", person.id, actor=actor, merchants=merchants, data=named)

    def _record_at_all_seats(self, action: str, person: Person, actor: str, data: dict[str, Any] | None = None) -> None:
        seats = self._seats.of_person(person.id)
        merchants = [seat.merchant_number for seat in seats if seat.merchant_number is not None]
        named = {"name": person.name, **(data or {})}
        self._events.record(f"staff.{action}", person.id, actor=actor, merchants=merchants, data=named)


def _access_of(person: Person) -> dict[str, Any]:
    """Whether the person may sign in, for events."""
    return {"disabled_at": person.disabled_at, "disabled_by_network": person.disabled_by_network}


def _is_managed(seat: Seat, caller: Caller) -> bool:
    """Whether the caller manages who sits there. The operator manages everybody."""
    return caller.merchant_number is None or seat.merchant_number == caller.merchant_number


def require_fitting(title: Title, merchant_number: int | None, pointer: str = "/title") -> None:
    """Refuses one of the network's titles at a merchant, and a merchant's title in the network."""
    if (title in NETWORK) != (merchant_number is None):
        theirs = [one.value for one in Title if (one in NETWORK) == (merchant_number is None)]
        where = "in the network itself" if merchant_number is None else "at a merchant"
        raise InvalidRequest.at(pointer, f"{where}, titles are {', '.join(theirs)}")
