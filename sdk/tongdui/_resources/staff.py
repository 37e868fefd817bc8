"""The people of a merchant or of the network: who has which seat, invitations, and new passwords by mail."""

from __future__ import annotations

from collections.abc import Sequence

from tongdui._approval import Approval
from tongdui._flow import Awaiting, Blocking, Flow, operation
from tongdui._gateway import Identified, given, name_of, optional_name_of, segment
from tongdui._models import ApiKey, Invitation, InvitationOffer, Session, StaffMember, StaffPerson
from tongdui._pagination import Query, listing
from tongdui._resource import Resource
from tongdui._resources.sessions import origin_headers

_STAFF = "/v1/staff"
_INVITATIONS = "/v1/invitations"
_RESETS = "/v1/password_resets"


class _Staff(Resource):
    @listing
    def list(self, *, merchant: str | Identified | None = None, page_size: int | None = None) -> Query[StaffMember]:
        """List who has a seat at your merchant; for the operator and auditors, in the network itself. Newest seat first.

        Args:
            merchant: For the operator and auditors: the people of this merchant instead.
            page_size: Elements to fetch at a time.

        Returns:
            An iterator that fetches pages as you go.
        """
        return Query(_STAFF, StaffMember, {"merchant": optional_name_of(merchant), "limit": page_size})

    @operation
    def change_title(
        self, seat: str | Identified, title: str, *, idempotency_key: str | None = None
    ) -> Flow[StaffMember]:
        """Give somebody at your merchant another title, and sign it out there.

        Args:
            seat: The person's seat, or its id.
            title: admin, manager, cashier, accountant or viewer.
            idempotency_key: Identifies the request over retries of your own. A random key by default.

        Returns:
            The person on the seat.
        """
        path = f"{_STAFF}/seats/{segment(name_of(seat))}"
        response = yield from self._gateway.send("PATCH", path, json={"title": title}, key=idempotency_key)
        return self._gateway.parse(StaffMember, response)

    @operation
    def remove_seat(self, seat: str | Identified, *, idempotency_key: str | None = None) -> Flow[StaffMember]:
        """Take a seat from somebody, and sign it out there. Its other seats stay.

        Args:
            seat: The seat, or its id.
            idempotency_key: Identifies the request over retries of your own. A random key by default.

        Returns:
            Who had the seat.
        """
        path = f"{_STAFF}/seats/{segment(name_of(seat))}"
        return self._gateway.parse(StaffMember, (yield from self._gateway.send("DELETE", path, key=idempotency_key)))

    @operation
    def disable(self, person: str | Identified, *, idempotency_key: str | None = None) -> Flow[StaffPerson]:
        """Let somebody in no more, at once.

        Args:
            person: The person, or its id.
            idempotency_key: Identifies the request over retries of your own. A random key by default.

        Returns:
            The person.
        """
        path = f"{_STAFF}/{segment(name_of(person))}/disable"
        return (yield from self._gateway.post(StaffPerson, path, {}, key=idempotency_key))

    @operation
    def enable(self, person: str | Identified, *, idempotency_key: str | None = None) -> Flow[StaffPerson]:
        """Let somebody in again, who was disabled. Takes the arguments of `disable`.

        Of an operator or somebody of the treasury, see `request_enabling`.

        Raises:
            ForbiddenError: The network has disabled the person (`disabled_by_network`): only its operator can let it in.
        """
        path = f"{_STAFF}/{segment(name_of(person))}/enable"
        return (yield from self._gateway.post(StaffPerson, path, {}, key=idempotency_key))

    @operation
    def request_enabling(
        self, person: str | Identified, *, reason: str, idempotency_key: str | None = None
    ) -> Flow[Approval]:
        """Ask to let in again an operator, or somebody of the treasury. Another person has to approve it.

        Args:
            person: The person, or its id.
            reason: Why, for whoever has to approve it.
            idempotency_key: Identifies the request over retries of your own. A random key by default.

        Returns:
            The approval: see `approvals.approve`.
        """
        path = f"{_STAFF}/{segment(name_of(person))}/enable"
        return (yield from self._gateway.post(Approval, path, {"reason": reason}, key=idempotency_key))

    @operation
    def sign_out(self, person: str | Identified, *, idempotency_key: str | None = None) -> Flow[StaffPerson]:
        """End all sessions of somebody, at once; for an admin, those on seats at its merchant. The person may sign in again.

        Takes the arguments of `disable`.
        """
        path = f"{_STAFF}/{segment(name_of(person))}/sign_out"
        return (yield from self._gateway.post(StaffPerson, path, {}, key=idempotency_key))


