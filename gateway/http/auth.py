"""Who may call which route. Every route has a line in `RULES`; the application does not start with a route that has none."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from clearing.kit.config import Settings
from clearing.kit.database import Database
from clearing.kit.errors import Forbidden, Unauthenticated
from clearing.ordering.orders.kinds import KINDS
from clearing.parties.access.models import Role
from clearing.parties.access.service import NETWORK_SCOPES, Caller, Scope
from clearing.parties.staff import bearers
from clearing.parties.staff.models import Restriction
from clearing.parties.staff.titles import Title
from tongdui.orders import Kind

VISITOR = Caller("public", Role.AUDITOR, None, frozenset())
"""Whoever comes without a credential. Only routes that the operator has made public let it in (`Rule.lets_visitors_in`)."""


@dataclass(frozen=True, slots=True)
class Rule:
    """The roles that may call a route. If it has scopes, a merchant needs one of them as well; `keys` is asked of every role."""

    roles: frozenset[Role]
    scopes: frozenset[Scope] = frozenset()
    for_admins: bool = False
    """Of a merchant's people, only an admin may call it: no scope stands for it."""
    people_of: frozenset[Role] = frozenset()
    """In these roles only a person who is signed in may call it, no API key."""
    of_oneself: bool = False
    """It concerns the person alone: also one who must do something before all else may call it."""
    is_open: bool = False
    """Anybody may call it, without a credential."""
    is_public: bool = False
    """Whether it shows nothing but what anybody can see on the chain, so the operator may open it to everybody."""

    def lets_visitors_in(self, settings: Settings) -> bool:
        """Whether a caller needs no credential."""
        return self.is_public and settings.public_explorer

    def check(self, caller: Caller) -> None:
        """Refuses a caller whom the rule does not let in."""
        if caller.person_id is None and caller.role in self.people_of:
            raise Forbidden("only a person who is signed in may do this; you call with an API key")
        if caller.restriction is not None and not self.of_oneself:
            code, detail = _FIRST_STEPS[Restriction(caller.restriction)]
            raise Forbidden(detail, code=code)
        if caller.role not in self.roles:
            roles = ", ".join(sorted(self.roles))
            raise Forbidden(f"only these roles may do this: {roles}; yours is {caller.role}")
        is_merchant = caller.role is Role.MERCHANT
        if is_merchant and self.for_admins and caller.title not in (None, Title.ADMIN):
            raise Forbidden(f"only an admin of your merchant may do this; you are its {caller.title}")
        if self.scopes and not self.scopes & caller.scopes and (is_merchant or self.scopes <= NETWORK_SCOPES):
            raise missing_scope(caller, *self.scopes)


_FIRST_STEPS = {
    Restriction.PASSWORD_CHANGE: ("password_change_required", "change your password first: POST /v1/profile/password"),
    Restriction.SECOND_FACTOR: (
        "second_factor_setup_required",
        "set up an app for one-time codes first: POST /v1/profile/totp",
    ),
}


def missing_scope(caller: Caller, *scopes: Scope) -> Forbidden:
    """The refusal of a key, or of a person on its seat, that lacks a scope."""
    wanted = " or ".join(sorted(scopes))
    detail = f"your key lacks the scope {wanted}"
    if caller.title is not None:
        detail = f"as {caller.title} of your merchant you may not do this (scope {wanted}); ask an admin"
    return Forbidden(detail, code="insufficient_scope")


def _merchant(*scopes: Scope) -> Rule:
    return Rule(frozenset({Role.MERCHANT}), frozenset(scopes))


def _public(rule: Rule) -> Rule:
    return replace(rule, is_public=True)


def _only(*roles: Role) -> Rule:
    return Rule(frozenset(roles))


