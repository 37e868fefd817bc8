"""Rules of invitations: who may offer which seat to whom, and how the offer is taken.

The network brings a merchant its first access, and no other: a person who becomes its first admin, or a program that gets its first
API key. Whoever works for a merchant is that merchant's affair. An invitation by the network needs two of its people, and nobody of
them can take it: a mail brings the link; or one of them hands over the link, and the other one a code.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import b32encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256

from sqlalchemy.orm import Session

from clearing.kit.clock import clock_of
from clearing.kit.config import Settings
from clearing.kit.errors import Conflict, Forbidden, InvalidRequest, NotFound, Refused
from clearing.kit.events.recorder import EventRecorder
from clearing.kit.mail.models import Mail, MailKind
from clearing.kit.mail.repository import MailRepository
from clearing.kit.mail.service import post_mail
from clearing.kit.signing.keyring import Keyring
from clearing.parties.access.actors import person_actor
from clearing.parties.access.models import ApiKey, Role
from clearing.parties.access.service import AccessService, Caller, Scope
from clearing.parties.merchants.service import merchant_by_number, require_merchant
from clearing.parties.staff.emails import email_key
from clearing.parties.staff.invitation_repository import InvitationRepository
from clearing.parties.staff.models import Invitation, Language, Person, Seat
from clearing.parties.staff.people import PeopleService, require_fitting
from clearing.parties.staff.repository import PersonRepository
from clearing.parties.staff.titles import Title
from clearing.parties.staff.tokens import TokenKind, id_in, known_token, mailed_token, matches

LIFETIME = timedelta(days=7)
_CODE_BYTES = 15
"""120 random bits, in 24 characters."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A seat that somebody is to be offered."""

    email: str
    name: str
    title: Title
    language: Language
    merchant_id: str | None


def needs_second_person(caller: Caller, offer: Offer) -> bool:
    """Whether the caller cannot offer this alone: whatever gives somebody power that the network has, or a merchant."""
    return caller.role is not Role.MERCHANT and offer.title is not Title.AUDITOR


def new_code() -> str:
    """The code that comes with a link, by another way."""
    text = b32encode(secrets.token_bytes(_CODE_BYTES)).decode().lower()
    return "-".join(text[place : place + 6] for place in range(0, len(text), 6))


def code_hash_of(code: str) -> bytes:
    """What is stored of a code. So many random bits need no slow hash."""
    return sha256(code.strip().lower().encode(errors="surrogateescape")).digest()


