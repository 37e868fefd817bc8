"""Merchants and their signer keys, in memory and current: every order needs some."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from sqlalchemy.orm import Session

from clearing.kit.reference.directory import Directory, rows_of
from clearing.parties.merchants.models import Merchant, SignerKey


class MerchantDirectory:
    """All merchants, without `next_nonce`, and their keys."""

    def __init__(self, merchants: Iterable[Merchant], keys: Iterable[SignerKey]) -> None:
        self._by_number = {merchant.number: merchant for merchant in merchants}
        self._by_id = {merchant.id: merchant for merchant in self._by_number.values()}
        self._keys = {key.address: key for key in keys}
        self._keys_of: dict[int, list[SignerKey]] = defaultdict(list)
        for key in sorted(self._keys.values(), key=lambda key: key.address):
            self._keys_of[key.merchant_number].append(key)
        for some in self._keys_of.values():
            some.sort(key=lambda key: key.created_at, reverse=True)

    def by_number(self, number: int) -> Merchant | None:
        """The merchant with this number on the chain."""
        return self._by_number.get(number)

    def by_id(self, id: str) -> Merchant | None:  # noqa: A002
        """The merchant with this id."""
        return self._by_id.get(id)

    def live_key(self, number: int, address: str, at: int) -> SignerKey | None:
        """The key with this address, if it may sign for the merchant at Unix time `at`."""
        key = self._keys.get(address)
        return key if key is not None and key.merchant_number == number and _is_live(key, at) else None

    def managed_key(self, number: int, at: int) -> SignerKey | None:
        """The merchant's newest live managed key."""
        keys = self._keys_of.get(number, ())
        return next((key for key in keys if key.keystore is not None and _is_live(key, at)), None)


def merchants_in(session: Session) -> MerchantDirectory:
    """The merchants, as current as the session's transaction."""
    return _MERCHANTS.of(session)


def _is_live(key: SignerKey, at: int) -> bool:
    return key.valid_from <= at < key.valid_until


def _load(session: Session) -> MerchantDirectory:
    return MerchantDirectory(rows_of(session, Merchant, but=("next_nonce",)), rows_of(session, SignerKey))


_MERCHANTS = Directory((Merchant, SignerKey), _load)
