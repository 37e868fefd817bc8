"""The gateway's resources, typed.

Models are frozen and ignore members that they do not know, so an older SDK works with a newer gateway. Points are whole
numbers, `*_micros` are millionths of the settlement currency, times are UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from fractions import Fraction
from typing import Annotated, Any, Self, TypeAlias, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, PrivateAttr

from ._errors import PendingError, TongduiError

ResourceT = TypeVar("ResourceT")

EntryFields: TypeAlias = Mapping[str, int | str]
"""Some fields of a future entry, which a client knows because it asked for them or signed them. Named as in `ReceiptEntry`."""


class Model(BaseModel):
    """Base of all resources."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    def __eq__(self, other: object) -> bool:
        """Whether both say the same. What the client expected makes no difference (pydantic would compare that, too)."""
        return isinstance(other, Model) and type(self) is type(other) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash(tuple(self.__dict__.values()))

    @property
    def is_final(self) -> bool:
        """Whether its state will not change by itself any more. `wait=` waits for this."""
        return True


class Expandable(Model):
    """Base of resources whose ids can be shown whole."""

    expanded: Expanded | None = None
    """What `expand` asked for; None if it asked for nothing."""


# -------------------------------------------------------------------- network


class Check(Model):
    """The state of one part that the gateway depends on."""

    ok: bool
    detail: str | dict[str, Any] | None = None


class Health(Model):
    """The state of the gateway. `status` is `ok` or `degraded`.

    `checks` has `database`, `migrations`, `chain`, `sequencer` and `projector`.
    """

    status: str
    checks: dict[str, Check] = {}


class Network(Model):
    """Where orders are settled: the chain and the contract that signatures are bound to, and the network's day.

    `minimum_fee_bps` is the least `fee_bps` of a new agreement. `rpc_hint` is a chain node that the operator lets everybody use.
    """

    chain_id: int
    contract: str
    currency: str
    utc_offset_seconds: int
    today: date
    minimum_fee_bps: int = 0
    rpc_hint: str | None = None


# -------------------------------------------------------------------- parties


class MerchantSigner(Model):
    """The key that signs a merchant's orders. `managed`: the gateway holds it."""

    address: str
    managed: bool


class Merchant(Model):
    """A legal entity in the network. `status`: pending, active, suspended, closed."""

    id: str
    number: int
    name: str
    status: str
    signer: MerchantSigner | None = None
    created_at: datetime | None = None

    @property
    def is_final(self) -> bool:
        """Whether the chain has confirmed it."""
        return self.status != "pending"


class Program(Model):
    """A points currency. `status`: pending, active, paused."""

    id: str
    number: int
    merchant: str
    code: str
    name: str
    status: str
    default_lifetime_days: int | None = None
    issuance_cap: int | None = None
    """The most points that it issues in a network day; None: any number."""
    next_issuance_cap: int | None = None
    """What counts in its place from `next_issuance_cap_from` on, unless that is None."""
    next_issuance_cap_from: date | None = None
    created_at: datetime | None = None

    @property
    def is_final(self) -> bool:
        """Whether the chain has confirmed it."""
        return self.status != "pending"


class MemberFreeze(Model):
    """The word of a merchant (or of the network's own merchant, for everybody) that a member's points must not be taken."""

    merchant: str
    reason: str
    created_at: datetime | None = None


class Member(Model):
    """A customer. `address` is all that the chain knows.

    `external_ids` are your own numbers for the customer, and `external_id` is the oldest of them. `state`: active or frozen.
    `merged` has the ids of members that were merged into this one.
    """

    id: str
    address: str
    external_id: str | None = None
    external_ids: tuple[str, ...] = ()
    state: str = "active"
    freezes: tuple[MemberFreeze, ...] = ()
    merged: tuple[str, ...] = ()
    created_at: datetime | None = None


class Forfeit(Model):
    """Points that an erased member gave up."""

    program: str
    points: int


class Erasure(Model):
    """What was erased. `complete`: nobody in the network knows the member any more."""

    member: str
    complete: bool
    forfeited: tuple[Forfeit, ...] = ()


class LinkCode(Model):
    """A one-time code. Another merchant registers the same member with it."""

    code: str
    expires_at: datetime


class MergeAccount(Model):
    """Points of a merged member in one program: `available` of them can move now.

    `signed_by`: `gateway` moves them by itself; `merchant` waits for the program's merchant to sign.
    """

    program: str
    merchant: str
    signed_by: str
    posted: int
    available: int
    reference: str


