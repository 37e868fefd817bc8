"""Rules of API keys: their form, who may create and revoke them, and whom a token authenticates."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from clearing.kit.clock import clock_of
from clearing.kit.database import Database
from clearing.kit.errors import Conflict, Forbidden, InvalidRequest, NotFound, Unauthenticated
from clearing.kit.events.changes import changed_from
from clearing.kit.events.recorder import EventRecorder
from clearing.kit.ids import new_id
from clearing.kit.json_values import json_values
from clearing.kit.networks import first_outside, is_inside
from clearing.kit.viewer import Viewer
from clearing.parties.access.actors import is_key, person_actor, person_of
from clearing.parties.access.directory import KEYS, KeyDirectory, keys_in
from clearing.parties.access.models import ApiKey, Role
from clearing.parties.access.repository import ApiKeyRepository
from clearing.parties.merchants.models import Merchant
from clearing.parties.merchants.service import require_merchant


class Scope(StrEnum):
    """What a merchant's key may do. What the other roles may do is fixed, but for `keys`."""

    ISSUE = "issue"
    REDEEM = "redeem"
    EXCHANGE = "exchange"
    SPEND = "spend"
    TRANSFER = "transfer"
    REVERSE = "reverse"
    EXPIRE = "expire"
    AGREE = "agree"
    MEMBERS = "members"
    SETTLE = "settle"
    WEBHOOKS = "webhooks"
    READ = "read"
    KEYS = "keys"
    """Make other keys, which may do no more than this one, and revoke them."""


NETWORK_SCOPES = frozenset({Scope.KEYS})
"""The scopes that a key of the network's own roles may have, too."""