class InvitationService:
    """Invitations in one transaction."""

    def __init__(self, session: Session, *, keyring: Keyring, settings: Settings) -> None:
        self._session = session
        self._keyring = keyring
        self._settings = settings
        self._clock = clock_of(session)
        self._invitations = InvitationRepository(session)
        self._people = PersonRepository(session)
        self._events = EventRecorder(session)

    # ---------------------------------------------------------------- offer

    def invite(self, caller: Caller, offer: Offer) -> tuple[Invitation, str | None]:
        """Offers a seat, at the caller's merchant or as an auditor of the network. Where the network sends no mails, it also
        returns the link to accept with, shown only this once."""
        assert not needs_second_person(caller, offer), offer
        if caller.role is not Role.MERCHANT:
            return self._offer(offer, None, by_network=True, actor=caller.actor)
        if offer.merchant_id is not None:
            merchant = require_merchant(self._session, offer.merchant_id, "/merchant")
            if merchant.number != caller.merchant_number:
                raise Forbidden.at("/merchant", "an admin invites people to its own merchant only")
        return self._offer(offer, caller.merchant_number, by_network=False, actor=caller.actor)

    def invite_for_network(self, offer: Offer, *, code_hash: bytes | None, actor: str) -> tuple[Invitation, str | None]:
        """The same for what two people of the network have agreed on: a seat of power in it, or the first access to a merchant.

        `code_hash`: of the code that has to come with the link, where no mail brings that.
        """
        merchant_number = self._place(offer)
        return self._offer(offer, merchant_number, by_network=True, code_hash=code_hash, actor=actor)

    def _offer(
        self, offer: Offer, merchant_number: int | None, *, by_network: bool, actor: str, code_hash: bytes | None = None
    ) -> tuple[Invitation, str | None]:
        require_fitting(offer.title, merchant_number)
        person = self._people.by_email(email_key(offer.email))
        if person is not None:
            PeopleService(self._session).require_free(person, offer.title, merchant_number, "/email")
        at = self._clock.now()
        self._invitations.revoke_open_of(email_key(offer.email), merchant_number, at)
        token = mailed_token(TokenKind.INVITATION, self._keyring)
        invitation = Invitation(
            id=token.id,
            token_hash=token.hash,
            email=offer.email,
            email_key=email_key(offer.email),
            name=offer.name,
            language=offer.language,
            merchant_number=merchant_number,
            title=offer.title,
            by_network=by_network,
            code_hash=code_hash,
            created_at=at,
            expires_at=at + LIFETIME,
        )
        self._invitations.add(invitation)
        self._record("invited", invitation, actor)
        if self._settings.sends_mail:
            post_mail(self._session, MailKind.INVITATION, invitation.id)
            return invitation, None
        return invitation, self.link(invitation)

    def link(self, invitation: Invitation) -> str:
        """Where whoever is invited accepts."""
        token = known_token(TokenKind.INVITATION, self._keyring, invitation.id, invitation.token_hash)
        invitation.token_hash = token.hash
        return f"{self._settings.console_url.rstrip('/')}/invitation?token={token.text}"

    def list(self, merchant_number: int | None, *, after: str | None, limit: int) -> Sequence[Invitation]:
        """Invitations to a merchant (None: to the network) that somebody may still accept, newest first."""
        return self._invitations.open_at(merchant_number, self._clock.now(), after=after, limit=limit)

    def mails(self, invitations: Sequence[Invitation]) -> Mapping[str, Mail]:
        """The mail that brings each of these invitations, by the invitation's id. Without a server for mails there is none."""
        return MailRepository(self._session).about([one.id for one in invitations])

    def revoke(self, caller: Caller, invitation_id: str) -> Invitation:
        """Takes an invitation back. Repeating it changes nothing."""
        invitation = self._invitations.lock(invitation_id)
        is_own = invitation is not None and invitation.merchant_number == caller.merchant_number
        is_networks = invitation is not None and invitation.by_network and caller.role is Role.OPERATOR
        if invitation is None or not (is_own or is_networks):
            raise NotFound(f"there is no invitation {invitation_id}")
        if invitation.accepted_at is not None:
            raise Conflict("it was accepted already; remove the seat instead", code="invitation_used")
        if invitation.revoked_at is None:
            invitation.revoked_at = self._clock.now()
            self._record("invitation_revoked", invitation, caller.actor)
        return invitation

    # ---------------------------------------------------------------- accept

    def shown(self, token: str) -> Invitation:
        """The open invitation that a token speaks of."""
        return self._open(token, self._invitations.by_id)

    def still_open(self, invitation_id: str) -> Invitation | None:
        """The invitation with this id, if somebody may still accept it."""
        invitation = self._invitations.by_id(invitation_id)
        if invitation is None or invitation.accepted_at is not None or invitation.revoked_at is not None:
            return None
        return invitation if invitation.expires_at > self._clock.now() else None

    def invited(self, invitation: Invitation) -> Person | None:
        """Whom it is for, if that person works with the network already."""
        return self._people.by_email(invitation.email_key)

    def accept(self, token: str, code: str | None, person: Person) -> Seat:
        """Gives the person the seat. The invitation is used up."""
        invitation = self._taken(token, code)
        if person.email_key != invitation.email_key:
            raise Forbidden("this invitation is for somebody else", code="forbidden")
        if invitation.by_network and invitation.merchant_number is not None:
            # Before the row is locked, as whoever invites does it: in another order, the two could wait for each other.
            PeopleService(self._session).require_no_admin(invitation.merchant_number)
        self._use_up(token)
        invitation.person_id = person.id
        return PeopleService(self._session).seat(
            person, invitation.title, invitation.merchant_number, actor=person_actor(person.id)
        )

    def redeem(self, token: str, code: str | None, *, scopes: frozenset[Scope], name: str) -> tuple[ApiKey, str]:
        """Makes the first API key of the merchant that is invited; returns it with its token, which is shown only this once. The
        invitation is used up."""
        invitation = self._taken(token, code)
        if not invitation.by_network or invitation.merchant_number is None:
            raise Conflict("this invitation is for a person: open its link", code="invitation_for_person")
        PeopleService(self._session).require_no_admin(invitation.merchant_number)
        self._use_up(token)
        merchant = merchant_by_number(self._session, invitation.merchant_number)
        key, secret = AccessService(self._session).create_first(merchant, scopes, actor=invitation.id, name=name)
        invitation.key_id = key.id
        self._record("invitation_redeemed", invitation, invitation.id, {"api_key": key.id})
        return key, secret

    def _taken(self, token: str, code: str | None) -> Invitation:
        """The open invitation of a token, if what has to come with that has come."""
        invitation = self._open(token, self._invitations.by_id)
        if invitation.code_hash is None:
            return invitation
        if code is None:
            detail = "is missing: one person of the network has sent you the link, and another one a code"
            raise Refused.at("/code", detail, code="invitation_code_wrong")
        if not hmac.compare_digest(invitation.code_hash, code_hash_of(code)):
            raise Refused.at("/code", "is not the code of this invitation", code="invitation_code_wrong")
        return invitation

    def _use_up(self, token: str) -> None:
        """Nobody else can take the invitation from now on."""
        self._open(token, self._invitations.lock).accepted_at = self._clock.now()

    def _open(self, token: str, find: Callable[[str], Invitation | None]) -> Invitation:
        id = id_in(TokenKind.INVITATION, token)  # noqa: A001
        invitation = find(id) if id else None
        if invitation is None or not matches(token, invitation.token_hash):
            raise NotFound("this invitation is unknown; is the link complete?", code="invitation_unknown")
        if invitation.accepted_at is not None:
            raise Conflict("this invitation was accepted already; sign in", code="invitation_used")
        if invitation.revoked_at is not None or invitation.expires_at <= self._clock.now():
            raise Conflict("this invitation has ended; ask for another one", code="invitation_ended")
        return invitation

    # ---------------------------------------------------------------- who may offer what

    def _place(self, offer: Offer) -> int | None:
        """The merchant to which the network invites, or None for the network itself; refuses what it may not offer."""
        if offer.merchant_id is None:
            return None
        merchant = require_merchant(self._session, offer.merchant_id, "/merchant")
        if merchant.number == 0:
            raise InvalidRequest.at("/merchant", "is the network itself: leave it out to invite its staff")
        if offer.title is not Title.ADMIN:
            detail = "the operator invites a merchant's first admin only; that admin invites everybody else"
            raise Forbidden.at("/title", detail)
        PeopleService(self._session).require_no_admin(merchant.number)
        return merchant.number

    def _record(self, action: str, invitation: Invitation, actor: str, more: Mapping[str, str] | None = None) -> None:
        merchants = [] if invitation.merchant_number is None else [invitation.merchant_number]
        data = {"name": invitation.name, "title": invitation.title, **(more or {})}
        self._events.record(f"staff.{action}", invitation.id, actor=actor, merchants=merchants, data=data)
