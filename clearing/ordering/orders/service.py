"""Accepting orders: checked, signed, reserved and stored in the caller's one transaction. Nothing here commits."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from clearing.kit.bulk_insert import insert_all
from clearing.kit.config import Settings
from clearing.kit.errors import Conflict, FieldError, Forbidden, InvalidRequest, Refused, Unavailable
from clearing.kit.identity import NetworkIdentity
from clearing.kit.ids import new_id
from clearing.kit.signing.keyring import Keyring
from clearing.ledger.accounts.repository import AccountKey, AccountRepository
from clearing.ledger.settlement.repository import PositionRepository
from clearing.ordering.expiry.service import Expiration, ExpiryService, set_aside
from clearing.ordering.orders import limits
from clearing.ordering.orders.finalisation import order_event
from clearing.ordering.orders.models import Instruction, Order
from clearing.ordering.orders.repository import OrderRepository
from clearing.ordering.orders.requests import Authorization, InstructionRequest
from clearing.ordering.orders.resolution import Draft, Resolver
from clearing.parties.agreements.repository import UseRepository
from clearing.parties.merchants.models import Merchant, MerchantStatus, SignerKey
from tongdui import orders as wire

ID_PREFIX = {
    wire.Kind.ISSUE: "iss",
    wire.Kind.REDEEM: "red",
    wire.Kind.EXCHANGE: "exc",
    wire.Kind.SPEND: "spd",
    wire.Kind.TRANSFER: "trf",
    wire.Kind.REVERSE: "rev",
    wire.Kind.EXPIRE: "exp",
}


class OrderService:
    """Accepts the orders of merchants."""

    def __init__(self, session: Session, *, network: NetworkIdentity, keyring: Keyring, settings: Settings) -> None:
        self._session = session
        self._network = network
        self._keyring = keyring
        self._settings = settings
        self._orders = OrderRepository(session)

    def accept(
        self,
        merchant: Merchant,
        requests: list[InstructionRequest],
        *,
        atomic: bool,
        authorization: Authorization | None,
        actor: str,
        captured: Mapping[AccountKey, int] | None = None,
    ) -> Order:
        """Stores an order with its reservations, ready for the sequencer. `captured` are points of the hold that it comes from.

        Raises a ClearingError where it may not be: then the caller rolls back to where it called.
        """
        self._refuse_overload(merchant)
        drafts = Resolver(self._session, merchant, self._network).resolve_all(requests)
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
        """Sets `count` consecutive nonces aside for the merchant; the first of them."""
        locked = self._session.scalars(
            select(Merchant)
            .where(Merchant.number == merchant.number)
            .with_for_update(key_share=True)  # who only refers to the merchant (a hold does) need not wait
            .execution_options(populate_existing=True)
        ).one()
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

    def _refuse_oversized(self, drafts: list[Draft]) -> None:
        """What could not get into a transaction even alone would be found out by a failed batch, at everybody's cost."""
        kinds: Counter[int] = Counter(draft.wire.kind for draft in drafts)
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
                    draft.request.at("reference"),
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
        deadline = int(time.time()) + self._settings.managed_deadline
        return Authorization(self.reserve_nonces(merchant, 1), deadline, b"")

    def _managed_key(self, merchant: Merchant) -> SignerKey | None:
        at = int(time.time())
        return self._session.scalar(
            select(SignerKey).where(
                SignerKey.merchant_number == merchant.number,
                SignerKey.keystore.is_not(None),
                SignerKey.valid_from <= at,
                SignerKey.valid_until > at,
            )
        )

    def _order(self, merchant: Merchant, drafts: list[Draft], atomic: bool, authorization: Authorization) -> wire.Order:
        at = int(time.time())
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
            instructions=tuple(draft.wire for draft in drafts),
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
        found = self._session.get(SignerKey, signer.lower())
        live = found is not None and found.valid_from <= time.time() < found.valid_until
        if found is None or not live or found.merchant_number != merchant.number:
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
        """Sets the drafts' points aside; how many for each. Only an atomic order may use what it gains itself."""
        repository = AccountRepository(self._session)
        accounts = repository.lock((d.wire.member, d.wire.program) for d in drafts if d.burns)
        expired = self._admit_expirations(drafts)
        free = {key: account.available for key, account in accounts.items()}
        for key, points in set_aside(self._session, self._network, free, captured=captured, expired=expired).items():
            free[key] -= points
        gained: dict[AccountKey, int] = defaultdict(int)
        reserved: dict[AccountKey, int] = defaultdict(int)
        amounts = []
        for draft in drafts:
            amounts.append(self._reserve_one(draft, free, gained, reserved))
            if draft.gains is not None and atomic:
                program, points = draft.gains
                gained[draft.wire.member, program] += points
        repository.shift({key: (0, points) for key, points in reserved.items()})
        return amounts

    def _admit_expirations(self, drafts: list[Draft]) -> dict[AccountKey, int]:
        """Only points whose day has come may be burnt for it; how many of each account are."""
        expirations = [
            Expiration((draft.wire.member, draft.wire.program), draft.wire.points, draft.request.at("points"))
            for draft in drafts
            if draft.wire.kind is wire.Kind.EXPIRE
        ]
        if expirations:
            ExpiryService(self._session, network=self._network).admit(expirations)
        sums: dict[AccountKey, int] = defaultdict(int)
        for expiration in expirations:
            sums[expiration.account] += expiration.points
        return sums

    def _reserve_one(
        self,
        draft: Draft,
        free: dict[AccountKey, int],
        gained: dict[AccountKey, int],
        reserved: dict[AccountKey, int],
    ) -> int:
        if not draft.burns:
            return 0
        key = (draft.wire.member, draft.wire.program)
        own = min(gained[key], draft.wire.points)
        needed = draft.wire.points - own
        available = free.get(key, 0) - reserved[key]
        if needed > available:
            raise Refused.at(
                draft.request.at("points"),
                f"the member has {max(available, 0) + gained[key]} points available, {draft.wire.points} are needed",
                code="insufficient_points",
            )
        gained[key] -= own
        reserved[key] += needed
        return needed

    def _reserve_money(self, drafts: list[Draft]) -> None:
        """Sets aside what the drafts' payers will pay."""
        repository = PositionRepository(self._session)
        for payer in sorted({draft.payer for draft in drafts if draft.payer is not None}):
            mine = [draft for draft in drafts if draft.payer == payer]
            total = sum(draft.pays for draft in mine)
            position = repository.lock(payer)
            if total > position.liquidity:
                raise Refused(
                    f"the paying merchant needs {total} micros of liquidity and has {max(position.liquidity, 0)}: "
                    "a deposit or a higher credit limit mends it",
                    code="insufficient_liquidity",
                )
            position.reserved += total
        self._reserve_use(drafts)

    def _reserve_use(self, drafts: list[Draft]) -> None:
        """Sets aside what the drafts may use of daily caps. Nobody else does meanwhile: the payers' positions are locked."""
        uses = UseRepository(self._session)
        today = self._network.today()
        for agreement in sorted({draft.wire.agreement for draft in drafts if draft.payer is not None}):
            mine = [draft for draft in drafts if draft.wire.agreement == agreement]
            points = sum(draft.uses for draft in mine)
            left = mine[0].daily_cap - uses.of(agreement, today)
            if points > left:
                raise Refused.at(
                    mine[0].request.at("points"),
                    f"{max(left, 0)} points are left of today's cap of the agreement, {points} are needed",
                    code="over_daily_cap",
                )
            uses.add(agreement, UseRepository.PENDING, sum(draft.wire.points for draft in mine))

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
        self._session.add(row)
        try:
            self._session.flush()
            items = enumerate(zip(drafts, reserved, strict=True))
            rows = [_instruction(row, item, draft, points) for item, (draft, points) in items]
            insert_all(self._session, Instruction, rows)
        except IntegrityError as error:
            # Somebody else stored the same nonce or reference since we looked: the database is the duplicate check.
            raise Conflict(
                "another request with the same nonce or reference was accepted just now", code="duplicate_reference"
            ) from error
        self._session.add(order_event(row, actor))
        return row


def _instruction(order: Order, item: int, draft: Draft, reserved: int) -> dict[str, Any]:
    wanted = draft.wire
    return {
        "order_seq": order.seq,
        "item": item,
        "id": new_id(ID_PREFIX[wanted.kind]),
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
        "payer": draft.payer,
        "pays": draft.pays,
        "live": True,
    }