def principal_of(merchant_number: int) -> str:
    """On whose behalf a merchant's keys act: the name under which answers to its requests are kept."""
    return f"merchant:{merchant_number}"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is calling: the bearer of an API key, or a person who is signed in."""

    key_id: str
    """The id of the API key, or of the person's session."""
    role: Role
    merchant_number: int | None
    scopes: frozenset[Scope]
    person_id: str | None = None
    """The person; None: a program calls with an API key."""
    title: str | None = None
    """The person's title: `admin`, `cashier` ..."""
    restriction: str | None = None
    """What the person has to do before it may do anything else: `password_change`, `second_factor`."""
    networks: tuple[str, ...] = ()
    """Where the key may be used from; none: from anywhere."""
    idle_from: datetime | None = field(default=None, compare=False)
    """When the person's session is over if it is not used until then, by what was written of its uses."""

    @property
    def actor(self) -> str:
        """Who does what is done, for events: a person, whatever session it has; or a key."""
        return self.key_id if self.person_id is None else person_actor(self.person_id)

    @property
    def principal(self) -> str:
        """On whose behalf: a role or a merchant. Rotating the key does not change it."""
        return self.role if self.merchant_number is None else principal_of(self.merchant_number)

    @property
    def viewer(self) -> Viewer:
        """How much it sees."""
        return Viewer(self.merchant_number)

    def require_address(self, address: str) -> None:
        """Refuses an address from which the key may not be used."""
        if self.networks and not is_inside(address, self.networks):
            detail = (
                f"this API key may not be used from {address or 'an unknown address'}; call from one of its networks, "
                "or ask whoever made it for a key that names yours"
            )
            raise Forbidden(detail, code="address_not_allowed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a key is limited to: what it may do, until when, and from where."""

    scopes: frozenset[Scope] = frozenset()
    expires_at: datetime | None = None
    """None: it does not end by itself."""
    networks: Sequence[str] = ()
    """In the form of `clearing.kit.networks`; none: from anywhere."""


NEEDS_SECOND_PERSON = frozenset({Role.OPERATOR, Role.TREASURY})
"""Roles that move money or let others in: a key of theirs comes from two persons, or from the command line."""


class NewSecret(NamedTuple):
    """The secret of a key to come."""

    key_id: str
    hash: bytes
    token: str
    """What its holder gets, shown only once."""


class Checked(NamedTuple):
    """A key that a caller may make."""

    merchant_number: int | None
    limits: Limits
    """What it asked for, with what that leaves open."""
    parent: ApiKey | None
    """The key that calls; None if a person does."""


class AccessService:
    """API keys in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._keys = ApiKeyRepository(session)
        self._events = EventRecorder(session)

    def authenticate(self, token: str) -> Caller | None:
        """Whose token this is, or None."""
        return _bearer_of(token, keys_in(self._session), self._now())

    def live(self, key_ids: Iterable[str]) -> set[str]:
        """Those of these keys that are neither revoked nor expired."""
        keys, now = keys_in(self._session), self._now()
        return {id for id in key_ids if (key := keys.by_id(id)) is not None and key.is_live(now)}  # noqa: A001

    def list(self, viewer: Viewer, *, created_by: str | None = None, after: str | None, limit: int) -> Sequence[ApiKey]:
        """The keys that the viewer may see, newest first; those that one actor has made, or all."""
        return self._keys.list(merchant_number=viewer.merchant_number, created_by=created_by, after=after, limit=limit)

    def last_uses(self, keys: Iterable[ApiKey]) -> Mapping[str, datetime]:
        """When these keys were last used, to the minute, as far as they were."""
        return self._keys.uses([key.id for key in keys])

    def note_uses(self, uses: Mapping[str, datetime]) -> None:
        """Notes when keys were used, by their ids."""
        self._keys.note_uses(uses)

    # ---------------------------------------------------------------- make

    def create(
        self, caller: Caller, limits: Limits, *, role: Role, merchant_id: str | None, name: str = ""
    ) -> tuple[ApiKey, str]:
        """Creates a key of the caller's merchant; or an auditor's, by the operator. Returns it with its token, which is shown only
        this once.

        A key that makes another one is its parent: the child may do no more than its parent, from nowhere else and no longer, and
        is revoked with it. What the limits leave open, it takes from its parent.
        """
        assert role not in NEEDS_SECOND_PERSON, role
        merchant_number, limits, parent = self.checked(caller, limits, role, merchant_id)
        return self._create(role, merchant_number, limits, caller.actor, name, parent)

    def checked(self, caller: Caller, limits: Limits, role: Role, merchant_id: str | None) -> Checked:
        """Refuses a key that the caller may not make, alone or with a second person."""
        if Scope.KEYS not in caller.scopes:
            raise Forbidden("your key lacks the scope keys, so it makes no others", code="insufficient_scope")
        merchant_number = self._merchant_number(caller, role, merchant_id)
        _check_scopes(caller, role, limits.scopes)
        if limits.expires_at is not None and limits.expires_at <= self._now():
            raise InvalidRequest.at("/expires_at", "is over already; name a moment in the future, or leave it out")
        parent = self._parent(caller)
        return Checked(merchant_number, limits if parent is None else _within(parent, limits), parent)

    def create_first(
        self, merchant: Merchant, scopes: frozenset[Scope], *, actor: str, name: str = ""
    ) -> tuple[ApiKey, str]:
        """Creates a key of a merchant that has just come on board: by the command line, or by the merchant's invitation. Returns it
        with its token, which is shown only this once."""
        return self._create(Role.MERCHANT, merchant.number, Limits(scopes=scopes), actor, name)

    def add_agreed(
        self,
        role: Role,
        limits: Limits,
        *,
        parent_id: str | None,
        key_id: str,
        secret_hash: bytes,
        actor: str,
        name: str,
    ) -> ApiKey:
        """Adds a key of the operator or the treasury, on which two persons have agreed. Whoever asked has its token. What has
        become of its parent meanwhile counts."""
        assert role in NEEDS_SECOND_PERSON, role
        if parent_id is not None:
            self._keys.lock()
            parent = self._keys.current(parent_id)
            assert parent is not None, parent_id
            if not parent.is_live(self._now()):
                raise Conflict(
                    "the key that has asked for it was revoked, or has expired; decline it", code="maker_gone"
                )
            limits = _within(parent, limits)
        key = _make(role, None, limits, actor, key_id, secret_hash)
        return self._add(key, name, parent_id)

    def identity_of(self, actor: str) -> str:
        """Who acts, whatever it acts with: a person is itself with each of its sessions, and with every key that comes from it; a
        key that comes from nobody stands for somebody of its own."""
        keys = keys_in(self._session)
        while is_key(actor) and (key := keys.by_id(actor)) is not None:
            if not (is_key(key.created_by) or person_of(key.created_by)):
                break
            actor = key.created_by
        return actor

    def create_root(self, role: Role, *, actor: str, name: str = "") -> str:
        """Creates a key of one of the network's own roles, which no other key has made. Returns its token, shown only this once."""
        scopes = frozenset() if role is Role.AUDITOR else NETWORK_SCOPES
        return self._create(role, None, Limits(scopes=scopes), actor, name)[1]

    def _parent(self, caller: Caller) -> ApiKey | None:
        """The key that calls; None if a person does. Nobody can revoke it until this transaction ends, or it is revoked already."""
        if caller.person_id is not None:
            return None
        self._keys.lock()
        parent = self._keys.current(caller.key_id)
        if parent is None or not parent.is_live(self._now()):
            raise Unauthenticated("your API key was revoked while it made another one")
        return parent

    def _create(
        self,
        role: Role,
        merchant_number: int | None,
        limits: Limits,
        actor: str,
        name: str = "",
        parent: ApiKey | None = None,
    ) -> tuple[ApiKey, str]:
        new = new_secret()
        key = _make(role, merchant_number, limits, actor, new.key_id, new.hash)
        return self._add(key, name, parent.id if parent is not None else None), new.token

    def _add(self, key: ApiKey, name: str, parent_id: str | None) -> ApiKey:
        key.name, key.parent_id = name, parent_id
        self._keys.add(key)
        data = _facts(key)
        self._events.record("api_key.created", key.id, actor=key.created_by, merchants=_owner(key), data=data)
        return key

    # ---------------------------------------------------------------- revoke

    def revoke(self, caller: Caller, key_id: str) -> ApiKey:
        """Revokes a key, and all that come from it. Repeating it changes nothing."""
        if caller.key_id != key_id:
            _require_reviser(caller)
        self._keys.lock()
        key = self._keys.current(key_id)
        if key is None or not caller.viewer.sees(key.merchant_number):
            raise NotFound(f"there is no API key {key_id}")
        if caller.key_id != key_id:
            self._require_weaker(caller, key)
        self._revoke(key, caller.actor)
        return key

    def _require_weaker(self, caller: Caller, key: ApiKey) -> None:
        """Refuses to revoke a key that the caller could not have made."""
        if caller.role is Role.TREASURY and key.role is not Role.TREASURY:
            raise Forbidden("the treasury revokes only its own keys")
        if caller.role is not Role.MERCHANT or caller.person_id is not None:
            return
        own = self._keys.current(caller.key_id)
        assert own is not None, caller.key_id
        try:
            _within(own, limits_of(key), inherits=False)
        except Forbidden as refusal:
            raise Forbidden(f"your key cannot revoke a key that may do more: {refusal.detail}") from None

    def _revoke(self, root: ApiKey, actor: str) -> None:
        tree = self._keys.live_tree(root)
        ends = {key.id for key in tree}
        if any(key.role is Role.OPERATOR for key in tree) and self._keys.count_live(Role.OPERATOR, but=ends) == 0:
            detail = (
                "no operator key would be left, because those that this key has made end with it; make one in the console, "
                "or with `clearing keys --role operator`, and revoke this one then"
            )
            raise Conflict(detail, code="last_operator_key")
        now = self._now()
        for key in tree:
            key.revoked_at = now
            data = changed_from({"revoked_at": None}, {"revoked_at": now})
            if key.id != root.id:
                data["revoked_with"] = root.id
            self._events.record("api_key.revoked", key.id, actor=actor, merchants=_owner(key), data=data)

    # ---------------------------------------------------------------- the rest

    def _now(self) -> datetime:
        return clock_of(self._session).now()

    def _merchant_number(self, caller: Caller, role: Role, merchant_id: str | None) -> int | None:
        if role not in _MAY_MAKE[caller.role]:
            raise Forbidden.at("/role", _WHO_ELSE[role])
        if role is not Role.MERCHANT:
            if merchant_id is not None:
                raise InvalidRequest.at("/merchant", f"the {role}'s keys belong to no merchant")
            return None
        if merchant_id is None:
            return caller.merchant_number
        merchant = require_merchant(self._session, merchant_id, "/merchant")
        if merchant.number != caller.merchant_number:
            raise Forbidden.at("/merchant", "a merchant can create keys only for itself")
        return merchant.number


_MAY_MAKE = {
    Role.OPERATOR: frozenset({Role.OPERATOR, Role.AUDITOR}),
    Role.TREASURY: frozenset({Role.TREASURY}),
    Role.MERCHANT: frozenset({Role.MERCHANT}),
    Role.AUDITOR: frozenset[Role](),
}
"""Of which roles each role makes keys, or asks for them."""
_WHO_ELSE = {
    Role.MERCHANT: "a merchant makes its own keys: invite it, and it makes the first one (POST /v1/invitations)",
    Role.TREASURY: "the treasury makes its own keys; the first ones come from `clearing keys`",
    Role.OPERATOR: "the operator makes its own keys; the first ones come from `clearing keys`",
    Role.AUDITOR: "the operator makes auditors' keys; the first ones come from `clearing keys`",
}


def presumed_caller(database: Database, token: str) -> Caller | None:
    """Whose token this was when this process last looked, or None. Only `live` can tell whether it still is."""
    known = KEYS.latest(database)
    return _bearer_of(token, known, database.clock.now()) if known is not None else None


def _bearer_of(token: str, keys: KeyDirectory, now: datetime) -> Caller | None:
    """Whose token this is, or None. Takes equally long whichever part of the token is wrong."""
    id, _, secret = token.removeprefix("tdk_").partition("_")  # noqa: A001
    key = keys.by_id(f"key_{id}") if token.startswith("tdk_") and id.isalnum() else None
    expected = key.secret_hash if key is not None else bytes(32)
    matches = hmac.compare_digest(expected, _hash(secret))
    if key is None or not matches or not key.is_live(now):
        return None
    scopes, networks = frozenset(map(Scope, key.scopes)), tuple(key.networks)
    return Caller(key.id, key.role, key.merchant_number, scopes, networks=networks)


NETWORK_ROLES = (Role.OPERATOR, Role.TREASURY, Role.AUDITOR)


def bootstrap_keys(session: Session) -> dict[Role, str]:
    """Creates the network's first keys: one for each of its own roles that has none. Returns their tokens."""
    keys = ApiKeyRepository(session)
    keys.lock()
    missing = [role for role in NETWORK_ROLES if keys.count_live(role) == 0]
    return {role: AccessService(session).create_root(role, actor="bootstrap") for role in missing}


# -------------------------------------------------------------------- what a key is limited to


def limits_of(key: ApiKey) -> Limits:
    """What a key is limited to."""
    return Limits(scopes=frozenset(map(Scope, key.scopes)), expires_at=key.expires_at, networks=key.networks)


def _within(parent: ApiKey, wanted: Limits, *, inherits: bool = True) -> Limits:
    """The limits of a key that the parent makes. Refuses wider ones than the parent's own. What they leave open is as it is of the
    parent, if the key `inherits`; otherwise that is wider, too."""
    own = limits_of(parent)
    if parent.role is Role.MERCHANT and not wanted.scopes <= own.scopes:
        missing = ", ".join(sorted(wanted.scopes - own.scopes))
        raise Forbidden.at("/scopes", f"your key cannot grant scopes that it lacks: {missing}")
    expires_at, networks = wanted.expires_at, wanted.networks
    if inherits:
        expires_at, networks = expires_at or own.expires_at, networks or own.networks
    if own.expires_at is not None and (expires_at is None or expires_at > own.expires_at):
        detail = f"your key expires at {own.expires_at.isoformat()}, and no key outlives the one that has made it"
        raise Forbidden.at("/expires_at", detail)
    if own.networks:
        place = first_outside(networks, own.networks) if networks else 0
        if place is not None:
            where = networks[place] if networks else "anywhere"
            detail = f"your key may be used only from {', '.join(own.networks)}, so it cannot grant {where}"
            raise Forbidden.at(f"/networks/{place}", detail)
    return Limits(scopes=wanted.scopes, expires_at=expires_at, networks=networks)


def _check_scopes(caller: Caller, role: Role, wanted: frozenset[Scope]) -> None:
    if role is not Role.MERCHANT and not wanted <= NETWORK_SCOPES:
        detail = f"of the scopes, a key of the {role} may have only keys; what else it may do is fixed"
        raise InvalidRequest.at("/scopes", detail)
    if role is Role.MERCHANT and not wanted:
        raise InvalidRequest.at("/scopes", "a merchant's key needs at least one scope")
    if caller.role is Role.MERCHANT and not wanted <= caller.scopes:
        missing = ", ".join(sorted(wanted - caller.scopes))
        raise Forbidden.at("/scopes", f"you cannot grant scopes that you lack: {missing}")


def _require_reviser(caller: Caller) -> None:
    """Refuses a caller who may revoke nobody's key but its own."""
    if caller.role is Role.AUDITOR:
        raise Forbidden("an auditor revokes no key but its own")
    if Scope.KEYS not in caller.scopes:
        raise Forbidden("your key lacks the scope keys, so it revokes no key but itself", code="insufficient_scope")


def _owner(key: ApiKey) -> list[int]:
    return [] if key.merchant_number is None else [key.merchant_number]


def _facts(key: ApiKey) -> dict[str, Any]:
    """A key in its events."""
    facts = {"role": key.role, "scopes": key.scopes, "name": key.name, "parent": key.parent_id}
    return json_values({**facts, "expires_at": key.expires_at, "networks": key.networks})


def new_secret() -> NewSecret:
    """The id and the secret of a key to come."""
    key_id, secret = new_id("key"), secrets.token_hex(32)
    return NewSecret(key_id, _hash(secret), f"tdk_{key_id.removeprefix('key_')}_{secret}")


def _make(
    role: Role, merchant_number: int | None, limits: Limits, actor: str, key_id: str, secret_hash: bytes
) -> ApiKey:
    return ApiKey(
        id=key_id,
        secret_hash=secret_hash,
        role=role,
        merchant_number=merchant_number,
        scopes=sorted(str(scope) for scope in limits.scopes),
        created_by=actor,
        expires_at=limits.expires_at,
        networks=list(limits.networks),
    )


def _hash(secret: str) -> bytes:
    return sha256(secret.encode(errors="surrogateescape")).digest()
