"""Sessions: signing in and out, and the seat on which a person works."""

from __future__ import annotations

from fastapi import APIRouter

from clearing.kit.errors import Unavailable
from clearing.parties.staff.models import Occupied
from clearing.parties.staff.sessions import SessionService
from clearing.parties.staff.sign_in import Codes, SignInService, compare
from clearing.parties.staff.tries import TryCounter, forgiving
from gateway.api.sessions.schemas import (
    IssuersView,
    IssuerView,
    OidcAnswer,
    OidcAuthorizationView,
    SeatTaking,
    SessionCreate,
    SessionView,
    SignedInView,
)
from gateway.api.sessions.view import issued_view, session_view, signed_in_view
from gateway.http.context import Call, OpenCall
from gateway.http.endpoint import Elsewhere, Endpoint, Oneself, Open, Reading
from gateway.http.pagination import DEFAULT_LIMIT, Cursor, Limit, id_after, page_of
from gateway.http.problems import documented
from gateway.http.schemas import Page

router = APIRouter(route_class=Endpoint, tags=["sessions"])


@router.post("/v1/sessions", status_code=201, responses=documented(429))
def create_session(body: SessionCreate, call: Open) -> SessionView:
    """Signs a person in. Where it has an app for one-time codes, the first answer is `second_factor_required`."""
    attempt = call.transact(lambda: _sign_in(call).begin(body.email, call.origin))
    compared = compare(attempt, body.password)
    codes = Codes(body.one_time_code, body.recovery_code)
    return call.transact(lambda: issued_view(call, _sign_in(call).finish(attempt, compared, codes)))


@router.get("/v1/sessions/issuers")
def list_issuers(call: Open) -> IssuersView:
    """Where people may sign in besides with an address and a password."""
    return IssuersView(data=[IssuerView(name=one.name, url=one.url) for one in call.gateway.oidc.issuers])


@router.get("/v1/sessions/oidc", responses=documented(422))
def begin_oidc(call: Elsewhere) -> OidcAuthorizationView:
    """Where to send a person who signs in at the network's other issuer (OpenID Connect)."""
    begun = call.gateway.oidc.authorization()
    return OidcAuthorizationView(authorization_url=begun.url, state=begun.state)


@router.post("/v1/sessions/oidc", status_code=201, responses=documented(429))
def create_session_by_oidc(body: OidcAnswer, call: Elsewhere) -> SessionView:
    """Signs in a person whom the other issuer has let in, and who works here already with the address that it has verified."""
    call.transact(lambda: TryCounter(call.session).count_address(call.origin))
    with forgiving(lambda tries: tries.address_was_good(call.origin), Unavailable):
        email = call.gateway.oidc.verified_email(body.code, body.state)
    return call.transact(lambda: issued_view(call, _sign_in(call).by_other_issuer(email, call.origin)))


@router.get("/v1/sessions/current")
def get_current_session(call: Reading) -> SessionView:
    """Who you are, on which seat you sit, and which others you may take."""
    return _shown(call, SessionService(call.session).current(call.caller))


@router.delete("/v1/sessions/current", status_code=200)
def end_current_session(call: Oneself) -> SignedInView:
    """Signs you out."""
    found = SessionService(call.session).revoke(call.caller, call.caller.key_id)
    return signed_in_view(call.names, found, call.caller.key_id)


@router.post("/v1/sessions/current/seat", status_code=200)
def take_seat(body: SeatTaking, call: Oneself) -> SessionView:
    """Sits you on another seat of yours. The token stays the same."""
    return _shown(call, SessionService(call.session).take_seat(call.caller, body.seat, call.gateway.settings))


@router.get("/v1/sessions")
def list_sessions(call: Reading, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Page[SignedInView]:
    """Where you are signed in, newest first."""
    rows = SessionService(call.session).list(call.caller, after=id_after(cursor, "ses"), limit=limit + 1)
    return page_of(
        rows, limit, lambda row: signed_in_view(call.names, row, call.caller.key_id), lambda row: row.session.id
    )


@router.delete("/v1/sessions/{session}", status_code=200)
def revoke_session(session: str, call: Oneself) -> SignedInView:
    """Signs you out somewhere else, at once."""
    found = SessionService(call.session).revoke(call.caller, session)
    return signed_in_view(call.names, found, call.caller.key_id)


def _sign_in(call: OpenCall) -> SignInService:
    return SignInService(call.session, keyring=call.gateway.keyrings.staff_secrets, settings=call.gateway.settings)


def _shown(call: Call, found: Occupied) -> SessionView:
    return session_view(call.names, found, SessionService(call.session).seats(found.person.id))
