"""Rules of API keys: their form, who may create and revoke them, and whom a token authenticates."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import NamedTuple

from sqlalchemy.orm import Session

from clearing.kit.clock import clock_of
from clearing.kit.database import Database
from clearing.kit.errors import ClearingError, Conflict, Forbidden, InvalidRequest, NotFound
from clearing.kit.events.recorder import EventRecorder
from clearing.kit.ids import new_id
from clearing.kit.viewer import Viewer
from clearing.parties.access.actors import is_key, person_actor, person_of
from clearing.parties.access.directory import KEYS, KeyDirectory, keys_in
from clearing.parties.access.models import ApiKey, Role
from clearing.parties.access.repository import ApiKeyRepository
from clearing.parties.merchants.models import Merchant
from clearing.parties.merchants.service import require_merchant


class Scope(StrEnum):
    """What a merchant's key may do. What the other roles may do is fixed."""

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


def principal_of(merchant_number: int) -> str:
    """On whose behalf a merchant's keys act: the name under which answers to its requests are kept."""
    return f"merchant:{merchant_number}"


NETWORK_ROLES = frozenset({Role.OPERATOR, Role.TREASURY})
"""Roles that move money or let others in. A key of theirs needs two persons, or the command line."""


class NewSecret(NamedTuple):
    """The secret of a key that is not made yet."""

    key_id: str
    hash: bytes
    token: str
    """What its holder gets, shown only once."""


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


class AccessService:
    """API keys in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._keys = ApiKeyRepository(session)
        self._events = EventRecorder(session)

    def authenticate(self, token: str) -> Caller | None:
        """Whose token this is, or None."""
        return _bearer_of(token, keys_in(self._session))

    def is_live(self, caller: Caller) -> bool:
        """Whether the caller's key is not revoked."""
        key = keys_in(self._session).by_id(caller.key_id)
        return key is not None and key.revoked_at is None

    def live(self, key_ids: Collection[str]) -> set[str]:
        """Those of these keys that are not revoked."""
        return self._keys.live(key_ids)

    def list(self, viewer: Viewer, *, after: str | None, limit: int) -> Sequence[ApiKey]:
        """The keys that the viewer may see, newest first."""
        return self._keys.list(merchant_number=viewer.merchant_number, after=after, limit=limit)

    def last_uses(self, keys: Iterable[ApiKey]) -> Mapping[str, datetime]:
        """When these keys were last used, to the minute, as far as they were."""
        return self._keys.uses([key.id for key in keys])

    def note_uses(self, uses: Mapping[str, datetime]) -> None:
        """Notes when keys were used, by their ids."""
        self._keys.note_uses(uses)

    def create(
        self,
        caller: Caller,
        *,
        role: Role,
        merchant_id: str | None,
        scopes: Iterable[Scope],
        actor: str,
        name: str = "",
    ) -> tuple[ApiKey, str]:
        """Creates a key of a merchant, by that merchant, or an auditor's, by the operator. Returns it with its token, which is
        shown only this once."""
        merchant_number = self._merchant_number(caller, role, merchant_id)
        wanted = frozenset(scopes)
        if role is not Role.MERCHANT and wanted:
            raise _fixed(role)
        if role is Role.MERCHANT and not wanted:
            raise InvalidRequest.at("/scopes", "a merchant's key needs at least one scope")
        if caller.role is Role.MERCHANT and not wanted <= caller.scopes:
            missing = ", ".join(sorted(wanted - caller.scopes))
            raise Forbidden.at("/scopes", f"your key cannot grant scopes that it lacks: {missing}")
        return self._create(role, merchant_number, wanted, actor, name)

    def create_first(
        self, merchant: Merchant, scopes: frozenset[Scope], *, actor: str, name: str = ""
    ) -> tuple[ApiKey, str]:
        """Creates a key of a merchant that has just come on board: by the command line, or by the merchant's invitation. Returns it
        with its token, which is shown only this once."""
        return self._create(Role.MERCHANT, merchant.number, scopes, actor, name)

    def check_network_key(self, caller: Caller, role: Role, merchant_id: str | None, scopes: Iterable[Scope]) -> None:
        """Refuses a caller who may not ask for a key of this role: the operator and the treasury ask for their own."""
        self._merchant_number(caller, role, merchant_id)
        if any(scopes):
            raise _fixed(role)

    def add_network_key(self, role: Role, name: str, *, key_id: str, secret_hash: bytes, actor: str) -> ApiKey:
        """Adds a key of one of the network's own roles, for which two persons have asked. Whoever asked first has its token."""
        assert role in NETWORK_ROLES, role
        key = ApiKey(id=key_id, secret_hash=secret_hash, role=role, scopes=[])
        return self._add(key, actor, name)

    def identity_of(self, actor: str) -> str:
        """Who acts, whatever it acts with: a person is itself with each of its sessions, and with every key that comes from it; a
        key that comes from nobody stands for somebody of its own."""
        keys = keys_in(self._session)
        while is_key(actor) and (key := keys.by_id(actor)) is not None:
            if not (is_key(key.created_by) or person_of(key.created_by)):
                break
            actor = key.created_by
        return actor

    def revoke(self, caller: Caller, key_id: str, actor: str) -> ApiKey:
        """Revokes a key. Repeating it changes nothing."""
        key = self._keys.by_id(key_id)
        if key is None or not caller.viewer.sees(key.merchant_number):
            raise NotFound(f"there is no API key {key_id}")
        if caller.role is Role.MERCHANT and not frozenset(key.scopes) <= caller.scopes:
            raise Forbidden("your key cannot revoke a key that may do more")
        if key.revoked_at is not None:
            return key
        if key.role is Role.OPERATOR and self._keys.count_live(Role.OPERATOR) == 1:
            raise Conflict("this is the last operator key; create another one first", code="last_operator_key")
        key.revoked_at = clock_of(self._session).now()
        self._events.record("api_key.revoked", key.id, actor=actor, merchants=_owner(key), data={})
        return key

    def _create(
        self, role: Role, merchant_number: int | None, scopes: frozenset[Scope], actor: str, name: str = ""
    ) -> tuple[ApiKey, str]:
        key, token = _make(role, merchant_number, scopes)
        return self._add(key, actor, name), token

    def _add(self, key: ApiKey, actor: str, name: str) -> ApiKey:
        key.name, key.created_by = name, actor
        self._keys.add(key)
        data = {"role": key.role, "scopes": key.scopes, "name": name}
        self._events.record("api_key.created", key.id, actor=actor, merchants=_owner(key), data=data)
        return key

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
"""Of which roles each role makes keys; those of `NETWORK_ROLES` need a second person."""
_WHO_ELSE = {
    Role.MERCHANT: "a merchant makes its own keys: invite it, and it makes the first one (POST /v1/invitations)",
    Role.TREASURY: "the treasury makes its own keys; the first ones come from `clearing keys`",
    Role.OPERATOR: "the operator makes its own keys; the first ones come from `clearing keys`",
    Role.AUDITOR: "the operator makes auditors' keys; the first ones come from `clearing keys`",
}


