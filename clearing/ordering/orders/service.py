"""Accepting orders: checked, signed, reserved and stored in the caller's one transaction. Nothing here commits."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any, TypeAlias

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from clearing.kit.config import Settings
from clearing.kit.errors import (
    Conflict,
    FieldError,
    Forbidden,
    InvalidRequest,
    NotFound,
    Pointer,
    Unavailable,
    pointer_into,
)
from clearing.kit.identity import NetworkIdentity
from clearing.kit.ids import new_id, new_ids
from clearing.kit.json_values import compact
from clearing.kit.signing.keyring import Keyring
from clearing.ledger.availability.due import CapturedHold
from clearing.ordering.orders import limits
from clearing.ordering.orders.authorization import AuthorizationService
from clearing.ordering.orders.dry_run import dry_run_of
from clearing.ordering.orders.events import OrderEvents
from clearing.ordering.orders.kinds import kind_of
from clearing.ordering.orders.models import InstructionRow, Order
from clearing.ordering.orders.repository import OrderRepository
from clearing.ordering.orders.requests import Authorization, InstructionRequest
from clearing.ordering.orders.reservation import ReservationService
from clearing.ordering.orders.resolution import Draft, Held, Resolver
from clearing.parties.merchants.models import Merchant, MerchantStatus
from tongdui import orders as wire

Placed: TypeAlias = tuple[InstructionRequest, Pointer]
"""A request, and the pointers to its fields."""


class OrderService:
    """Accepts the orders of merchants."""

    def __init__(self, session: Session, *, network: NetworkIdentity, keyring: Keyring, settings: Settings) -> None:
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
    ) -> Order:
        """Stores an order with its reservations, ready for the sequencer.

        `places` are JSON pointers to where the requests stand in the caller's body; by default there is one, and it is the body.
        `held` is the hold that the order comes from: the order says on which day it was taken. Raises a ClearingError where the
        order may not be: then the caller rolls back to where it called.
        """
        self._refuse_overload(merchant)
        placed = list(zip(requests, map(pointer_into, places or [""] * len(requests)), strict=True))
        self._refuse_duplicates(merchant, placed)  # first: its member code is used up, which says less about why
        drafts = self._resolved(merchant, placed, actor, held)
        self._refuse_oversized(drafts)
        authorization = authorization or self._authorizations.managed(merchant)
        wanted = [draft.instruction for draft in drafts]
        order = self._authorizations.order(merchant, wanted, authorization, atomic=atomic)
        digest = order.digest(self._network.domain)
        signed = wire.SignedOrder(order, self._authorizations.sign(merchant, digest, authorization))
        reservations = ReservationService(self._session, network=self._network)
        captured = CapturedHold(held.account, held.taken_on, held.points) if held is not None else None
        reserved = reservations.reserve_points(merchant, drafts, atomic=atomic, captured=captured)
        row, instructions = self._store(signed, digest, drafts, reserved)
        reservations.reserve_charges(drafts, merchant.number)
        if (dry_run := dry_run_of(self._session)) is not None:
            dry_run.outcomes += [draft.outcome for draft in drafts]
        # Last: a refusal after this would leave a gap in the events' numbers, for which their readers wait.
        OrderEvents(self._session).accepted(row, instructions, actor)
        return row

    def reserve_nonces(self, merchant: Merchant, count: int) -> int:
        """Reserves `count` consecutive nonces for the merchant; the first of them. With 0 it only locks the merchant."""
        return self._authorizations.reserve_nonces(merchant, count)

    # ---------------------------------------------------------------- checks

    def _refuse_overload(self, merchant: Merchant) -> None:
        if merchant.status is MerchantStatus.PENDING:
            # It may have been active a moment ago, before its block fell out of the chain: nothing here is final.
            raise Unavailable(f"merchant {merchant.id} is not on the chain yet", code="merchant_pending")
        if merchant.status not in (MerchantStatus.ACTIVE, MerchantStatus.SUSPENDED):
            raise Forbidden(f"merchant {merchant.id} is {merchant.status}", code="merchant_suspended")
        waiting = self._orders.queued_instructions()
        if waiting >= self._settings.queue_limit:
            raise Unavailable(f"{waiting} instructions are waiting for the chain", code="queue_full", retry_after=2)

    def _resolved(self, merchant: Merchant, placed: Sequence[Placed], actor: str, held: Held | None) -> list[Draft]:
        resolver = Resolver(self._session, merchant, self._network, actor, held)
        resolver.prepare([request for request, _ in placed])
        drafts = []
        for request, at in placed:
            resolver.require_points(request, at)
            drafts.append(kind_of(request.kind).resolve(resolver, request, at))
        return drafts

    def _refuse_oversized(self, drafts: list[Draft]) -> None:
        """An order that no transaction can hold would be found out by a failed batch, at everybody's cost."""
        kinds: Counter[int] = Counter(draft.instruction.kind for draft in drafts)
        if not limits.fits_alone(kinds, self._settings.batch_max_gas):
            counts = ", ".join(f"{count} of kind {wire.Kind(kind).label}" for kind, count in kinds.items())
            detail = f"{counts} may not fit into one transaction of the chain; make several orders of it"
            raise InvalidRequest.at("/instructions", detail, code="order_too_large")

    def _refuse_duplicates(self, merchant: Merchant, placed: Sequence[Placed]) -> None:
        """A merchant's document number has one effect, whatever the idempotency key."""
        by_kind: dict[wire.Kind, list[Placed]] = defaultdict(list)
        for request, at in placed:
            if request.reference is not None:
                by_kind[request.kind].append((request, at))
        errors = []
        for kind, some in by_kind.items():
            counts = Counter(request.reference for request, _ in some)
            known = self._orders.live_references(
                merchant.number, kind, [reference for reference in counts if reference]
            )
            errors += [
                FieldError(at("reference"), f"{request.reference} was used for another {kind.label} already")
                for request, at in some
                if request.reference in known or counts[request.reference] > 1
            ]
        if errors:
            raise Conflict(
                f"{len(errors)} references were used already", code="duplicate_reference", errors=tuple(errors)
            )

    # ---------------------------------------------------------------- storing

    def _store(
        self, signed: wire.SignedOrder, digest: bytes, drafts: list[Draft], reserved: list[int]
    ) -> tuple[Order, list[InstructionRow]]:
        order = signed.order
        metadata = {
            item: draft.request.metadata for item, draft in enumerate(drafts) if draft.request.metadata is not None
        }
        row = Order(
            id=new_id("ord"),
            merchant_number=order.merchant,
            nonce=order.nonce,
            deadline=order.deadline,
            atomic=order.atomic,
            digest=digest,
            packed=signed.calldata(),
            size=len(drafts),
            has_metadata=bool(metadata),
        )
        try:
            self._orders.add(row)
            ids = new_ids([kind_of(draft.instruction.kind).id_prefix for draft in drafts])
            items = enumerate(zip(drafts, reserved, ids, strict=True))
            rows = [_instruction(row, item, draft, points, id) for item, (draft, points, id) in items]  # noqa: A001
            self._orders.add_instructions(rows)
            self._orders.add_metadata({(row.seq, item): compact(content) for item, content in metadata.items()})
        except IntegrityError as error:
            if _MEMBER_KEY in str(error.orig):
                detail = "a member was erased just now; ask for what is left to do once more"
                raise NotFound(detail, code="unknown_member") from error
            # Somebody else stored the same nonce or reference since we looked: the database is the duplicate check.
            raise Conflict(
                "another request with the same nonce or reference was accepted just now", code="duplicate_reference"
            ) from error
        return row, [InstructionRow(*(values[name] for name in InstructionRow._fields)) for values in rows]


