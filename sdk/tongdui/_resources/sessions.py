"""Sessions: people who sign in."""

from __future__ import annotations

from tongdui._flow import Awaiting, Blocking, Flow, operation
from tongdui._gateway import Identified, given, name_of, segment
from tongdui._models import Issuers, OidcAuthorization, Session, SignedIn
from tongdui._pagination import Query, listing
from tongdui._resource import Resource

_PATH = "/v1/sessions"


class _Sessions(Resource):
    @operation
    def create(
        self,
        *,
        email: str,
        password: str,
        one_time_code: str | None = None,
        recovery_code: str | None = None,
        address: str | None = None,
        user_agent: str | None = None,
    ) -> Flow[Session]:
        """Sign a person in. The client needs no credential for it; make another one with the session's token.

        Args:
            email: The person's address.
            password: Its password.
            one_time_code: What its app shows now, if it has one.
            recovery_code: One of its recovery codes instead, each of which is good once.
            address: For a server that signs people in: the address that the person comes from. The gateway believes it only from
                those that its operator trusts.
            user_agent: The same for the person's browser.

        Returns:
            The session, with its `token`.

        Raises:
            SecondFactorRequiredError: The password is right; ask the person for a code, too.
            AuthenticationError: The address, the password or the code is wrong (`code` says whether it is the code).
            RateLimitedError: Too many attempts; `retry_after` says when to try again.
        """
        body = given(email=email, password=password, one_time_code=one_time_code, recovery_code=recovery_code)
        headers = origin_headers(address, user_agent)
        return self._gateway.parse(Session, (yield from self._gateway.send("POST", _PATH, json=body, headers=headers)))

    @operation
    def issuers(self) -> Flow[Issuers]:
        """Ask where people may sign in besides with an address and a password. The client needs no credential.

        Returns:
            The network's other issuer, if it has one.
        """
        return (yield from self._gateway.get(Issuers, f"{_PATH}/issuers"))

    @operation
    def begin_oidc(self) -> Flow[OidcAuthorization]:
        """Begin to sign a person in at the network's other issuer (OpenID Connect). The client needs no credential.

        Returns:
            Where to send the person, and the state to keep in its browser.

        Raises:
            UnprocessableError: The network has no other issuer (`no_oidc`).
        """
        return (yield from self._gateway.get(OidcAuthorization, f"{_PATH}/oidc"))

    @operation
    def create_by_oidc(
        self, *, code: str, state: str, address: str | None = None, user_agent: str | None = None
    ) -> Flow[Session]:
        """Sign in a person who comes back from the other issuer. The client needs no credential.

        Args:
            code: What the issuer has sent the person back with.
            state: The same. Compare it first with what the person's browser has kept.
            address: As in `create`.
            user_agent: As in `create`.

        Returns:
            The session, with its `token`.

        Raises:
            AuthenticationError: The issuer does not vouch for the person (`oidc_failed`).
            ForbiddenError: Nobody works here with the address that it has verified (`oidc_no_person`).
        """
        headers = origin_headers(address, user_agent)
        body = {"code": code, "state": state}
        response = yield from self._gateway.send("POST", f"{_PATH}/oidc", json=body, headers=headers)
        return self._gateway.parse(Session, response)

    @operation
    def current(self) -> Flow[Session]:
        """Fetch the client's own session: who you are, on which seat, and which others you may take."""
        return (yield from self._gateway.get(Session, f"{_PATH}/current"))

    @operation
    def take_seat(self, seat: str | Identified) -> Flow[Session]:
        """Sit on another of your seats. The token stays the same.

        Args:
            seat: The seat, or its id.

        Returns:
            The session on that seat.
        """
        response = yield from self._gateway.send("POST", f"{_PATH}/current/seat", json={"seat": name_of(seat)})
        return self._gateway.parse(Session, response)

    @operation
    def end(self) -> Flow[SignedIn]:
        """Sign out: the client's token is good for nothing afterwards."""
        return self._gateway.parse(SignedIn, (yield from self._gateway.send("DELETE", f"{_PATH}/current")))

    @listing
    def list(self, *, page_size: int | None = None) -> Query[SignedIn]:
        """List where you are signed in, newest first, `page_size` at a time."""
        return Query(_PATH, SignedIn, {"limit": page_size})

    @operation
    def revoke(self, session: str | Identified) -> Flow[SignedIn]:
        """Sign out somewhere else, at once.

        Args:
            session: One of your sessions, or its id.

        Returns:
            What has ended.
        """
        path = f"{_PATH}/{segment(name_of(session))}"
        return self._gateway.parse(SignedIn, (yield from self._gateway.send("DELETE", path)))


def origin_headers(address: str | None, user_agent: str | None) -> dict[str, str]:
    """Headers that tell the gateway where a person comes from whom a server signs in."""
    headers = {"X-Forwarded-For": address, "User-Agent": user_agent}
    return {name: value.encode("ascii", "replace").decode() for name, value in headers.items() if value}


class Sessions(Blocking, _Sessions):
    """Sessions: people who sign in."""


class AsyncSessions(Awaiting, _Sessions):
    """Sessions: people who sign in. Its methods are awaited."""