class _Invitations(Resource):
    @operation
    def create(
        self,
        *,
        email: str,
        title: str,
        name: str | None = None,
        language: str | None = None,
        idempotency_key: str | None = None,
    ) -> Flow[Invitation]:
        """Offer somebody a seat for seven days.

        An admin offers seats at its own merchant. The operator offers auditors theirs; for other seats, see `request`.

        Args:
            email: The address of whoever is invited.
            title: admin, manager, cashier, accountant or viewer; in the network auditor.
            name: How the person is called, as far as you know.
            language: The language of the mail: zh (by default) or en.
            idempotency_key: Identifies the request over retries of your own. A random key by default.

        Returns:
            The invitation. If the network sends no mail, this answer alone has the `link` to accept with.

        Raises:
            ForbiddenError: You may not offer such a seat.
            ConflictError: The person has a seat there (`seat_taken`), or the merchant has an admin (`merchant_has_admin`).
        """
        body = given(email=email, title=title, name=name, language=language)
        return (yield from self._gateway.post(Invitation, _INVITATIONS, body, key=idempotency_key))

    @operation
    def request(
        self,
        *,
        email: str,
        title: str,
        reason: str,
        name: str | None = None,
        language: str | None = None,
        merchant: str | Identified | None = None,
        idempotency_key: str | None = None,
    ) -> Flow[Approval]:
        """Ask to invite somebody to the network, or whoever comes first at a merchant (operator). Another person has to approve it.

        A merchant's invitation is good once: for a person, who becomes the merchant's admin (`accept`), or for a program, which
        gets the first API key (`redeem`).

        Args:
            email: The address of whoever is invited.
            title: In the network operator or treasury; at a merchant admin.
            reason: Why, for whoever has to approve it.
            name: How the person is called, as far as you know.
            language: The language of the mail: zh (by default) or en.
            merchant: The merchant. By default the network itself.
            idempotency_key: Identifies the request over retries of your own. A random key by default.

        Returns:
            The approval. If the network sends no mail, this answer has a `code`, and the answer to whoever approves a `link`: each
            of you hands over one of the two.

        Raises:
            ForbiddenError: You may not invite there.
            ConflictError: The person has a seat there (`seat_taken`), or the merchant has an admin (`merchant_has_admin`).
        """
        body = given(
            email=email, title=title, reason=reason, name=name, language=language, merchant=optional_name_of(merchant)
        )
        return (yield from self._gateway.post(Approval, _INVITATIONS, body, key=idempotency_key))

    @listing
    def list(self, *, merchant: str | Identified | None = None, page_size: int | None = None) -> Query[Invitation]:
        """List the invitations that somebody may still accept, newest first. Takes the arguments of `staff.list`."""
        return Query(_INVITATIONS, Invitation, {"merchant": optional_name_of(merchant), "limit": page_size})

    @operation
    def revoke(self, invitation: str | Identified, *, idempotency_key: str | None = None) -> Flow[Invitation]:
        """Take an invitation back.

        Args:
            invitation: The invitation, or its id.
            idempotency_key: Identifies the request over retries of your own. A random key by default.

        Returns:
            The invitation.
        """
        path = f"{_INVITATIONS}/{segment(name_of(invitation))}"
        return self._gateway.parse(Invitation, (yield from self._gateway.send("DELETE", path, key=idempotency_key)))

    @operation
    def redeem(
        self, token: str, *, code: str | None = None, scopes: Sequence[str] | None = None, name: str | None = None
    ) -> Flow[ApiKey]:
        """Make your merchant's first API key, for which the network has invited it. The client needs no credential.

        Args:
            token: The link of the invitation, or the token in it: `tdi_...`.
            code: The code that another person has handed over, where no mail has brought the link.
            scopes: What the key may do. By default everything.
            name: What you call it.

        Returns:
            The key. Only this answer has its `secret`, and the invitation is used up: keep it.

        Raises:
            NotFoundError: There is no such invitation.
            ConflictError: It was used (`invitation_used`), or has ended (`invitation_ended`).
            UnprocessableError: The code is missing or wrong (`invitation_code_wrong`).
        """
        bare = token.rpartition("token=")[2]
        optional = given(code=code, scopes=list(scopes) if scopes is not None else None, name=name)
        response = yield from self._gateway.send("POST", f"{_INVITATIONS}/redeem", json={"token": bare, **optional})
        return self._gateway.parse(ApiKey, response)

    @operation
    def look_up(self, token: str) -> Flow[InvitationOffer]:
        """Fetch what the bearer of a token is offered. The client needs no credential.

        Args:
            token: What the link in the mail has: `tdi_...`.

        Returns:
            The offer.

        Raises:
            NotFoundError: There is no such invitation.
            ConflictError: It was accepted (`invitation_used`), or has ended (`invitation_ended`).
        """
        response = yield from self._gateway.send("POST", f"{_INVITATIONS}/lookup", json={"token": token})
        return self._gateway.parse(InvitationOffer, response)

    @operation
    def accept(
        self,
        token: str,
        *,
        password: str,
        code: str | None = None,
        name: str | None = None,
        language: str | None = None,
        one_time_code: str | None = None,
        recovery_code: str | None = None,
        address: str | None = None,
        user_agent: str | None = None,
    ) -> Flow[Session]:
        """Accept an invitation, and sign in on the new seat. The client needs no credential.

        Args:
            token: What the link in the mail has.
            password: For somebody new, the password that it wants; otherwise the one that it has.
            code: The code that another person has handed over, where no mail has brought the link.
            name: For somebody new: how it is called.
            language: For somebody new: zh or en.
            one_time_code: For somebody who has an app for such codes.
            recovery_code: For somebody who has lost that app.
            address: As in `sessions.create`.
            user_agent: As in `sessions.create`.

        Returns:
            The session, with its `token`.
        """
        codes = given(code=code, one_time_code=one_time_code, recovery_code=recovery_code)
        body = {"token": token, **given(password=password, name=name, language=language), **codes}
        headers = origin_headers(address, user_agent)
        response = yield from self._gateway.send("POST", f"{_INVITATIONS}/accept", json=body, headers=headers)
        return self._gateway.parse(Session, response)