_ANYONE = Rule(frozenset(Role))
_READERS = Rule(frozenset({Role.MERCHANT, Role.OPERATOR, Role.AUDITOR}), frozenset({Scope.READ}))
_READERS_AND_TREASURY = Rule(frozenset(Role), frozenset({Scope.READ}))
_OVERSEERS = _only(Role.OPERATOR, Role.AUDITOR)
_MOVERS = _merchant(*(Scope(kind.label) for kind in Kind))
"""Keys that may sign orders of some kind. For an order, the key also needs the scope of each instruction."""
_HOLDERS = _merchant(*(kind.scope for kind in KINDS if kind.can_capture))
"""Keys that may turn a hold into some kind of movement. For a capture, the key also needs the scope of that kind."""
_SUBSCRIBERS = _merchant(Scope.WEBHOOKS)
_KEY_MAKERS = Rule(frozenset({Role.OPERATOR, Role.TREASURY, Role.MERCHANT}), frozenset({Scope.KEYS}))
_KEY_READERS = Rule(frozenset(Role), frozenset({Scope.READ, Scope.KEYS}))
_CHECKERS = _only(Role.OPERATOR, Role.TREASURY)
"""Whoever may be the second person; that it is another one than the first, the service sees to."""
_CHECKERS_AND_AUDITORS = _only(Role.OPERATOR, Role.TREASURY, Role.AUDITOR)
_ONESELF = Rule(frozenset(Role), people_of=frozenset(Role), of_oneself=True)
"""A person, for its own affairs, whatever its seat."""
_STAFF_KEEPERS = Rule(frozenset({Role.OPERATOR, Role.MERCHANT}), for_admins=True, people_of=frozenset({Role.MERCHANT}))
"""A merchant's admin, who is a person; the operator for the network."""
_STAFF_READERS = Rule(
    frozenset({Role.OPERATOR, Role.AUDITOR, Role.MERCHANT}), for_admins=True, people_of=frozenset({Role.MERCHANT})
)
_OPEN = Rule(frozenset(Role), is_open=True)
_MEMBER_KEEPERS = Rule(frozenset({Role.MERCHANT, Role.OPERATOR}), frozenset({Scope.MEMBERS}))
"""A merchant for its own programs and till; the operator for the network."""