class Merge(Model):
    """Two members become one. `state`: proposed, cancelled, moving or done. `warning` says what a confirmation means."""

    id: str
    state: str
    merchant: str
    member: str
    member_address: str | None = None
    into: str
    into_address: str | None = None
    warning: str | None = None
    accounts: tuple[MergeAccount, ...] = ()
    created_at: datetime
    confirmed_at: datetime | None = None
    done_at: datetime | None = None

    @property
    def is_final(self) -> bool:
        """Whether no points are left to move."""
        return self.state in {"done", "cancelled"}


class MemberCode(Model):
    """A member's consent that another merchant draws on its points, once, up to `points`.

    `state`: live, used, expired, void. Only the answer that creates it has the `code` (to be read out or typed), `qr` (what its QR
    code says) and `qr_svg` (the QR code as an image). Once it is used, `used_for` is the hold or movement that it became, and
    `used_by` the merchant that presented it.
    """

    id: str
    member: str
    state: str
    code: str | None = None
    qr: str | None = None
    qr_svg: str | None = None
    points: int
    program: str | None = None
    merchant: str | None = None
    used_by: str | None = None
    used_points: int | None = None
    used_for: str | None = None
    used_at: datetime | None = None
    expires_at: datetime
    created_at: datetime | None = None

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        return without_secret(super().__repr_args__())


class Account(Model):
    """A member's points in one program: `available = posted - reserved`.

    `member` is None for an address whose member was erased; only the operator and auditors can ask for one.
    """

    member: str | None = None
    program: str
    posted: int
    reserved: int
    available: int


class Closing(Model):
    """What was at the end of a day of the network, `as_of`. The chain says the same at its block `block_number`.

    That is the last block of the day, or of the days before it; None if the chain began later: then all was zero. `final` is
    False as long as no block of a later day is there.
    """

    as_of: date
    block_number: int | None = None
    block_hash: str | None = None
    final: bool


class ClosingAccount(Closing):
    """A member's points in one program at the end of a day: what the chain had posted."""

    member: str | None = None
    program: str
    posted: int


class ClosingPosition(Closing):
    """A merchant's net settlement balance at the end of a day."""

    merchant: str
    position_micros: int


class DuePoints(Expandable):
    """Points of an account whose day has come, and which are not burnt yet. They cannot be spent any more."""

    member: str | None = None
    address: str
    program: str
    points: int


class UpcomingPoints(Expandable):
    """An account whose next points expire on a day, `expires_on`: the first one without them.

    `points` is what the account has left that expires then: 0 if it was all used since. `member` is None where no id leads to the
    account any more.
    """

    member: str | None = None
    address: str
    program: str
    points: int
    expires_on: date


# -------------------------------------------------------------------- agreements


class AgreementWarning(Model):
    """Something that both merchants should know before they sign.

    `code` `expiry_renewal`: points that pass the programs in `path` come back with a later expiry.
    """

    code: str
    detail: str
    path: tuple[str, ...] = ()


class Agreement(Expandable):
    """Terms between two merchants, signed by both.

    `state`: proposed, withdrawn (by its proposer), declined (by the other side), lapsed (after `accept_by`), accepted, active,
    superseded, terminated, failed (`reason` says why). `terms` are the wire terms that are signed.
    `ends_at` is `valid_until`, or earlier after supersession or termination; `terminates_at` is the end of a termination that
    the chain has yet to confirm. After `accept_by` the terms can no longer be registered. `keep_expiry`: points that an
    exchange mints expire no later than those it burns. `signed_by` has `source`, `target` or both.
    """

    id: str
    number: int | None = None
    kind: str
    state: str
    proposed_by: str | None = None
    source_merchant: str
    target_merchant: str
    source_program: str
    target_program: str | None = None
    rate_num: int
    rate_den: int
    unit_price_micros: int
    fee_bps: int = 0
    lifetime_days: int = 0
    max_points: int
    daily_cap: int
    initiators: tuple[str, ...]
    valid_from: datetime
    valid_until: datetime
    ends_at: datetime | None = None
    terminates_at: datetime | None = None
    supersedes: str | None = None
    superseded_by: str | None = None
    grace_seconds: int = 0
    accept_by: datetime | None = None
    keep_expiry: bool = False
    document: str
    terms: dict[str, int | bool | str]
    digest: str
    signed_by: tuple[str, ...] = ()
    reason: str | None = None
    warnings: tuple[AgreementWarning, ...] = ()
    created_at: datetime | None = None

    @property
    def rate(self) -> Fraction:
        """Target points for one source point."""
        return Fraction(self.rate_num, self.rate_den)

    @property
    def is_final(self) -> bool:
        """Whether only a merchant's decision can change it now (no registration or termination is on its way to the chain)."""
        return self.state != "accepted" and self.terminates_at is None

    def is_usable_at(self, moment: datetime) -> bool:
        """Whether movements may use it at this moment; until its end that includes one that is superseded or terminated."""
        end = min(self.ends_at or self.valid_until, self.terminates_at or self.valid_until)
        return self.state in {"active", "superseded", "terminated"} and self.valid_from <= moment < end


