"""Accepting orders: checked, signed, reserved and stored in the caller's one transaction. Nothing here commits.

Many orders are accepted at once, each with its own outcome: everything that they name is looked up and locked together, they are
decided one after the other in the order of their arrival, and the accepted ones are stored together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from typing import Any, TypeAlias

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from clearing.kit import tracing
from clearing.kit.clock import clock_of
from clearing.kit.config import Settings
from clearing.kit.errors import (
    ClearingError,
    Conflict,
    FieldError,
    InvalidRequest,
    Pointer,
    RateLimited,
    Unavailable,
    pointer_into,
)
from clearing.kit.identity import NetworkIdentity
from clearing.kit.ids import new_ids
from clearing.kit.json_values import compact
from clearing.kit.signing.managed_keys import ManagedKeys
from clearing.kit.wakeups.channels import Channel, notify
from clearing.ledger.availability.due import CapturedHold
from clearing.ordering.orders import limits
from clearing.ordering.orders.authorization import AuthorizationService, Signed
from clearing.ordering.orders.dry_run import dry_run_of
from clearing.ordering.orders.events import Accepted, OrderEvents, shown_of
from clearing.ordering.orders.kinds import kind_of
from clearing.ordering.orders.models import InstructionRow, OrderRow, OrderState
from clearing.ordering.orders.repository import OrderRepository, ReferenceKey
from clearing.ordering.orders.requests import Authorization, InstructionRequest
from clearing.ordering.orders.reservation import ReservationService
from clearing.ordering.orders.resolution import Draft, Held, Lookups, Resolver
from clearing.parties.members.repository import MemberRepository
from clearing.parties.merchants.models import Merchant, MerchantStatus
from clearing.parties.merchants.service import require_open
from tongdui import orders as wire

_RETRY = 2
"""Seconds after which there may be more room in the queue."""

Placed: TypeAlias = tuple[InstructionRequest, Pointer]
"""A request, and the pointers to its fields."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRequest:
    """What a merchant asks for: instructions under one signature, its own or the gateway's."""

    merchant: Merchant
    requests: Sequence[InstructionRequest]
    actor: str
    authorization: Authorization | None = None
    atomic: bool = False
    places: Sequence[str] | None = None
    """JSON pointers to where the requests stand in the caller's body; by default there is one, and it is the body."""
    held: Held | None = None
    """The hold that the order comes from: the order says on which day it was taken."""
    traceparent: str | None = field(default_factory=tracing.traceparent)
    """The trace that it belongs to, if there is one: that of the open span, unless somebody says otherwise."""

    @property
    def is_alone(self) -> bool:
        """Whether it has to be the only one that its transaction accepts: what it writes before it is decided is undone as a
        whole where it is refused."""
        return self.held is not None or any(request.is_alone for request in self.requests)


@dataclass(slots=True)
class _Case:
    """An order on its way to being accepted or refused."""

    wanted: OrderRequest
    placed: list[Placed]
    refusal: ClearingError | None = None
    drafts: list[Draft] = field(default_factory=list)
    signed: Signed | None = None
    reserved: list[int] = field(default_factory=list)

    def references(self) -> list[ReferenceKey]:
        """What its instructions claim as their own document numbers."""
        return [
            (self.wanted.merchant.number, int(request.kind), request.reference)
            for request, _ in self.placed
            if request.reference is not None
        ]


