"""Merchants: everyone in the network may read the directory; only the operator changes it."""

from __future__ import annotations

from functools import partial

from fastapi import APIRouter

from clearing.ledger.settlement.service import SettlementService
from clearing.parties.merchants.service import MerchantService, require_merchant
from gateway.api.merchants.schemas import CreditLimitChange, MerchantCreate, MerchantView
from gateway.api.merchants.view import MERCHANTS, merchant_view
from gateway.http.context import Call
from gateway.http.endpoint import Endpoint, Reading, Waitable
from gateway.http.pagination import DEFAULT_LIMIT, Cursor, Limit, id_after, page_of
from gateway.http.results import Started
from gateway.http.schemas import Page

router = APIRouter(route_class=Endpoint, tags=["merchants"])


def _service(call: Call) -> MerchantService:
    return MerchantService(call.session, keyring=call.gateway.keyrings.managed_keys)


@router.post("/v1/merchants", status_code=201)
def register_merchant(body: MerchantCreate, call: Waitable) -> Started[MerchantView]:
    """Onboards a merchant. It is `pending` until the chain confirms it; `Prefer: wait=N` waits for that."""
    merchant = _service(call).register(
        name=body.name,
        signer_address=body.signer_address,
        credit_limit_micros=body.credit_limit_micros,
        actor=call.actor,
    )
    return MERCHANTS.started(merchant.id)


@router.get("/v1/merchants")
def list_merchants(call: Reading, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Page[MerchantView]:
    """The network's merchants, newest first."""
    rows = _service(call).list(after=id_after(cursor, "mer"), limit=limit + 1)
    return page_of(rows, limit, partial(merchant_view, call), lambda merchant: merchant.id)


@router.get("/v1/merchants/{merchant}")
def get_merchant(merchant: str, call: Reading) -> MerchantView:
    """One merchant."""
    return merchant_view(call, require_merchant(call.session, merchant))


@router.post("/v1/merchants/{merchant}/credit_limit", status_code=200)
def set_credit_limit(merchant: str, body: CreditLimitChange, call: Waitable) -> Started[MerchantView]:
    """Asks the chain for another credit limit. The position shows it once the chain has it; `Prefer: wait=N` waits."""
    changed = SettlementService(call.session).set_credit_limit(
        merchant_id=merchant, micros=body.credit_limit_micros, actor=call.actor
    )
    return MERCHANTS.started(changed.id)
