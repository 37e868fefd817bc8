"""Who signs an order: the merchant, or the gateway with a managed key. Both need a nonce reserved for the merchant."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from clearing.kit.clock import clock_of
from clearing.kit.config import Settings
from clearing.kit.errors import Conflict, InvalidRequest, Refused
from clearing.kit.identity import NetworkIdentity
from clearing.kit.signing.keyring import Keyring
from clearing.ordering.orders.dry_run import dry_run_of
from clearing.ordering.orders.repository import OrderRepository
from clearing.ordering.orders.requests import Authorization
from clearing.parties.merchants.models import Merchant, SignerKey
from clearing.parties.merchants.repository import MerchantRepository
from tongdui import orders as wire

_NO_SIGNATURE = bytes(64)
"""In place of the signature of a dry run's order, where the merchant holds the key."""


class AuthorizationService:
    """Nonces and signatures in one transaction."""

    def __init__(self, session: Session, *, network: NetworkIdentity, keyring: Keyring, settings: Settings) -> None:
        self._session = session
        self._network = network
        self._keyring = keyring
        self._settings = settings
        self._clock = clock_of(session)
        self._orders = OrderRepository(session)
        self._merchants = MerchantRepository(session)

    def reserve_nonces(self, merchant: Merchant, count: int) -> int:
        """Reserves `count` consecutive nonces for the merchant; the first of them. With 0 it only locks the merchant."""
        locked = self._merchants.lock(merchant.number)
        first = locked.next_nonce
        locked.next_nonce = first + count
        self._session.flush()
        return first

    def managed(self, merchant: Merchant) -> Authorization:
        """A nonce and a deadline for an order that the gateway will sign. Raises InvalidRequest where it keeps no key.

        In a dry run it need not keep one, because the order goes nowhere.
        """
        if self._managed_key(merchant) is None and dry_run_of(self._session) is None:
            raise InvalidRequest.at(
                "/authorization",
                "this merchant holds its own key: sign the order and send `authorization`",
                code="signature_required",
            )
        deadline = self._clock.unix() + self._settings.managed_deadline
        return Authorization(self.reserve_nonces(merchant, 1), deadline, b"")

    def order(
        self,
        merchant: Merchant,
        instructions: Sequence[wire.Instruction],
        authorization: Authorization,
        *,
        atomic: bool,
    ) -> wire.Order:
        """The order that the merchant signs, if its nonce and deadline can be used."""
        at = self._clock.unix()
        if authorization.deadline <= at:
            raise Refused.at("/authorization/deadline", "the deadline has passed; sign again", code="deadline_passed")
        if authorization.deadline > at + self._settings.max_deadline:
            detail = f"the deadline may be at most {self._settings.max_deadline} seconds away"
            raise Refused.at("/authorization/deadline", detail, code="deadline_too_far")
        if authorization.nonce >= merchant.next_nonce:
            detail = "this nonce was not reserved; reserve one with POST /v1/nonces"
            raise InvalidRequest.at("/authorization/nonce", detail, code="nonce_not_reserved")
        if self._orders.nonce_taken(merchant.number, authorization.nonce):
            detail = "an order with this nonce was accepted before"
            raise Conflict.at("/authorization/nonce", detail, code="nonce_used")
        return wire.Order(merchant.number, authorization.nonce, authorization.deadline, tuple(instructions), atomic)

    def sign(self, merchant: Merchant, digest: bytes, authorization: Authorization) -> bytes:
        """A signature of the order's digest that the chain will accept: the merchant's own, or one by its managed key."""
        if not authorization.signature:
            key = self._managed_key(merchant)
            if key is None and dry_run_of(self._session) is not None:
                return _NO_SIGNATURE
            assert key is not None, "`managed` found one in this transaction"
            assert key.keystore is not None, "a managed key has a keystore"
            return self._keyring.sign(key.keystore, digest)
        try:
            signer = wire.recover_signer(digest, authorization.signature)
        except ValueError as error:
            raise InvalidRequest.at("/authorization/signature", str(error), code="wrong_signer") from error
        if self._merchants.live_key(merchant.number, signer.lower(), self._clock.unix()) is None:
            detail = (
                f"the signature is by {signer}, which is not a live key of {merchant.id}: "
                "either another key signed, or the merchant signed something other than this request"
            )
            raise Refused.at("/authorization/signature", detail, code="wrong_signer")
        return authorization.signature

    def _managed_key(self, merchant: Merchant) -> SignerKey | None:
        return self._merchants.managed_key(merchant.number, self._clock.unix())
