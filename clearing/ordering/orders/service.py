"""Accepting orders: checked, signed, reserved and stored in the caller's one transaction. Nothing here commits."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from clearing.kit.clock import clock_of
from clearing.kit.config import Settings
from clearing.kit.errors import (
    Conflict,
    FieldError,
    Forbidden,
    InvalidRequest,
    Refused,
    Unavailable,
    pointer_into,
)
from clearing.kit.identity import NetworkIdentity
from clearing.kit.ids import new_id
from clearing.kit.signing.keyring import Keyring
from clearing.ledger.accounts.repository import AccountKey, AccountRepository, Balance
from clearing.ledger.availability.service import AvailabilityService
from clearing.ledger.settlement.repository import PositionRepository
from clearing.ledger.settlement.service import require_liquidity
from clearing.ordering.orders import limits
from clearing.ordering.orders.finalisation import record_state
from clearing.ordering.orders.kinds import kind_of
from clearing.ordering.orders.models import Order
from clearing.ordering.orders.repository import OrderRepository
from clearing.ordering.orders.requests import Authorization, InstructionRequest
from clearing.ordering.orders.resolution import Draft, Resolver
from clearing.parties.agreements.usability import UsabilityService
from clearing.parties.merchants.models import Merchant, MerchantStatus, SignerKey
from clearing.parties.merchants.repository import MerchantRepository
from tongdui import orders as wire


class OrderService:
    """Accepts the orders of merchants."""

    def __init__(self, session: Session, *, network: NetworkIdentity, keyring: Keyring, settings: Settings) -> None:
        self._session = session
        self._network = network
        self._keyring = keyring
        self._settings = settings
        self._clock = clock_of(session)
        self._orders = OrderRepository(session)
        self._merchants = MerchantRepository(session)

    def accept(
        self,
        merchant: Merchant,
        requests: Sequence[InstructionRequest],
        *,
        authorization: Authorization | None,
        actor: str,
        atomic: bool = False,
        places: Sequence[str] | None = None,
        captured: Mapping[AccountKey, int] | None = None,
    ) -> Order:
        """Stores an order with its reservations, ready for the sequencer.

        `places` are JSON pointers to where the requests stand in the caller's body; by default there is one, and it is the body.
        `captured` are points of the hold that the order comes from. Raises a ClearingError where the order may not be: then the
        caller rolls back to where it called.
        """
        self._refuse_overload(merchant)
        drafts = self._resolved(merchant, requests, places or [""] * len(requests))
        self._refuse_oversized(drafts)
        self._refuse_duplicates(merchant, drafts)
        authorization = authorization or self._managed_authorization(merchant)
        order = self._order(merchant, drafts, atomic, authorization)
        signed_by = self._check_signature(merchant, order, authorization)
        reserved = self._reserve_points(drafts, atomic, captured)
        row = self._store(order, signed_by, drafts, reserved, actor)
        self._reserve_money(drafts)  # last, because everybody who pays from this position waits for it
        return row

    def reserve_nonces(self, merchant: Merchant, count: int) -> int:
        """Reserves `count` consecutive nonces for the merchant; the first of them. With 0 it only locks the merchant."""
        locked = self._merchants.lock(merchant.number)
        first = locked.next_nonce
        locked.next_nonce = first + count
        self._session.flush()
        return first

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

    def _resolved(
        self, merchant: Merchant, requests: Sequence[InstructionRequest], places: Sequence[str]
    ) -> list[Draft]:
        resolver = Resolver(self._session, merchant, self._network)
        resolver.prepare(requests)
        drafts = []
        for request, place in zip(requests, places, strict=True):
            at = pointer_into(place)
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

    def _refuse_duplicates(self, merchant: Merchant, drafts: list[Draft]) -> None:
        """A merchant's document number has one effect, whatever the idempotency key."""
        by_kind: dict[wire.Kind, list[Draft]] = defaultdict(list)
        for draft in drafts:
            if draft.request.reference is not None:
                by_kind[draft.request.kind].append(draft)
        errors = []
        for kind, some in by_kind.items():
            counts = Counter(draft.request.reference for draft in some)
            known = self._orders.live_references(
                merchant.number, kind, [reference for reference in counts if reference]
            )
            errors += [
                FieldError(
                    draft.at("reference"),
                    f"{draft.request.reference} was used for another {kind.label} already",
                )
                for draft in some
                if draft.request.reference in known or counts[draft.request.reference] > 1
            ]
        if errors:
            raise Conflict(
                f"{len(errors)} references were used already", code="duplicate_reference", errors=tuple(errors)
            )

    # ---------------------------------------------------------------- signature

    def _managed_authorization(self, merchant: Merchant) -> Authorization:
        """A nonce and a deadline for an order that the gateway will sign."""
        if self._managed_key(merchant) is None:
            raise InvalidRequest.at(
                "/authorization",
                "this merchant holds its own key: sign the order and send `authorization`",
                code="signature_required",
            )
        deadline = self._clock.unix() + self._settings.managed_deadline
        return Authorization(self.reserve_nonces(merchant, 1), deadline, b"")

    def _managed_key(self, merchant: Merchant) -> SignerKey | None:
        return self._merchants.managed_key(merchant.number, self._clock.unix())

    def _order(self, merchant: Merchant, drafts: list[Draft], atomic: bool, authorization: Authorization) -> wire.Order:
        at = self._clock.unix()
        if authorization.deadline <= at:
            raise Refused.at("/authorization/deadline", "the deadline has passed; sign again", code="deadline_passed")
        if authorization.deadline > at + self._settings.max_deadline:
            detail = f"the deadline may be at most {self._settings.max_deadline} seconds away"
            raise Refused.at("/authorization/deadline", detail, code="deadline_too_far")
        if authorization.nonce >= merchant.next_nonce:
            detail = "this nonce was not reserved; take one with POST /v1/nonces"
            raise InvalidRequest.at("/authorization/nonce", detail, code="nonce_not_reserved")
        if self._orders.nonce_taken(merchant.number, authorization.nonce):
            raise Conflict.at(
                "/authorization/nonce", "an order with this nonce was accepted already", code="nonce_used"
            )
        return wire.Order(
            merchant=merchant.number,
            nonce=authorization.nonce,
            deadline=authorization.deadline,
            instructions=tuple(draft.instruction for draft in drafts),
            atomic=atomic,
        )

    def _check_signature(self, merchant: Merchant, order: wire.Order, authorization: Authorization) -> wire.SignedOrder:
        """The order with a signature that the chain will accept: the merchant's own, or one by its managed key."""
        digest = order.digest(self._network.domain)
        if not authorization.signature:
            key = self._managed_key(merchant)
            assert key is not None
            assert key.keystore is not None
            return wire.SignedOrder(order, self._keyring.sign(key.keystore, digest))
        try:
            signer = wire.recover_signer(digest, authorization.signature)
        except ValueError as error:
            raise InvalidRequest.at("/authorization/signature", str(error), code="wrong_signer") from error
        if self._merchants.live_key(merchant.number, signer.lower(), self._clock.unix()) is None:
            detail = (
                f"the signature is by {signer}, which is not a live key of {merchant.id}: "
                "either another key signed, or what was signed differs from this request"
            )
            raise Refused.at("/authorization/signature", detail, code="wrong_signer")
        return wire.SignedOrder(order, authorization.signature)

    # ---------------------------------------------------------------- reservations

    def _reserve_points(
        self, drafts: list[Draft], atomic: bool, captured: Mapping[AccountKey, int] | None
    ) -> list[int]:
        """Reserves the drafts' points; how many for each. Only an atomic order may use what it gains itself."""
        availability = AvailabilityService(self._session, network=self._network)
        accounts = {draft.account for draft in drafts if draft.burns}
        balances = availability.lock(accounts)
        burning = self._admit(drafts, availability)
        found = availability.of(accounts, balances=balances, captured=captured, burning=burning)
        free = {account: availability.available for account, availability in found.items()}
        gained: dict[AccountKey, int] = defaultdict(int)
        reserved = []
        for draft in drafts:
            reserved.append(self._reserve_one(draft, free, gained) if draft.burns else 0)
            if draft.gain is not None and atomic:
                gained[draft.instruction.member, draft.gain.program] += draft.gain.points
        AccountRepository(self._session).add(reservations(drafts, reserved))
        return reserved

    def _admit(self, drafts: list[Draft], availability: AvailabilityService) -> dict[AccountKey, int]:
        """Each kind's last look at its drafts, with their accounts locked; the expired points that the order may burn."""
        by_kind: dict[wire.Kind, list[Draft]] = defaultdict(list)
        for draft in drafts:
            by_kind[draft.request.kind].append(draft)
        burning: Counter[AccountKey] = Counter()
        for kind, some in by_kind.items():
            burning.update(kind_of(kind).admit(self._session, availability, some))
        return burning

    @staticmethod
    def _reserve_one(draft: Draft, free: dict[AccountKey, int], gained: dict[AccountKey, int]) -> int:
        account, points = draft.account, draft.instruction.points
        own = min(gained[account], points)
        needed = points - own
        if needed > free[account]:
            raise Refused.at(
                draft.at("points"),
                f"the member has {max(free[account], 0) + gained[account]} points available, {points} are needed",
                code="insufficient_points",
            )
        gained[account] -= own
        free[account] -= needed
        return needed

    def _reserve_money(self, drafts: list[Draft]) -> None:
        """Reserves what the drafts' payers will pay, and what the drafts may use of daily caps."""
        positions = PositionRepository(self._session)
        charges = [draft.charge for draft in drafts if draft.charge is not None]
        for payer in sorted({charge.payer for charge in charges}):
            micros = sum(charge.micros for charge in charges if charge.payer == payer)
            position = positions.lock(payer)
            require_liquidity(position, micros)
            position.reserved += micros
        self._reserve_caps([draft for draft in drafts if draft.charge is not None])

    def _reserve_caps(self, drafts: list[Draft]) -> None:
        """Nobody else reserves of these caps meanwhile: the payers' positions are locked."""
        usability = UsabilityService(self._session, network=self._network)
        for agreement in sorted({draft.instruction.agreement for draft in drafts}):
            mine = [draft for draft in drafts if draft.instruction.agreement == agreement]
            charges = [draft.charge for draft in mine if draft.charge is not None]
            burnt = sum(charge.burnt for charge in charges)
            usability.require_left_today(agreement, charges[0].daily_cap, burnt, mine[0].at("points"))
            usability.reserve(agreement, sum(draft.instruction.points for draft in mine))

    # ---------------------------------------------------------------- storing

    def _store(
        self, order: wire.Order, signed: wire.SignedOrder, drafts: list[Draft], reserved: list[int], actor: str
    ) -> Order:
        row = Order(
            id=new_id("ord"),
            merchant_number=order.merchant,
            nonce=order.nonce,
            deadline=order.deadline,
            atomic=order.atomic,
            digest=order.digest(self._network.domain),
            packed=signed.calldata(),
            size=len(drafts),
        )
        try:
            self._orders.add(row)
            items = enumerate(zip(drafts, reserved, strict=True))
            self._orders.add_instructions([_instruction(row, item, draft, points) for item, (draft, points) in items])
        except IntegrityError as error:
            # Somebody else stored the same nonce or reference since we looked: the database is the duplicate check.
            raise Conflict(
                "another request with the same nonce or reference was accepted just now", code="duplicate_reference"
            ) from error
        record_state(self._session, row, actor)
        return row


def reservations(drafts: Sequence[Draft], reserved: Sequence[int]) -> dict[AccountKey, Balance]:
    """What an order's drafts add to their accounts, of which each reserves so many points."""
    changes: dict[AccountKey, Balance] = defaultdict(Balance)
    for draft, points in zip(drafts, reserved, strict=True):
        if draft.burns:
            expiring = draft.instruction.points if draft.request.kind is wire.Kind.EXPIRE else 0
            changes[draft.account] = changes[draft.account].plus(Balance(reserved=points, expiring=expiring))
    return changes


def _instruction(order: Order, item: int, draft: Draft, reserved: int) -> dict[str, Any]:
    wanted = draft.instruction
    return {
        "order_seq": order.seq,
        "item": item,
        "id": new_id(kind_of(wanted.kind).id_prefix),
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
        "reserves": reserved,
        "payer": draft.charge.payer if draft.charge else None,
        "pays": draft.charge.micros if draft.charge else 0,
        "live": True,
    }