class Quote(Model):
    """Amounts that are locked until `expires_at`. `points` were asked for, `points_burnt` will leave, `out` will arrive."""

    id: str
    agreement: str
    points: int
    points_burnt: int
    out: int
    settled_micros: int
    fee_micros: int
    rate_num: int
    rate_den: int
    expires_at: datetime


# -------------------------------------------------------------------- movements


class MovementEntry(Model):
    """What the chain did, as the gateway tells it. `leaf` identifies the entry; `client.entries.receipt(movement)` proves it."""

    leaf: str
    batch: int
    index: int
    points: int
    out: int
    settled_micros: int
    fee_micros: int
    tx_hash: str
    block_number: int
    settled_at: datetime | None = None


class Movement(Expandable):
    """One instruction and what became of it. `object` says whether it is an issuance, an exchange, a redemption, ...

    `state`: accepted, submitted, then settled, rejected or expired. `reason` is why the chain rejected it.
    `points` were asked for; `entry.points` moved. Reversals have undone `reversed_points` of them (or will, while they are pending)
    and can undo `reversible_points`. `reverses` is the movement that a reversal undoes, `recipient` who gets a transfer's points.
    `direction` is `out` if your points go, `in` if you receive. `external_id` is your own number for the member; None if you do not
    know the member yet. `metadata` is what you have given beside it, if you have signed it.
    """

    id: str
    object: str
    order: str
    state: str
    reason: str | None = None
    direction: str | None = None
    merchant: str
    giver: str | None = None
    receiver: str | None = None
    counterparty: str | None = None
    member: str | None = None
    external_id: str | None = None
    recipient: str | None = None
    program: str
    source_program: str | None = None
    target_program: str | None = None
    agreement: str | None = None
    points: int
    reference: str | None = None
    metadata: Mapping[str, Any] | None = None
    expires_on: date | None = None
    reverses: str | None = None
    reversed_points: int = 0
    reversible_points: int = 0
    created_at: datetime | None = None
    entry: MovementEntry | None = None
    _expected: Iterable[EntryFields] = PrivateAttr(())

    def __hash__(self) -> int:
        return hash(self.id)

    @property
    def is_final(self) -> bool:
        """Whether it is settled, rejected, expired or cancelled."""
        return self.state not in {"accepted", "submitted"}

    @property
    def is_settled(self) -> bool:
        """Whether the chain has carried it out."""
        return self.state == "settled"

    def raise_for_rejection(self) -> Self:
        """Return the movement, unless the chain rejected it or its deadline passed.

        Returns:
            The movement itself.

        Raises:
            RejectedError: It did not take effect.
        """
        if self.is_final and not self.is_settled:
            raise RejectedError([self])
        return self

    def settled(self) -> MovementEntry:
        """Say what the chain did.

        Returns:
            The entry.

        Raises:
            RejectedError: The movement did not take effect.
            PendingError: It is not final yet.
        """
        self.raise_for_rejection()
        if self.entry is None or not self.is_settled:
            raise PendingError(f"{self.id} is still {self.state}")
        return self.entry


class RejectedError(TongduiError):
    """The gateway accepted an order that then did not take effect: the chain rejected it, or its deadline passed.

    Attributes:
        movements: The movements that did not take effect.
        reason: The chain's reason for the first of them, such as `insufficient_points`.
    """

    def __init__(self, movements: Sequence[Movement]) -> None:
        self.movements = tuple(movements)
        first = self.movements[0]
        self.reason = first.reason or first.state
        more = f" (and {len(self.movements) - 1} more)" if len(self.movements) > 1 else ""
        super().__init__(f"{first.id} was {first.state}: {self.reason}{more}")


