"""Rules of merchants: onboarding, who may take part, and what the chain can hold."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from eth_utils.address import is_checksum_address, is_hex_address
from sqlalchemy.orm import Session

from clearing.chain.calls.service import request_call
from clearing.kit.clock import clock_of
from clearing.kit.errors import Conflict, Forbidden, InvalidRequest, NotFound, Refused
from clearing.kit.events.changes import changed_from
from clearing.kit.events.recorder import EventRecorder
from clearing.kit.ids import new_id
from clearing.kit.signing.managed_keys import ManagedKeys
from clearing.kit.signing.remote import is_reference
from clearing.parties.merchants.directory import merchants_in
from clearing.parties.merchants.models import Merchant, MerchantStatus, SignerKey
from clearing.parties.merchants.repository import MerchantRepository
from tongdui.encoding import hex_of, text_word
from tongdui.orders import ZERO_ADDRESS

MAX_MICROS = 2**95 - 1
"""The largest position or credit limit that the contract can hold."""


class MerchantService:
    """Merchants in one transaction."""

    def __init__(self, session: Session, *, keyring: ManagedKeys) -> None:
        self._session = session
        self._keyring = keyring
        self._merchants = MerchantRepository(session)

    def register(self, *, name: str, signer_address: str | None, credit_limit_micros: int, actor: str) -> Merchant:
        """Onboards a merchant. Without a `signer_address` the gateway creates and keeps its key."""
        check_chain_text(name, "/name")
        check_micros(credit_limit_micros, "/credit_limit_micros", least=0)
        key = self._managed_key() if signer_address is None else self._own_key(signer_address)
        merchant = Merchant(number=self._merchants.next_number(), id=new_id("mer"), name=name)
        self._refuse_taken(key)  # only now: next_number keeps others from registering
        key.merchant_number = merchant.number
        self._merchants.add(merchant, key)
        request_call(
            self._session,
            "operator",
            "registerMerchant",
            [merchant.number, hex_of(text_word(name)), key.address, credit_limit_micros],
            merchant.id,
        )
        EventRecorder(self._session).record(
            "merchant.registered",
            merchant.id,
            actor=actor,
            merchants=[merchant.number],
            data={"name": name, "signer": key.address, "credit_limit_micros": credit_limit_micros},
        )
        return merchant

    def list(self, *, after: str | None, limit: int) -> Sequence[Merchant]:
        """The network's merchants, newest first."""
        return self._merchants.list(after=after, limit=limit)

    def _managed_key(self) -> SignerKey:
        if not self._keyring.are_kept:
            detail = "this gateway keeps no keys of merchants: make one with `tongdui key new`, and send its address"
            raise Refused.at("/signer_address", detail, code="managed_keys_off")
        address, keystore = self._keyring.create()
        return SignerKey(address=address, keystore=keystore)

    @staticmethod
    def _own_key(address: str) -> SignerKey:
        return SignerKey(address=checked_address(address, "/signer_address"))

    def _refuse_taken(self, key: SignerKey) -> None:
        if self._merchants.key(key.address) is not None:
            raise Conflict.at("/signer_address", "this key already belongs to a merchant", code="key_taken")


def keep_elsewhere(session: Session, key: SignerKey, reference: str, actor: str) -> None:
    """Lets the gateway sign with a merchant's key that somebody else keeps. If it kept the key itself, it does so no longer."""
    before, key.keystore = key.keystore, reference
    merchant = merchant_by_number(session, key.merchant_number)
    EventRecorder(session).record(
        "merchant.key_kept_elsewhere",
        merchant.id,
        actor=actor,
        merchants=[merchant.number],
        data={"signer": key.address, **changed_from({"kept_by": _keeper(before)}, {"kept_by": reference})},
    )


def _keeper(kept: str | None) -> str | None:
    """Who keeps a key, without the key. None: not for the gateway."""
    return kept if kept is None or is_reference(kept) else "gateway"


def require_merchant(session: Session, merchant_id: str, pointer: str | None = None) -> Merchant:
    """The merchant with this id, or NotFound. `pointer` says where in the body the request named it."""
    merchant = merchants_in(session).by_id(merchant_id)
    if merchant is None:
        raise NotFound.of("merchant", f"there is no merchant {merchant_id}", pointer)
    return merchant


def merchant_by_number(session: Session, number: int) -> Merchant:
    """The merchant with this number. It exists: the number comes from a column with a foreign key."""
    merchant = merchants_in(session).by_number(number)
    assert merchant is not None, number
    return merchant


def merchants_by_id(session: Session, ids: Collection[str]) -> Sequence[Merchant]:
    """The merchants with these ids; everyone may know them."""
    return MerchantRepository(session).by_ids(ids)


def signers_of(session: Session, merchants: Sequence[Merchant]) -> Mapping[int, SignerKey]:
    """Each merchant's newest key that may sign now, by the merchant's number."""
    numbers = [merchant.number for merchant in merchants]
    return MerchantRepository(session).newest_keys(numbers, clock_of(session).unix())


def signer_of(session: Session, merchant: Merchant) -> SignerKey | None:
    """The merchant's newest key that may sign now."""
    return MerchantRepository(session).newest_key(merchant.number, clock_of(session).unix())


def require_participating(merchant: Merchant) -> None:
    """Refuses a merchant that is suspended or closed."""
    require_open(merchant)
    if merchant.status is MerchantStatus.SUSPENDED:
        raise Forbidden(f"merchant {merchant.id} is suspended", code="merchant_suspended")


def require_open(merchant: Merchant) -> None:
    """Refuses a merchant that is closed: it signs nothing any more."""
    if merchant.status is MerchantStatus.CLOSED:
        raise Forbidden(f"merchant {merchant.id} is closed", code="merchant_closed")


def checked_address(address: str, pointer: str) -> str:
    """A key's address in lower case. In mixed case its EIP-55 checksum must be right."""
    mixed = address[2:] not in (address[2:].lower(), address[2:].upper())
    if not address.startswith("0x") or not is_hex_address(address):
        raise InvalidRequest.at(pointer, "must be 0x and 40 hexadecimal digits")
    if mixed and not is_checksum_address(address):
        raise InvalidRequest.at(pointer, "has a wrong checksum (EIP-55); is there a typo?")
    if address == ZERO_ADDRESS:
        raise InvalidRequest.at(pointer, "is the zero address, which cannot sign")
    return address.lower()


def check_chain_text(text: str, pointer: str) -> None:
    """Refuses text of more than the 32 bytes that the chain stores."""
    size = len(text.encode())
    if size > 32:
        raise InvalidRequest.at(pointer, f"is {size} bytes long in UTF-8; the chain stores at most 32")


def check_micros(micros: int, pointer: str, *, least: int) -> None:
    """Refuses an amount that the contract cannot hold."""
    if not least <= micros <= MAX_MICROS:
        raise InvalidRequest.at(pointer, f"must be from {least} to {MAX_MICROS} micros")