class OrderService:
    """Accepts the orders of merchants."""

    def __init__(self, session: Session, *, network: NetworkIdentity, keyring: ManagedKeys, settings: Settings) -> None:
        self._session = session
        self._network = network
        self._settings = settings
        self._orders = OrderRepository(session)
        self._authorizations = AuthorizationService(session, network=network, keyring=keyring, settings=settings)

    def accept(
        self,
        merchant: Merchant,
        requests: Sequence[InstructionRequest],
        *,
        authorization: Authorization | None,
        actor: str,
        atomic: bool = False,
        places: Sequence[str] | None = None,
        held: Held | None = None,
    ) -> Accepted:
        """Accepts one order. Raises a ClearingError where it may not be: then the caller rolls back to where it called."""
        (outcome,) = self.accept_all(
            [
                OrderRequest(
                    merchant=merchant,
                    requests=requests,
                    actor=actor,
                    authorization=authorization,
                    atomic=atomic,
                    places=places,
                    held=held,
                )
            ]
        )
        if isinstance(outcome, ClearingError):
            raise outcome
        return outcome

    def accept_all(self, wanted: Sequence[OrderRequest]) -> list[Accepted | ClearingError]:
        """Stores the orders with their reservations, ready for the sequencer; for each what was stored, or why it was refused.

        A refused order leaves nothing behind, and takes nothing from those after it. An order that `is_alone` comes alone.
        """
        assert len(wanted) == 1 or not any(one.is_alone for one in wanted), "what is undone as a whole comes alone"
        cases = [_Case(one, _placed(one)) for one in wanted]
        known = self._orders.live_references({key for case in cases for key in case.references()})
        self._resolve(cases, known)
        self._decide(cases, known)
        accepted = [case for case in cases if case.refusal is None]
        stored = iter(self._store(accepted))
        return [case.refusal or next(stored) for case in cases]

    def reserve_nonces(self, merchant: Merchant, count: int) -> int:
        """Reserves `count` consecutive nonces for the merchant; the first of them. With 0 it only locks the merchant."""
        return self._authorizations.reserve_nonces(merchant, count)

    # ---------------------------------------------------------------- what the orders mean

    def _resolve(self, cases: Sequence[_Case], known: Collection[ReferenceKey]) -> None:
        """Looks up what the orders name, and refuses those that cannot be right."""
        lookups = Lookups(self._session)
        lookups.prepare((case.wanted.merchant.number, request) for case in cases for request, _ in case.placed)
        for case in cases:
            try:
                _refuse_inactive(case.wanted.merchant)
                _refuse_duplicates(case, known)  # first: its member code is used up, which says less about why
                case.drafts = self._resolved(case, lookups)
                self._refuse_oversized(case)
            except ClearingError as refusal:
                case.refusal = refusal

    def _resolved(self, case: _Case, lookups: Lookups) -> list[Draft]:
        wanted = case.wanted
        resolver = Resolver(self._session, wanted.merchant, self._network, wanted.actor, lookups, wanted.held)
        drafts = []
        for request, at in case.placed:
            resolver.require_points(request, at)
            drafts.append(kind_of(request.kind).resolve(resolver, request, at))
        return drafts

    def _refuse_oversized(self, case: _Case) -> None:
        """An order that no transaction can hold would be found out by a failed batch, at everybody's cost."""
        drafted = [draft.instruction for draft in case.drafts]
        touches = Counter((int(one.kind), one.program, one.agreement) for one in drafted)
        load = limits.Load(case.wanted.merchant.number, 0, touches, case.wanted.atomic)
        if not limits.fits_alone(load, self._settings.batch_max_gas, self._settings.batch_max_bytes):
            kinds = Counter(one.kind for one in drafted)
            counts = ", ".join(f"{count} of kind {wire.Kind(kind).label}" for kind, count in kinds.items())
            detail = f"{counts} may not fit into one transaction of the chain; make several orders of it"
            raise InvalidRequest.at("/instructions", detail, code="order_too_large")

    # ---------------------------------------------------------------- whether they may be

    def _decide(self, every: Sequence[_Case], known: Collection[ReferenceKey]) -> None:
        """Signs the orders and reserves what they take, one after the other: who comes first gets the last points.

        `known` are those of their references that were used before.
        """
        cases = [case for case in every if case.refusal is None]
        if not cases:
            return
        waiting = self._orders.queued_instructions()
        reservations = ReservationService(self._session, network=self._network)
        try:
            # The merchants, who count the nonces, come first: every transaction takes its locks in this order.
            self._authorizations.prepare((case.wanted.merchant, case.wanted.authorization) for case in cases)
            reservations.lock([draft for case in cases for draft in case.drafts], _captured(cases[0]))
        except ClearingError as refusal:
            assert len(cases) == 1, "only what comes alone can be refused here"
            cases[0].refusal = refusal
            return
        used = set(known)
        just_used: set[ReferenceKey] = set()
        for case in every:
            if case.refusal is not None and just_used.isdisjoint(case.references()):
                continue
            wanted = case.wanted
            try:
                _refuse_duplicates(
                    case, used
                )  # first, also where it was refused for something else: as if it had come later
                self._refuse_overload(case, waiting)
                instructions = [draft.instruction for draft in case.drafts]
                case.signed = self._authorizations.signed(
                    wanted.merchant, instructions, wanted.authorization, atomic=wanted.atomic
                )
                case.reserved = reservations.reserve(wanted.merchant, case.drafts, atomic=wanted.atomic)
            except ClearingError as refusal:
                case.refusal = refusal
                continue
            self._authorizations.use(case.signed)
            used.update(case.references())
            just_used.update(case.references())
            waiting[wanted.merchant.number] += len(case.drafts)
        self._authorizations.write()
        reservations.write()

    def _refuse_overload(self, case: _Case, waiting: Counter[int]) -> None:
        """Lets no merchant have more in the queue than it leaves free for the others. (An empty queue takes any order.)"""
        size, own, total = len(case.drafts), waiting[case.wanted.merchant.number], waiting.total()
        if not total or own + size <= self._settings.queue_limit - total - size:
            return
        if not own:
            raise Unavailable(f"{total} instructions are waiting for the chain", code="queue_full", retry_after=_RETRY)
        detail = (
            f"{own} of your instructions are waiting for the chain, and {total - own} of others; "
            f"with {size} more you would have more in the queue than you leave free"
        )
        raise RateLimited(detail, code="queue_share_full", retry_after=_RETRY)

    # ---------------------------------------------------------------- storing

    def _store(self, cases: Sequence[_Case]) -> list[Accepted]:
        if not cases:
            return []
        at = clock_of(self._session).now()
        seqs = self._orders.next_seqs(len(cases))
        ids = new_ids(["ord"] * len(cases))
        orders = [_order(case, seq, id, at) for case, seq, id in zip(cases, seqs, ids, strict=True)]  # noqa: A001
        rows = [_instructions(case, order) for case, order in zip(cases, orders, strict=True)]
        metadata = {
            (order.seq, item): compact(request.metadata)
            for case, order in zip(cases, orders, strict=True)
            for item, (request, _) in enumerate(case.placed)
            if request.metadata is not None
        }
        self._keep_members(cases)
        try:
            self._orders.add([_stored(case, order) for case, order in zip(cases, orders, strict=True)])
            self._orders.add_instructions(_INSTRUCTION_COLUMNS, [row for some in rows for row in some])
            self._orders.add_metadata(metadata)
        except IntegrityError as error:
            if _NONCE_KEY in str(error.orig):
                detail = "an order with this nonce was accepted just now"
                raise Conflict.at("/authorization/nonce", detail, code="nonce_used") from error
            # Somebody else stored the same nonce or reference since we looked: the database is the duplicate check.
            raise Conflict(
                "another request with the same nonce or reference was accepted just now", code="duplicate_reference"
            ) from error
        if (dry_run := dry_run_of(self._session)) is not None:
            dry_run.outcomes += [draft.outcome for case in cases for draft in case.drafts]
        accepted = [
            Accepted(order, [InstructionRow(*_shown(row)) for row in shown_of(order, some)], case.wanted.actor)
            for case, order, some in zip(cases, orders, rows, strict=True)
        ]
        # Last: a refusal after this would leave a gap in the events' numbers, for which their readers wait.
        OrderEvents(self._session).accepted(accepted)
        notify(self._session, Channel.REQUESTED)
        return accepted

    def _keep_members(self, cases: Sequence[_Case]) -> None:
        """No instruction names a member that was erased meanwhile, or will be before it is stored: its id would lead back to the
        address."""
        drafts = [draft for case in cases for draft in case.drafts]
        ids = {id for draft in drafts for id in (draft.member.id, draft.recipient) if id is not None}  # noqa: A001
        if MemberRepository(self._session).keep(ids) != ids:
            raise Unavailable("a member was erased just now; send the request again", code="member_merged")