class Order(Expandable):
    """Instructions that were signed together. Each has its own movement, and unless `atomic` may be rejected alone.

    `size` counts the instructions, `rejected_count` those that did not take effect. An order created without `detail`
    has `movements` only if one of them was rejected.
    """

    id: str
    state: str
    merchant: str
    nonce: int | None = None
    deadline: int | datetime | None = None
    atomic: bool = False
    digest: str | None = None
    reason: str | None = None
    size: int = 0
    rejected_count: int = 0
    movements: Annotated[tuple[Movement, ...], BeforeValidator(lambda movements: movements or ())] = ()
    created_at: datetime | None = None
    settled_at: datetime | None = None
    tx_hash: str | None = None
    block_number: int | None = None
    _expected: Iterable[EntryFields] = PrivateAttr(())

    @property
    def is_final(self) -> bool:
        """Whether it is settled, rejected, expired or cancelled."""
        return self.state not in {"accepted", "submitted"}

    @property
    def rejected(self) -> tuple[Movement, ...]:
        """The movements that did not take effect."""
        return tuple(movement for movement in self.movements if movement.is_final and not movement.is_settled)

    def raise_for_rejection(self) -> Self:
        """Return the order, unless some of its movements did not take effect.

        Returns:
            The order itself.

        Raises:
            RejectedError: One or more did not take effect.
        """
        if self.rejected:
            raise RejectedError(self.rejected)
        return self

    def settled(self) -> tuple[MovementEntry, ...]:
        """Say what the chain did.

        Returns:
            One entry for each movement.

        Raises:
            RejectedError: One or more movements did not take effect.
            PendingError: The order is not final yet.
        """
        self.raise_for_rejection()
        if not self.is_final:
            raise PendingError(f"{self.id} is still {self.state}")
        return tuple(movement.settled() for movement in self.movements)


def expect(resource: ResourceT, expected: Iterable[EntryFields]) -> ResourceT:
    """Note in a movement or an order what its entries have to be.

    Args:
        resource: A movement, an order, or anything else (which stays as it is).
        expected: What is known of the entries, one instruction after another.

    Returns:
        The same resource.
    """
    if isinstance(resource, (Movement, Order)):
        resource._expected = expected
    if isinstance(resource, Order):
        for movement, fields in zip(resource.movements, expected, strict=False):
            expect(movement, (fields,))
    return resource


def expectations_of(resource: object) -> Iterable[EntryFields]:
    """What this client expects of a resource's entries, one instruction after another; empty when it knows nothing."""
    return resource._expected if isinstance(resource, (Movement, Order)) else ()


class Hold(Expandable):
    """Points set aside until they are captured or released, or the hold expires.

    `state`: pending, captured, released, expired. `captured` of the points became `movement`, in `order`. `taken_on` is
    the network's day on which the points were set aside: those that were alive on that day are captured first. A hold on
    another merchant's points is made under an `agreement`, and bound to it. `member_address` is all that the chain knows
    of the member.
    """

    id: str
    state: str
    merchant: str
    member: str | None = None
    member_address: str | None = None
    program: str
    agreement: str | None = None
    points: int
    captured: int = 0
    order: str | None = None
    movement: str | None = None
    reference: str | None = None
    taken_on: date
    expires_at: datetime
    ended_at: datetime | None = None
    created_at: datetime | None = None

    @property
    def is_pending(self) -> bool:
        """Whether the points were still set aside when it was fetched."""
        return self.state == "pending"


class NonceBlock(Model):
    """Order nonces reserved for this caller: `first` to `first + count - 1`."""

    first: int
    count: int


# -------------------------------------------------------------------- settlement


class Position(Expandable):
    """A merchant's net settlement balance.

    `reserved_micros` is what its pending orders and withdrawals will take; `liquidity_micros` (position plus credit
    limit, less reserved) is what it can still pay.
    """

    merchant: str
    position_micros: int
    credit_limit_micros: int
    reserved_micros: int = 0
    liquidity_micros: int


class BankMovement(Expandable):
    """Money that arrived at the settlement bank, or was paid out there. `state`: pending, posted, failed."""

    id: str
    merchant: str
    micros: int
    bank_reference: str
    state: str
    tx_hash: str | None = None
    block_number: int | None = None
    created_at: datetime | None = None

    @property
    def is_final(self) -> bool:
        """Whether the chain has booked it or refused to."""
        return self.state != "pending"


# -------------------------------------------------------------------- journal and access


