"""Who signs an order: the merchant, or the gateway with a managed key. Both need a nonce reserved for the merchant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy.orm import Session

from clearing.kit.clock import clock_of
from clearing.kit.config import Settings
from clearing.kit.errors import Conflict, InvalidRequest, Refused
from clearing.kit.identity import NetworkIdentity
from clearing.kit.signing.managed_keys import ManagedKeys
from clearing.ordering.orders.dry_run import dry_run_of
from clearing.ordering.orders.models import OrderKey
from clearing.ordering.orders.repository import OrderRepository
from clearing.ordering.orders.requests import Authorization
from clearing.parties.merchants.directory import merchants_in
from clearing.parties.merchants.models import Merchant, SignerKey
from clearing.parties.merchants.repository import MerchantRepository
from tongdui import orders as wire

_NO_SIGNATURE = bytes(64)
"""In place of the signature of a dry run's order, where the merchant holds the key."""


class Signed(NamedTuple):
    """A signed order: its digest, and its bytes as they travel to the chain."""

    order: wire.Order
    digest: bytes
    packed: bytes
    is_managed: bool
    """Whether the gateway signed it, with the merchant's next nonce."""


class AuthorizationService:
    """Nonces and signatures in one transaction."""

    def __init__(self, session: Session, *, network: NetworkIdentity, keyring: ManagedKeys, settings: Settings) -> None:
        self._session = session
        self._network = network
        self._keyring = keyring
        self._settings = settings
        self._clock = clock_of(session)
        self._orders = OrderRepository(session)
        self._merchants = MerchantRepository(session)
        self._next: dict[int, int] = {}
        """By merchant: the first nonce that no order has reserved yet."""
        self._advanced: set[int] = set()
        """Merchants whose next nonce has changed."""
        self._taken: set[OrderKey] = set()
        """Nonces that orders have."""

    def reserve_nonces(self, merchant: Merchant, count: int) -> int:
        """Reserves `count` consecutive nonces for the merchant; the first of them. With 0 it only locks the merchant."""
        first = self._merchants.next_nonces([merchant.number], lock=True)[merchant.number]
        if count:
            self._merchants.set_next_nonces({merchant.number: first + count})
        return first

    def prepare(self, orders: Iterable[tuple[Merchant, Authorization | None]]) -> None:
        """Looks up the nonces for these orders, and locks the merchants for whom the gateway signs."""
        own: set[OrderKey] = set()
        managed: set[int] = set()
        for merchant, signed in orders:
            if signed is None:
                managed.add(merchant.number)
            else:
                own.add((merchant.number, signed.nonce))
        self._next = self._merchants.next_nonces(managed, lock=True)
        self._next |= self._merchants.next_nonces({number for number, _ in own} - managed, lock=False)
        self._taken = self._orders.taken_nonces(own)
        self._advanced = set()

    def signed(
        self,
        merchant: Merchant,
        instructions: Sequence[wire.Instruction],
        authorization: Authorization | None,
        *,
        atomic: bool,
    ) -> Signed:
        """The order with a signature that the chain will accept: the merchant's own, or one by its managed key."""
        given = authorization or self._managed(merchant)
        self._check(merchant, given)
        order = wire.Order(merchant.number, given.nonce, given.deadline, tuple(instructions), atomic)
        struct_hash = order.struct_hash()
        digest = self._network.domain.digest(struct_hash)
        signature = self._signature(merchant, struct_hash, digest, given)
        return Signed(order, digest, wire.SignedOrder(order, signature).calldata(), authorization is None)

    def use(self, signed: Signed) -> None:
        """Uses up the order's nonce: it is accepted."""
        merchant = signed.order.merchant
        self._taken.add((merchant, signed.order.nonce))
        if signed.is_managed:
            self._next[merchant] += 1
            self._advanced.add(merchant)

    def write(self) -> None:
        """Stores which nonces the merchants have used."""
        self._merchants.set_next_nonces({number: self._next[number] for number in sorted(self._advanced)})

    # ---------------------------------------------------------------- one order

    def _managed(self, merchant: Merchant) -> Authorization:
        """A nonce and a deadline for an order that the gateway will sign. Raises InvalidRequest where it keeps no key.

        In a dry run it need not keep one, because the order goes nowhere.
        """
        key = self._managed_key(merchant)
        if key is not None and not self._keyring.are_kept:
            detail = "this gateway signs with no keys of merchants: sign the order and send `authorization`"
            raise Refused.at("/authorization", detail, code="managed_keys_off")
        if key is None and dry_run_of(self._session) is None:
            raise InvalidRequest.at(
                "/authorization",
                "this merchant holds its own key: sign the order and send `authorization`",
                code="signature_required",
            )
        return Authorization(self._next[merchant.number], self._clock.unix() + self._settings.managed_deadline, b"")

    def _check(self, merchant: Merchant, given: Authorization) -> None:
        """Refuses a nonce or a deadline that cannot be used."""
        at = self._clock.unix()
        if given.deadline <= at:
            raise Refused.at("/authorization/deadline", "the deadline has passed; sign again", code="deadline_passed")
        if given.deadline > at + self._settings.max_deadline:
            detail = f"the deadline may be at most {self._settings.max_deadline} seconds away"
            raise Refused.at("/authorization/deadline", detail, code="deadline_too_far")
        if given.signature and given.nonce >= self._next[merchant.number]:
            detail = "this nonce was not reserved; reserve one with POST /v1/nonces"
            raise InvalidRequest.at("/authorization/nonce", detail, code="nonce_not_reserved")
        if (merchant.number, given.nonce) in self._taken:
            detail = "an order with this nonce was accepted before"
            raise Conflict.at("/authorization/nonce", detail, code="nonce_used")

    def _signature(self, merchant: Merchant, struct_hash: bytes, digest: bytes, given: Authorization) -> bytes:
        if not given.signature:
            key = self._managed_key(merchant)
            if key is None and dry_run_of(self._session) is not None:
                return _NO_SIGNATURE
            assert key is not None, "`_managed` found one in this transaction"
            assert key.keystore is not None, "a managed key has a keystore"
            return self._keyring.sign(key.address, key.keystore, self._network.domain.preimage(struct_hash))
        try:
            signer = wire.recover_signer(digest, given.signature)
        except ValueError as error:
            raise InvalidRequest.at("/authorization/signature", str(error), code="wrong_signer") from error
        if merchants_in(self._session).live_key(merchant.number, signer.lower(), self._clock.unix()) is None:
            detail = (
                f"the signature is by {signer}, which is not a live key of {merchant.id}: "
                "either another key signed, or the merchant signed something other than this request"
            )
            raise Refused.at("/authorization/signature", detail, code="wrong_signer")
        return given.signature

    def _managed_key(self, merchant: Merchant) -> SignerKey | None:
        return merchants_in(self._session).managed_key(merchant.number, self._clock.unix())