_MEMBER_KEY = "instructions_member_id_fkey"
"""The foreign key that says that an instruction's member exists."""


def _instruction(order: Order, item: int, draft: Draft, reserved: int, fresh_id: str) -> dict[str, Any]:
    wanted = draft.instruction
    assert order.merchant_number in draft.sides[:2], "whoever signs gives or receives: lists of a merchant rely on it"
    return {
        "order_seq": order.seq,
        "item": item,
        "id": draft.movement or fresh_id,
        "merchant_number": order.merchant_number,
        "kind": int(wanted.kind),
        "member_id": draft.member.id,
        "address": wanted.member,
        "program": wanted.program,
        "agreement": wanted.agreement,
        "points": wanted.points,
        "min_out": wanted.min_out,
        "expiry_day": wanted.expiry_day,
        "link": wanted.link,
        "ref": wanted.ref,
        "reference": draft.request.reference,
        "target_program": draft.sides.target_program,
        "giver": draft.sides.giver,
        "receiver": draft.sides.receiver,
        "recipient_id": draft.recipient,
        "original_id": draft.original,
        "draws_address": draft.draw.account[0] if draft.draw else None,
        "draws_program": draft.draw.account[1] if draft.draw else None,
        "reserves": reserved,
        "payer": draft.charge.payer if draft.charge else None,
        "pays": draft.charge.micros if draft.charge else 0,
        "uses": draft.cap_use.reserved if draft.cap_use else 0,
        "live": True,
    }