class Entry(Expandable):
    """The accepted result of one instruction, as the chain recorded it.

    `member_address` is a pseudonym; `expiry_day` counts days since 1970-01-01, 0 for never.
    """

    leaf: str
    batch: int
    index: int
    kind: str | int
    merchant: str | int
    program: str | int
    target_program: str | None = None
    agreement: str | int | None = None
    member_address: str | None = None
    points: int
    out: int = 0
    settled_micros: int = 0
    fee_micros: int = 0
    expiry_day: int = 0
    ref: str | None = None
    link: str | None = None
    tx_hash: str | None = None
    block_number: int | None = None


class EventData(Model):
    """What an event says: `data` is the whole object as it was then, as a GET would have shown it to you."""

    data: dict[str, Any] = {}

    def movement(self) -> Movement:
        """Read the movement of an event such as `exchange.received`. Raises ValueError if it is about something else."""
        return Movement.model_validate(self.data)

    def order(self) -> Order:
        """Read the order of an event such as `order.settled`. Raises ValueError if it is about something else."""
        return Order.model_validate(self.data)


class Event(EventData):
    """Something that happened to `subject`. `type` is a name such as `order.settled`; `actor` caused it.

    `actor_name`: the person's name, if a person did it whose name you may know.
    """

    id: str
    type: str
    subject: str | None = None
    actor: str | None = None
    actor_name: str | None = None
    merchant: str | None = None
    created_at: datetime | None = None


class ApiKey(Model):
    """An API key. Only the answer that creates it has the `secret`: keep it. `last_used_at` is to the minute.

    `parent`: the key that made it, with which it is revoked. `created_by`: the actor that made it, such as `key_...` or
    `staff:stf_...`. `expires_at`: when it ends by itself. `networks`: where it may be used from; none: from anywhere.
    """

    id: str
    role: str
    merchant: str | None = None
    scopes: tuple[str, ...] = ()
    name: str = ""
    parent: str | None = None
    created_by: str = ""
    expires_at: datetime | None = None
    networks: tuple[str, ...] = ()
    secret: str | None = None
    created_at: datetime | None = None
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None

    def __repr_args__(self) -> Any:
        return without_secret(super().__repr_args__())


# -------------------------------------------------------------------- people


class Person(Model):
    """Somebody who works with the network. `language`: zh or en. `second_factor`: needs one-time codes to sign in."""

    id: str
    name: str
    email: str
    language: str
    second_factor: bool = False


class Seat(Model):
    """What a person is at a merchant, or in the network itself (`merchant` is None).

    `title`: admin, manager, cashier, accountant, viewer; in the network operator, treasury, auditor.
    """

    id: str
    role: str
    title: str
    merchant: str | None = None
    merchant_name: str | None = None


class Session(Model):
    """A person who is signed in, on one of its seats.

    Only the answers that begin a session have its `token`: give it to a client as `api_key`. `restriction`: what the person has to
    do before anything else: `password_change` or `second_factor`.
    """

    id: str
    token: str | None = None
    person: Person
    seat: Seat
    seats: tuple[Seat, ...] = ()
    restriction: str | None = None
    created_at: datetime
    expires_at: datetime

    def __repr_args__(self) -> Any:
        return without_secret(super().__repr_args__())


class Profile(Person):
    """A person, as it sees itself. `has_password`: False if it signs in at another issuer only."""

    has_password: bool
    recovery_codes_left: int
    created_at: datetime


class Totp(Model):
    """What an app of one-time codes needs, shown once: a secret, as text, as a URI and as a QR code."""

    secret: str
    uri: str
    qr_svg: str

    def __repr_args__(self) -> Any:
        return without_secret(super().__repr_args__())


class RecoveryCodes(Model):
    """Ten codes, shown once: each takes the place of an app's code once."""

    recovery_codes: tuple[str, ...]

    def __repr_args__(self) -> Any:
        return without_secret(super().__repr_args__())


class SecondFactor(RecoveryCodes):
    """An app of one-time codes works. The session goes on with another token."""

    session: Session


class StaffPerson(Person):
    """Somebody who may sign in; or, since `disabled_at`, not. If it is `disabled_by_network`, only the operator can change that."""

    disabled_at: datetime | None = None
    disabled_by_network: bool = False


class StaffMember(Model):
    """Somebody on a seat, `since` a moment. The person may not sign in if it has `disabled_at`; `last_seen_at` is rough."""

    person: Person
    seat: Seat
    disabled_at: datetime | None = None
    disabled_by_network: bool = False
    since: datetime
    last_seen_at: datetime | None = None