def _fixed(role: Role) -> ClearingError:
    return InvalidRequest.at("/scopes", f"only a merchant's key has scopes; what the {role} may do is fixed")


def presumed_caller(database: Database, token: str) -> Caller | None:
    """Whose token this was when this process last looked, or None. Only `is_live` can tell whether it still is."""
    known = KEYS.latest(database)
    return _bearer_of(token, known) if known is not None else None


def _bearer_of(token: str, keys: KeyDirectory) -> Caller | None:
    """Whose token this is, or None. Takes equally long whichever part of the token is wrong."""
    id, _, secret = token.removeprefix("tdk_").partition("_")  # noqa: A001
    key = keys.by_id(f"key_{id}") if token.startswith("tdk_") and id.isalnum() else None
    expected = key.secret_hash if key is not None else bytes(32)
    matches = hmac.compare_digest(expected, _hash(secret))
    if key is None or key.revoked_at is not None or not matches:
        return None
    return Caller(key.id, key.role, key.merchant_number, frozenset(map(Scope, key.scopes)))


def bootstrap_keys(session: Session) -> dict[Role, str]:
    """Creates the network's first keys: one for each of its own roles that has none. Returns their tokens."""
    keys = ApiKeyRepository(session)
    tokens = {}
    for role in (Role.OPERATOR, Role.TREASURY, Role.AUDITOR):
        if keys.count_live(role) == 0:
            key, tokens[role] = _make(role, None, frozenset())
            key.created_by = "bootstrap"
            keys.add(key)
            EventRecorder(session).record("api_key.created", key.id, actor="bootstrap", data={"role": role})
    return tokens


def _owner(key: ApiKey) -> list[int]:
    return [] if key.merchant_number is None else [key.merchant_number]


def new_secret() -> NewSecret:
    """The id and the secret of a key to come."""
    key_id, secret = new_id("key"), secrets.token_hex(32)
    return NewSecret(key_id, _hash(secret), f"tdk_{key_id.removeprefix('key_')}_{secret}")


def _make(role: Role, merchant_number: int | None, scopes: frozenset[Scope]) -> tuple[ApiKey, str]:
    new = new_secret()
    key = ApiKey(
        id=new.key_id,
        secret_hash=new.hash,
        role=role,
        merchant_number=merchant_number,
        scopes=sorted(str(scope) for scope in scopes),
    )
    return key, new.token


def _hash(secret: str) -> bytes:
    return sha256(secret.encode(errors="surrogateescape")).digest()