class _PasswordResets(Resource):
    @operation
    def request(self, email: str, *, address: str | None = None) -> Flow[None]:
        """Have a mail sent with which whoever reads it chooses a new password. The client needs no credential.

        Args:
            email: The person's address. Nothing tells whether anybody has it.
            address: As in `sessions.create`.

        Raises:
            UnprocessableError: The network sends no mail (`no_mail`).
        """
        headers = origin_headers(address, None)
        yield from self._gateway.send("POST", _RESETS, json={"email": email}, headers=headers)

    @operation
    def perform(self, token: str, *, password: str) -> Flow[None]:
        """Choose the new password. All sessions of the person end. The client needs no credential.

        Args:
            token: What the link in the mail has: `tdr_...`.
            password: The password that the person wants.

        Raises:
            NotFoundError: There is no such link.
            ConflictError: It was used, or is too old (`reset_ended`).
        """
        yield from self._gateway.send("POST", f"{_RESETS}/perform", json={"token": token, "password": password})


class Staff(Blocking, _Staff):
    """The people of a merchant, or of the network itself."""


class AsyncStaff(Awaiting, _Staff):
    """The people of a merchant, or of the network itself. Its methods are awaited."""


class Invitations(Blocking, _Invitations):
    """Offers of seats."""


class AsyncInvitations(Awaiting, _Invitations):
    """Offers of seats. Its methods are awaited."""


class PasswordResets(Blocking, _PasswordResets):
    """New passwords by mail."""


class AsyncPasswordResets(Awaiting, _PasswordResets):
    """New passwords by mail. Its methods are awaited."""
