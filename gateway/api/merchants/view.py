"""Merchants as the API shows them."""

from __future__ import annotations

from collections.abc import Sequence

from clearing.parties.merchants.models import Merchant, SignerKey
from clearing.parties.merchants.service import require_merchant, signer_of, signers_of
from gateway.api.merchants.schemas import MerchantView, SignerView
from gateway.http.context import Call, ChainResource, Shown


def merchant_view(call: Call, merchant: Merchant) -> MerchantView:
    """A merchant with the key that signs for it now."""
    return _view(merchant, signer_of(call.session, merchant))


def merchant_views(call: Call, merchants: Sequence[Merchant]) -> list[MerchantView]:
    """Many of them; their keys are looked up together."""
    keys = signers_of(call.session, merchants)
    return [_view(merchant, keys.get(merchant.number)) for merchant in merchants]


def _view(merchant: Merchant, key: SignerKey | None) -> MerchantView:
    return MerchantView(
        id=merchant.id,
        number=merchant.number,
        name=merchant.name,
        status=merchant.status,
        signer=SignerView(address=key.address, managed=key.keystore is not None) if key else None,
        created_at=merchant.created_at,
    )


def _show(call: Call, merchant_id: str) -> Shown[MerchantView]:
    merchant = require_merchant(call.session, merchant_id)
    return Shown(merchant_view(call, merchant), is_open=call.is_unfinished(merchant_id))


MERCHANTS = ChainResource("mer", "merchants", _show)