class InvitationMail(Model):
    """What has become of the mail that brings an invitation.

    `state`: pending, sent, failed (given up) or dropped (nobody needs it any more). `answer`: what the server said to the last
    attempt that failed.
    """

    state: str
    attempts: int = 0
    answer: str | None = None
    sent_at: datetime | None = None


class Invitation(Model):
    """An offer of a seat.

    Only the answer that makes it has a `link`, and only if the network sends no mail: hand it to whoever is invited. Otherwise
    `mail` says what has become of the mail.
    """

    id: str
    email: str
    name: str = ""
    title: str
    language: str
    merchant: str | None = None
    link: str | None = None
    mail: InvitationMail | None = None
    created_at: datetime
    expires_at: datetime
    accepted_at: datetime | None = None
    revoked_at: datetime | None = None

    def __repr_args__(self) -> Any:
        return without_secret(super().__repr_args__())


class InvitationOffer(Model):
    """What whoever is invited sees.

    `is_known`: the person signs in here already, and so keeps its password. `needs_code`: a code has to come with the link, which
    another person of the network has handed over.
    """

    email: str
    name: str = ""
    title: str
    language: str
    merchant: str | None = None
    merchant_name: str | None = None
    is_known: bool
    needs_code: bool = False
    expires_at: datetime


class Issuer(Model):
    """Another issuer (OpenID Connect) at which people of the network may sign in."""

    name: str
    url: str


class Issuers(Model):
    """Where people may sign in besides with an address and a password."""

    data: tuple[Issuer, ...] = ()


class OidcAuthorization(Model):
    """Where to send a person who signs in at another issuer. Keep `state` in its browser, and compare it when it comes back."""

    authorization_url: str
    state: str


class SignedIn(Model):
    """Where a person is signed in. `method`: password or oidc. `last_seen_at` is rough."""

    id: str
    seat: Seat
    method: str
    second_factor: bool
    address: str = ""
    user_agent: str = ""
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    is_current: bool = False


# -------------------------------------------------------------------- webhooks


class WebhookEndpoint(Model):
    """Where your events are sent. `state`: enabled or disabled (`reason` says why).

    Only the answers that make a `secret` have it: keep it.
    """

    id: str
    merchant: str
    url: str
    types: tuple[str, ...] = ()
    description: str = ""
    state: str
    reason: str | None = None
    failing_since: datetime | None = None
    secret: str | None = None
    created_at: datetime | None = None

    def __repr_args__(self) -> Any:
        return without_secret(super().__repr_args__())


class WebhookDelivery(Model):
    """One event on its way to an endpoint. `state`: pending, delivered, failed. `status` is that of the last answer."""

    event: str
    type: str
    subject: str
    data: dict[str, Any] = {}
    state: str
    attempts: int
    next_attempt_at: datetime | None = None
    status: int | None = None
    answer: str | None = None
    attempted_at: datetime | None = None
    delivered_at: datetime | None = None


class WebhookTry(Model):
    """One try to deliver an event: what was sent, how long it took, and what was answered (`error`: why nothing was)."""

    at: datetime
    url: str
    request_headers: dict[str, str] = {}
    milliseconds: int
    status: int | None = None
    response_headers: tuple[tuple[str, str], ...] = ()
    response_body: str | None = None
    error: str | None = None


class WebhookDeliveryDetail(WebhookDelivery):
    """A delivery with the body of its request, and the last three tries, the newest last."""

    request_body: str
    tries: tuple[WebhookTry, ...] = ()


class WebhookReplay(Model):
    """How many events will be sent again."""

    events: int


def without_secret(shown: Iterable[tuple[str | None, Any]]) -> list[tuple[str | None, Any]]:
    """What `repr` shows of a model, with its secrets hidden."""
    return [(name, "..." if name in _SECRETS and value else value) for name, value in shown]


_SECRETS = frozenset({"secret", "code", "qr", "qr_svg", "token", "link", "uri", "recovery_codes"})


class Expanded(Model):
    """Whole resources beside the ids that a resource has. None: there is none, you may not see it, or nobody asked for it."""

    merchant: Merchant | None = None
    source_merchant: Merchant | None = None
    target_merchant: Merchant | None = None
    giver: Merchant | None = None
    receiver: Merchant | None = None
    counterparty: Merchant | None = None
    program: Program | None = None
    source_program: Program | None = None
    target_program: Program | None = None
    member: Member | None = None
    recipient: Member | None = None
    into: Member | None = None
    agreement: Agreement | None = None
    supersedes: Agreement | None = None
    order: Order | None = None
    movement: Movement | None = None
    reverses: Movement | None = None
