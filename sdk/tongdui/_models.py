"""What the gateway answers, typed. Models are frozen and ignore members that they do not know, so an older SDK works
with a newer gateway. Points are whole numbers, `*_micros` are millionths of the settlement currency, times are UTC."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from fractions import Fraction
from typing import Annotated, Any, Self, TypeAlias, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, PrivateAttr

from ._errors import PendingError, RejectedError

R = TypeVar("R")

Asked: TypeAlias = Mapping[str, int | str]
"""What a client knows by itself of an entry to come, because it asked for it or signed it; named as in
`ReceiptEntry`."""


class Model(BaseModel):
    """Base of all resources."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    def __eq__(self, other: object) -> bool:
        """Whether both say the same; who asked for it makes no difference (pydantic would compare that, too)."""
        return isinstance(other, Model) and type(self) is type(other) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash(tuple(self.__dict__.values()))

    @property
    def is_final(self) -> bool:
        """Whether its state will not change by itself any more; what `wait=` waits for."""
        return True


# -------------------------------------------------------------------- network


class Check(Model):
    """One part of the gateway's health."""

    ok: bool
    detail: str | dict[str, Any] | None = None


class Health(Model):
    """`status` is `ok` or `degraded`; `checks` has `database`, `migrations`, `chain`, `sequencer` and `projector`."""

    status: str
    checks: dict[str, Check] = {}


class Network(Model):
    """Where orders are settled: what signatures are bound to, and the network's day."""

    chain_id: int
    contract: str
    currency: str
    utc_offset_seconds: int
    today: date
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
    created_at: datetime | None = None

    @property
    def is_final(self) -> bool:
        """Whether the chain has confirmed it."""
        return self.status != "pending"


class Member(Model):
    """A customer. `external_id` is the caller's own number for them; `address` is all that the chain knows."""

    id: str
    address: str
    external_id: str | None = None
    created_at: datetime | None = None


class LinkCode(Model):
    """A one-time code with which another merchant registers the same member."""

    code: str
    expires_at: datetime


class Account(Model):
    """A member's points in one program: `available = posted - reserved`."""

    member: str
    program: str
    posted: int
    reserved: int
    available: int


# -------------------------------------------------------------------- agreements


class Agreement(Model):
    """Terms between two merchants, signed by both.

    `state`: proposed, accepted, active, superseded, terminated, failed. `terms` are the wire terms that are signed; `ends_at`
    is `valid_until`, or earlier where it was superseded or terminated; `signed_by` has `source`, `target` or both.
    """

    id: str
    number: int | None = None
    kind: str
    state: str
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
    supersedes: str | None = None
    grace_seconds: int = 0
    document: str
    terms: dict[str, int | str]
    digest: str
    signed_by: tuple[str, ...] = ()
    created_at: datetime | None = None

    @property
    def rate(self) -> Fraction:
        """Target points for one source point."""
        return Fraction(self.rate_num, self.rate_den)

    @property
    def is_final(self) -> bool:
        """Whether nothing but a merchant's decision changes it now (`accepted` is on its way to the chain)."""
        return self.state != "accepted"


class Quote(Model):
    """Amounts locked until `expires_at`. `points` were asked, `points_burnt` will leave, `out` will arrive."""

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
    """What the chain did, by the gateway's word. `leaf` identifies it: `client.entries.receipt(movement)` proves it."""

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


class Movement(Model):
    """One instruction and what became of it; `object` says whether it is an issuance, an exchange, a redemption, ...

    `state`: accepted, submitted, then settled, rejected or expired. `reason` is the chain's word for a rejection.
    `points` were asked for; `entry.points` moved.
    """

    id: str
    object: str
    order: str
    state: str
    reason: str | None = None
    merchant: str
    member: str | None = None
    program: str
    agreement: str | None = None
    points: int
    reference: str | None = None
    expires_on: date | None = None
    created_at: datetime | None = None
    entry: MovementEntry | None = None
    _asked: Iterable[Asked] = PrivateAttr(())

    @property
    def is_final(self) -> bool:
        """Whether it is settled, rejected, expired or cancelled."""
        return self.state not in {"accepted", "submitted"}

    @property
    def is_settled(self) -> bool:
        """Whether the chain has done it."""
        return self.state == "settled"

    def raise_for_rejection(self) -> Self:
        """Itself, unless the chain refused it or its deadline passed: then RejectedError."""
        if self.is_final and not self.is_settled:
            raise RejectedError([self])
        return self

    def settled(self) -> MovementEntry:
        """What the chain did. Raises RejectedError when it was refused and PendingError when it is not final yet."""
        self.raise_for_rejection()
        if self.entry is None or not self.is_settled:
            raise PendingError(f"{self.id} is still {self.state}")
        return self.entry


