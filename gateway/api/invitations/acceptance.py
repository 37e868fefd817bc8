"""How an invitation is accepted. Slow hashes lie between the transactions, so it takes several."""

from __future__ import annotations

from clearing.kit.errors import InvalidRequest
from clearing.parties.staff import passwords
from clearing.parties.staff.invitations import InvitationService
from clearing.parties.staff.models import Invitation, Person, SignInMethod
from clearing.parties.staff.people import NewPerson, PeopleService
from clearing.parties.staff.sessions import Proof, SessionService
from clearing.parties.staff.sign_in import Codes, SignInService, compare
from gateway.api.invitations.schemas import InvitationAcceptance
from gateway.api.sessions.schemas import SessionView
from gateway.api.sessions.view import issued_view
from gateway.http.context import OpenCall, Transacted


def accepted(call: OpenCall, body: InvitationAcceptance) -> SessionView:
    """Gives the seat to somebody new, or to somebody who proves to be the one that is invited; signs the person in."""
    offered, is_known = call.transact(lambda: _offered(call, body.token))
    if is_known:
        return _by_known(call, body, offered.email)
    if body.name is None:
        raise InvalidRequest.at("/name", "is missing: how are you called?")
    passwords.require_good(body.password, offered.email)
    new = NewPerson(offered.email, body.name, body.language or offered.language, passwords.hash_of(body.password))

    def accept() -> SessionView:
        person = PeopleService(call.session).add(new, actor=offered.id)
        return _seated(call, body, person, Proof(SignInMethod.PASSWORD, second_factor=False))

    return call.transact(accept)


def _offered(call: OpenCall, token: str) -> tuple[Invitation, bool]:
    """The invitation, and whether it is for somebody who works with the network already."""
    service = invitation_service(call)
    invitation = service.shown(token)
    return invitation, service.invited(invitation) is not None


def _by_known(call: OpenCall, body: InvitationAcceptance, email: str) -> SessionView:
    attempt = call.transact(lambda: _sign_in(call).begin(email, call.origin))
    compared = compare(attempt, body.password)

    def accept() -> SessionView:
        person, proof = _sign_in(call).proven(attempt, compared, Codes(body.one_time_code, body.recovery_code))
        with attempt.forgiving():
            return _seated(call, body, person, proof)

    return call.transact(accept)


def _seated(call: OpenCall, body: InvitationAcceptance, person: Person, proof: Proof) -> SessionView:
    """Gives the person the seat, and signs it in there."""
    seat = invitation_service(call).accept(body.token, body.code, person)
    issued = SessionService(call.session).begin(person, seat, proof, call.origin, call.gateway.settings)
    return issued_view(call, issued)


def _sign_in(call: Transacted) -> SignInService:
    return SignInService(call.session, keyring=call.gateway.keyrings.staff_secrets, settings=call.gateway.settings)


def invitation_service(call: Transacted) -> InvitationService:
    """The service in this call's transaction."""
    return InvitationService(call.session, keyring=call.gateway.keyrings.mailed_links, settings=call.gateway.settings)
