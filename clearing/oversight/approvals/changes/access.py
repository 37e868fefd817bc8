"""Changes of who may do what: keys of the network's own roles, seats in the network, and the first access to a merchant."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy.orm import Session

from clearing.oversight.approvals.changes.base import Change, Effect, Surroundings
from clearing.oversight.approvals.models import ChangeKind
from clearing.parties.access.models import Role
from clearing.parties.access.service import AccessService, Limits, Scope
from clearing.parties.merchants.service import require_merchant
from clearing.parties.staff.emails import email_key
from clearing.parties.staff.invitations import InvitationService, Offer
from clearing.parties.staff.models import Language
from clearing.parties.staff.people import PeopleService
from clearing.parties.staff.titles import Title


class NetworkKey(Change):
    """An API key of the operator or the treasury. The maker has its secret already; until then it opens nothing."""

    kind = ChangeKind.API_KEY
    hidden = frozenset({"key_id", "secret_hash"})

    role: Role
    name: str
    scopes: list[Scope]
    expires_at: datetime | None
    networks: list[str]
    parent: str | None
    key_id: str
    secret_hash: str

    @property
    def claim(self) -> str:
        """What may be asked for only once at a time."""
        return f"api_key:{self.key_id}"

    def take_effect(self, surroundings: Surroundings, actor: str) -> Effect:
        """Does it."""
        limits = Limits(scopes=frozenset(self.scopes), expires_at=self.expires_at, networks=self.networks)
        key = AccessService(surroundings.session).add_agreed(
            self.role,
            limits,
            parent_id=self.parent,
            key_id=self.key_id,
            secret_hash=bytes.fromhex(self.secret_hash),
            actor=actor,
            name=self.name,
        )
        return Effect(key.id, before={}, after={"role": self.role, "name": self.name})


class NetworkInvitation(Change):
    """An invitation by the network: to a seat in it, or to be a merchant's first admin or first API key."""

    kind = ChangeKind.INVITATION
    hidden = frozenset({"code_hash"})
    personal = frozenset({"email"})

    email: str
    name: str
    title: Title
    language: Language
    merchant: str | None
    code_hash: str | None
    """Of the code that the maker hands over; None where a mail brings the link."""

    @property
    def claim(self) -> str:
        """What may be asked for only once at a time."""
        whom = self.merchant or sha256(email_key(self.email).encode()).hexdigest()
        return f"invitation:{whom}"

    def merchant_number(self, session: Session) -> int | None:
        """The merchant that it concerns."""
        return None if self.merchant is None else require_merchant(session, self.merchant, "/merchant").number

    def take_effect(self, surroundings: Surroundings, actor: str) -> Effect:
        """Does it."""
        service = InvitationService(surroundings.session, keyring=surroundings.keyring, settings=surroundings.settings)
        offer = Offer(self.email, self.name, self.title, self.language, self.merchant)
        code_hash = None if self.code_hash is None else bytes.fromhex(self.code_hash)
        invitation, link = service.invite_for_network(offer, code_hash=code_hash, actor=actor)
        return Effect(invitation.id, before={}, after={"title": self.title}, link=link)


class Enabling(Change):
    """Somebody of the network's own staff may sign in again."""

    kind = ChangeKind.ENABLING

    person: str

    @property
    def claim(self) -> str:
        """What may be asked for only once at a time."""
        return f"enabling:{self.person}"

    def take_effect(self, surroundings: Surroundings, actor: str) -> Effect:
        """Does it."""
        people = PeopleService(surroundings.session)
        person = people.known(self.person)
        before: dict[str, Any] = {"disabled_at": person.disabled_at.isoformat() if person.disabled_at else None}
        people.let_back(person, actor=actor)
        return Effect(person.id, before=before, after={"disabled_at": None})