class Order(Model):
    """Instructions that were signed together; each has its own movement and may be rejected alone unless `atomic`.

    `size` counts the instructions, `rejected_count` those that did not take effect. Where it was asked for without
    `detail`, it has no `movements` unless one of them was rejected.
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
    movements: Annotated[tuple[Movement, ...], BeforeValidator(lambda given: given or ())] = ()
    created_at: datetime | None = None
    settled_at: datetime | None = None
    tx_hash: str | None = None
    block_number: int | None = None
    _asked: Iterable[Asked] = PrivateAttr(())

    @property
    def is_final(self) -> bool:
        """Whether it is settled, rejected, expired or cancelled."""
        return self.state not in {"accepted", "submitted"}

    @property
    def rejected(self) -> tuple[Movement, ...]:
        """The movements that did not take effect."""
        return tuple(m for m in self.movements if m.is_final and not m.is_settled)

    def raise_for_rejection(self) -> Self:
        """Itself, unless one or more of its movements did not take effect: then RejectedError."""
        if self.rejected:
            raise RejectedError(self.rejected)
        return self

    def settled(self) -> tuple[MovementEntry, ...]:
        """What the chain did, one entry a movement. Raises RejectedError or PendingError when that is not all of
        them."""
        self.raise_for_rejection()
        if not self.is_final:
            raise PendingError(f"{self.id} is still {self.state}")
        return tuple(m.settled() for m in self.movements)


def remember(resource: R, asked: Iterable[Asked]) -> R:
    """The movement or order, which from now on knows what was asked for, one instruction after another."""
    if isinstance(resource, (Movement, Order)):
        resource._asked = asked
    if isinstance(resource, Order):
        for movement, one in zip(resource.movements, asked, strict=False):
            remember(movement, (one,))
    return resource


def asked_for(resource: object) -> Iterable[Asked]:
    """What was asked for, one instruction after another, as far as this object was there; empty otherwise."""
    return resource._asked if isinstance(resource, (Movement, Order)) else ()


class Hold(Model):
    """Points set aside until they are captured or released, or their time is over. `state`: pending, captured, released,
    expired. `captured` of them became `movement`, of `order`."""

    id: str
    state: str
    merchant: str
    member: str | None = None
    program: str
    points: int
    captured: int = 0
    order: str | None = None
    movement: str | None = None
    reference: str | None = None
    expires_at: datetime
    ended_at: datetime | None = None
    created_at: datetime | None = None

    @property
    def is_pending(self) -> bool:
        """Whether the points are set aside, as far as was known when it was fetched."""
        return self.state == "pending"


class NonceBlock(Model):
    """Nonces `first` to `first + count - 1` are this caller's, to sign orders with."""

    first: int
    count: int


# -------------------------------------------------------------------- settlement


class Position(Model):
    """A merchant's net balance. `reserved_micros` is what its pending orders and withdrawals will take, and
    `liquidity_micros` (position plus credit limit, less reserved) what it can still pay."""

    merchant: str
    position_micros: int
    credit_limit_micros: int
    reserved_micros: int = 0
    liquidity_micros: int


class BankMovement(Model):
    """Money that arrived at, or was paid out by, the settlement bank. `state`: pending, posted, failed."""

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
        """Whether the chain has booked it, or refused to."""
        return self.state != "pending"


# -------------------------------------------------------------------- journal and access


class Entry(Model):
    """An accepted instruction, as the chain recorded it. `member_address` is pseudonymous; `expiry_day` counts from
    1970-01-01."""

    leaf: str
    batch: int
    index: int
    kind: str | int
    merchant: str | int
    program: str | int
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


class Event(Model):
    """Something that happened to `subject`: `type` such as `order.settled`, by `actor`, with more in `data`."""

    id: str
    type: str
    subject: str | None = None
    actor: str | None = None
    merchant: str | None = None
    created_at: datetime | None = None
    data: dict[str, Any] = {}


class ApiKey(Model):
    """An API key. `secret` is there only in the answer that creates it: keep it."""

    id: str
    role: str
    merchant: str | None = None
    scopes: tuple[str, ...] = ()
    secret: str | None = None
    created_at: datetime | None = None
    revoked_at: datetime | None = None

    def __repr_args__(self) -> Any:
        return [(k, "..." if k == "secret" and v else v) for k, v in super().__repr_args__()]


# -------------------------------------------------------------------- webhooks


class WebhookEndpoint(Model):
    """Where you are told of your events. `state`: enabled or disabled (`reason` says why). `secret` is there only in the
    answers that make one: keep it."""

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
        return [(k, "..." if k == "secret" and v else v) for k, v in super().__repr_args__()]


class WebhookDelivery(Model):
    """One event on its way to an endpoint. `state`: pending, delivered, failed; `status` is of the last answer."""

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


class WebhookReplay(Model):
    """How many events will be sent again."""

    events: int