def _placed(wanted: OrderRequest) -> list[Placed]:
    return list(zip(wanted.requests, map(pointer_into, wanted.places or [""] * len(wanted.requests)), strict=True))


def _captured(case: _Case) -> CapturedHold | None:
    held = case.wanted.held
    return CapturedHold(held.account, held.taken_on, held.points) if held is not None else None


def _refuse_inactive(merchant: Merchant) -> None:
    """Refuses a merchant that signs nothing yet, or nothing any more. What a suspended one may do its kind says."""
    if merchant.status is MerchantStatus.PENDING:
        # It may have been active a moment ago, before its block fell out of the chain: nothing here is final.
        raise Unavailable(f"merchant {merchant.id} is not on the chain yet", code="merchant_pending")
    require_open(merchant)


def _refuse_duplicates(case: _Case, known: Collection[ReferenceKey]) -> None:
    """A merchant's document number has one effect, whatever the idempotency key."""
    keys = case.references()
    counts = Counter(keys)
    wrong = {key for key in keys if key in known or counts[key] > 1}
    if not wrong:
        return
    errors = tuple(
        FieldError(at("reference"), f"{request.reference} was used for another {request.kind.label} already")
        for request, at in case.placed
        if (case.wanted.merchant.number, int(request.kind), request.reference) in wrong
    )
    raise Conflict(f"{len(errors)} references were used already", code="duplicate_reference", errors=errors)