RULES: dict[tuple[str, str], Rule] = {
    ("GET", "/v1/network"): _public(_ANYONE),
    # Parties
    ("POST", "/v1/merchants"): _only(Role.OPERATOR),
    ("GET", "/v1/merchants"): _READERS_AND_TREASURY,
    ("GET", "/v1/merchants/{merchant}"): _READERS_AND_TREASURY,
    ("POST", "/v1/merchants/{merchant}/credit_limit"): _only(Role.OPERATOR),
    ("POST", "/v1/programs"): _only(Role.OPERATOR),
    ("GET", "/v1/programs"): _READERS_AND_TREASURY,
    ("GET", "/v1/programs/{program}"): _READERS_AND_TREASURY,
    ("GET", "/v1/programs/{program}/circulation"): _READERS_AND_TREASURY,
    ("POST", "/v1/members"): _merchant(Scope.MEMBERS),
    ("POST", "/v1/members/register"): _merchant(Scope.MEMBERS),
    ("POST", "/v1/members/lookup"): _merchant(Scope.READ),
    ("GET", "/v1/members"): _READERS,
    ("GET", "/v1/members/{member}"): _READERS,
    ("POST", "/v1/members/{member}/external_ids"): _merchant(Scope.MEMBERS),
    ("DELETE", "/v1/members/{member}/external_ids/{external_id}"): _merchant(Scope.MEMBERS),
    ("POST", "/v1/members/{member}/freeze"): _MEMBER_KEEPERS,
    ("POST", "/v1/members/{member}/unfreeze"): _MEMBER_KEEPERS,
    ("POST", "/v1/members/{member}/erase"): _MEMBER_KEEPERS,
    ("POST", "/v1/members/{member}/link_codes"): _merchant(Scope.MEMBERS),
    ("GET", "/v1/members/{member}/accounts"): _READERS,
    ("GET", "/v1/members/{member}/accounts/{program}/lots"): _READERS,
    ("POST", "/v1/members/{member}/codes"): _merchant(Scope.MEMBERS),
    ("GET", "/v1/members/{member}/codes/{code}"): _READERS,
    ("DELETE", "/v1/members/{member}/codes/{code}"): _merchant(Scope.MEMBERS),
    ("POST", "/v1/member_codes/lookup"): _merchant(Scope.EXCHANGE, Scope.SPEND),
    ("POST", "/v1/merges"): _merchant(Scope.MEMBERS),
    ("POST", "/v1/merges/{merge}/confirm"): _merchant(Scope.MEMBERS),
    ("POST", "/v1/merges/{merge}/cancel"): _merchant(Scope.MEMBERS),
    ("POST", "/v1/merges/{merge}/transfers"): _merchant(Scope.TRANSFER),
    ("GET", "/v1/merges"): _READERS,
    ("GET", "/v1/merges/{merge}"): _READERS,
    ("POST", "/v1/agreements"): _merchant(Scope.AGREE),
    ("POST", "/v1/agreements/preview"): _merchant(Scope.AGREE, Scope.READ),
    ("GET", "/v1/rates"): _READERS,
    ("POST", "/v1/agreements/{agreement}/signatures"): _merchant(Scope.AGREE),
    ("POST", "/v1/agreements/{agreement}/withdrawal"): _merchant(Scope.AGREE),
    ("POST", "/v1/agreements/{agreement}/termination"): _merchant(Scope.AGREE),
    ("GET", "/v1/agreements"): _READERS,
    ("GET", "/v1/agreements/{agreement}"): _READERS,
    ("GET", "/v1/agreements/{agreement}/use"): _READERS,
    ("POST", "/v1/api_keys"): _KEY_MAKERS,
    ("GET", "/v1/api_keys"): _KEY_READERS,
    ("DELETE", "/v1/api_keys/{api_key}"): _ANYONE,  # each key ends itself; whose it ends besides is the service's rule
    # People
    ("POST", "/v1/sessions"): _OPEN,
    ("GET", "/v1/sessions/issuers"): _OPEN,
    ("GET", "/v1/sessions/oidc"): _OPEN,
    ("POST", "/v1/sessions/oidc"): _OPEN,
    ("GET", "/v1/sessions"): _ONESELF,
    ("GET", "/v1/sessions/current"): _ONESELF,
    ("DELETE", "/v1/sessions/current"): _ONESELF,
    ("POST", "/v1/sessions/current/seat"): _ONESELF,
    ("DELETE", "/v1/sessions/{session}"): _ONESELF,
    ("GET", "/v1/profile"): _ONESELF,
    ("PATCH", "/v1/profile"): _ONESELF,
    ("POST", "/v1/profile/password"): _ONESELF,
    ("POST", "/v1/profile/totp"): _ONESELF,
    ("POST", "/v1/profile/totp/confirm"): _ONESELF,
    ("POST", "/v1/profile/totp/remove"): _ONESELF,
    ("POST", "/v1/profile/recovery_codes"): _ONESELF,
    ("GET", "/v1/staff"): _STAFF_READERS,
    ("PATCH", "/v1/staff/seats/{seat}"): _STAFF_KEEPERS,
    ("DELETE", "/v1/staff/seats/{seat}"): _STAFF_KEEPERS,
    ("POST", "/v1/staff/{person}/disable"): _STAFF_KEEPERS,
    ("POST", "/v1/staff/{person}/enable"): _STAFF_KEEPERS,
    ("POST", "/v1/staff/{person}/sign_out"): _STAFF_KEEPERS,
    ("POST", "/v1/invitations"): _STAFF_KEEPERS,
    ("GET", "/v1/invitations"): _STAFF_READERS,
    ("DELETE", "/v1/invitations/{invitation}"): _STAFF_KEEPERS,
    ("POST", "/v1/invitations/lookup"): _OPEN,
    ("POST", "/v1/invitations/accept"): _OPEN,
    ("POST", "/v1/invitations/redeem"): _OPEN,
    ("POST", "/v1/password_resets"): _OPEN,
    ("POST", "/v1/password_resets/perform"): _OPEN,
    # Orders, and their movements: three routes for each kind
    ("POST", "/v1/quotes"): _merchant(Scope.EXCHANGE, Scope.SPEND),
    ("POST", "/v1/nonces"): _MOVERS,
    ("POST", "/v1/orders"): _MOVERS,
    ("GET", "/v1/orders/{order}"): _READERS,
    **{("POST", f"/v1/{kind.collection}"): _merchant(kind.scope) for kind in KINDS},
    **{("GET", f"/v1/{kind.collection}"): _READERS for kind in KINDS},
    **{("GET", f"/v1/{kind.collection}/{{movement}}"): _READERS for kind in KINDS},
    ("GET", "/v1/movements"): _READERS,
    ("GET", "/v1/movements/{movement}"): _READERS,
    ("POST", "/v1/movements/lookup"): _merchant(Scope.READ),
    ("GET", "/v1/expirations/due"): _READERS,
    ("GET", "/v1/expirations/upcoming"): _READERS,
    ("POST", "/v1/holds"): _HOLDERS,
    ("POST", "/v1/holds/{hold}/capture"): _HOLDERS,
    ("POST", "/v1/holds/{hold}/release"): _HOLDERS,
    ("GET", "/v1/holds"): _READERS,
    ("GET", "/v1/holds/{hold}"): _READERS,
    # Settlement
    ("GET", "/v1/positions"): _READERS_AND_TREASURY,
    ("GET", "/v1/positions/{merchant}"): _READERS_AND_TREASURY,
    ("GET", "/v1/positions/{merchant}/history"): _READERS_AND_TREASURY,
    ("GET", "/v1/partners"): _READERS_AND_TREASURY,
    ("GET", "/v1/attention"): _merchant(Scope.READ),
    ("GET", "/v1/activity"): _READERS_AND_TREASURY,
    ("POST", "/v1/deposits"): _only(Role.TREASURY),
    ("GET", "/v1/deposits"): _READERS_AND_TREASURY,
    ("GET", "/v1/deposits/{movement}"): _READERS_AND_TREASURY,
    ("POST", "/v1/withdrawals"): _only(Role.TREASURY),
    ("GET", "/v1/withdrawals"): _READERS_AND_TREASURY,
    ("GET", "/v1/withdrawals/{movement}"): _READERS_AND_TREASURY,
    ("GET", "/v1/statements"): _READERS_AND_TREASURY,
    ("GET", "/v1/statements/{statement}"): _READERS_AND_TREASURY,
    # What happened
    ("GET", "/v1/entries"): _public(_READERS),
    ("GET", "/v1/entries/export"): _READERS,
    ("GET", "/v1/entries/{leaf}"): _public(_READERS),
    ("GET", "/v1/entries/{leaf}/receipt"): _public(_READERS),
    ("GET", "/v1/batches"): _public(_READERS),
    ("GET", "/v1/batches/{batch}"): _public(_READERS),
    ("GET", "/v1/events"): _READERS_AND_TREASURY,
    ("GET", "/v1/events/stream"): _READERS_AND_TREASURY,
    ("POST", "/v1/webhook_endpoints"): _SUBSCRIBERS,
    ("GET", "/v1/webhook_endpoints"): _READERS,
    ("GET", "/v1/webhook_endpoints/{endpoint}"): _READERS,
    ("PATCH", "/v1/webhook_endpoints/{endpoint}"): _SUBSCRIBERS,
    ("DELETE", "/v1/webhook_endpoints/{endpoint}"): _SUBSCRIBERS,
    ("POST", "/v1/webhook_endpoints/{endpoint}/secret"): _SUBSCRIBERS,
    ("POST", "/v1/webhook_endpoints/{endpoint}/replay"): _SUBSCRIBERS,
    ("GET", "/v1/webhook_endpoints/{endpoint}/deliveries"): _READERS,
    ("GET", "/v1/webhook_endpoints/{endpoint}/deliveries/{event}"): _READERS,
    # What needs a second person
    ("GET", "/v1/approvals"): _CHECKERS_AND_AUDITORS,
    ("GET", "/v1/approvals/{approval}"): _CHECKERS_AND_AUDITORS,
    ("POST", "/v1/approvals/{approval}/approve"): _CHECKERS,
    ("POST", "/v1/approvals/{approval}/decline"): _CHECKERS,
    ("POST", "/v1/approvals/{approval}/withdraw"): _CHECKERS,
    # What the operator does
    ("GET", "/v1/audit_log"): _OVERSEERS,
    ("GET", "/v1/operations"): _OVERSEERS,
    ("POST", "/v1/operations/pause"): _only(Role.OPERATOR),
    ("POST", "/v1/operations/resume"): _only(Role.OPERATOR),
    ("POST", "/v1/orders/{order}/cancel"): _only(Role.OPERATOR),
    ("GET", "/v1/quarantined_events"): _OVERSEERS,
    ("POST", "/v1/quarantined_events/retry"): _only(Role.OPERATOR),
}


def token_of(header: str | None) -> str:
    """The API key, or the token of a person's session, in an Authorization header."""
    scheme, _, token = (header or "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated("send your API key as `Authorization: Bearer tdk_...`, or a session's token, `tds_...`")
    return token.strip()


def authenticate(database: Database, token: str) -> Caller:
    """The caller whose API key, or whose session's token, this is."""
    with database.reading() as session:
        caller = bearers.bearer_of(session, token)
    if caller is None:
        raise _unknown(is_session=token.startswith("tds_"))
    return caller


def require_live(session: Session, caller: Caller) -> None:
    """Refuses a caller whose key was revoked or has expired, or whose session has ended or changed, as the session's transaction
    sees it."""
    if caller is not VISITOR and not bearers.is_live(session, caller):
        raise unknown_caller(caller)


def unknown_caller(caller: Caller) -> Unauthenticated:
    """The refusal of a caller who was known."""
    return _unknown(is_session=caller.person_id is not None)


def _unknown(*, is_session: bool) -> Unauthenticated:
    return Unauthenticated(
        "you are not signed in any more" if is_session else "this API key is unknown, revoked or expired"
    )