_NONCE_KEY = "orders_merchant_nonce_unique"


def _order(case: _Case, seq: int, fresh_id: str, at: datetime) -> OrderRow:
    assert case.signed is not None, "an accepted order is signed"
    order = case.signed.order
    return OrderRow(
        seq=seq,
        id=fresh_id,
        merchant_number=order.merchant,
        nonce=order.nonce,
        deadline=order.deadline,
        atomic=order.atomic,
        digest=case.signed.digest,
        size=len(case.drafts),
        state=OrderState.ACCEPTED,
        reason=None,
        transaction_id=None,
        block_number=None,
        created_at=at,
        settled_at=None,
    )


def _stored(case: _Case, order: OrderRow) -> dict[str, Any]:
    assert case.signed is not None, "an accepted order is signed"
    has_metadata = any(request.metadata is not None for request, _ in case.placed)
    return {
        **order._asdict(),
        "packed": case.signed.packed,
        "has_metadata": has_metadata,
        "traceparent": case.wanted.traceparent,
    }


_INSTRUCTION_COLUMNS = (
    *("order_seq", "item", "id", "merchant_number", "kind", "member_id", "address", "program", "agreement", "points"),
    *("min_out", "expiry_day", "link", "ref", "reference", "target_program", "giver", "receiver", "recipient_id"),
    *("original_id", "draws_address", "draws_program", "reserves", "payer", "pays", "uses", "live"),
)
_shown = itemgetter(*(_INSTRUCTION_COLUMNS.index(name) for name in InstructionRow._fields))


def _instructions(case: _Case, order: OrderRow) -> list[tuple[Any, ...]]:
    """The rows of an order's instructions, by `_INSTRUCTION_COLUMNS`."""
    ids = new_ids([kind_of(draft.instruction.kind).id_prefix for draft in case.drafts])
    items = enumerate(zip(case.drafts, case.reserved, ids, strict=True))
    return [
        _instruction(order.merchant_number, order.seq, item, draft, points, id)
        for item, (draft, points, id) in items  # noqa: A001
    ]


def _instruction(merchant: int, seq: int, item: int, draft: Draft, reserved: int, fresh_id: str) -> tuple[Any, ...]:
    wanted, sides, charge = draft.instruction, draft.sides, draft.charge
    assert merchant in sides[:2], "whoever signs gives or receives: lists of a merchant rely on it"
    address, program = draft.draw.account if draft.draw is not None else (None, None)
    use = charge.use if charge is not None else None
    return (
        seq,
        item,
        draft.movement or fresh_id,
        merchant,
        int(wanted.kind),
        draft.member.id,
        wanted.member,
        wanted.program,
        wanted.agreement,
        wanted.points,
        wanted.min_out,
        wanted.expiry_day,
        wanted.link,
        wanted.ref,
        draft.request.reference,
        sides.target_program,
        sides.giver,
        sides.receiver,
        draft.recipient,
        draft.original,
        address,
        program,
        reserved,
        charge.payer if charge is not None else None,
        charge.micros if charge is not None else 0,
        use.reserved if use is not None else 0,
        True,
    )
