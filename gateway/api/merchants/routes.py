"""Merchants: the directory is for everyone in the network, changes are the operator's."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from clearing.ledger.settlement.service import SettlementService
from clearing.parties.merchants.repository import MerchantRepository
from clearing.parties.merchants.service import MerchantService, require_merchant
from gateway.api.merchants.schemas import CreditLimitChange, MerchantCreate, MerchantView
from gateway.api.views import Views
from gateway.http.context import Call
from gateway.http.endpoint import Endpoint, Reading, Waitable
from gateway.http.pagination import DEFAULT_LIMIT, Cursor, Limit, page_of
from gateway.http.results import Started
from gateway.http.schemas import Page, View

router = APIRouter(route_class=Endpoint, tags=["merchants"])


def _service(call: Call) -> MerchantService:
    return MerchantService(call.session, keyring=call.gateway.keyring)


@router.post("/v1/merchants", status_code=201, response_model=MerchantView)
def register_merchant(body: MerchantCreate, call: Waitable) -> Any:
    """Onboards a merchant. It is `pending` until the chain confirms it; `Prefer: wait=N` waits for that."""
    merchant = _service(call).register(
        name=body.name,
        signer_address=body.signer_address,
        credit_limit_micros=body.credit_limit_micros,
        actor=call.actor,
    )
    return Started(merchant.id)


@router.get("/v1/merchants", response_model=Page[MerchantView])
def list_merchants(call: Reading, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> View:
    """The network's merchants, newest first."""
    rows = MerchantRepository(call.session).list(after=cursor, limit=limit + 1)
    return page_of(rows, limit, Views(call.session, call.gateway.network).merchant, lambda merchant: merchant.id)


@router.get("/v1/merchants/{merchant}", response_model=MerchantView)
def get_merchant(merchant: str, call: Reading) -> View:
    """One merchant."""
    return Views(call.session, call.gateway.network).merchant(require_merchant(call.session, merchant))


@router.post("/v1/merchants/{merchant}/credit_limit", status_code=200, response_model=MerchantView)
def set_credit_limit(merchant: str, body: CreditLimitChange, call: Waitable) -> Any:
    """Asks the chain for another credit limit; the position shows it when the chain has it. `Prefer: wait=N` waits."""
    return Started(
        SettlementService(call.session)
        .set_credit_limit(merchant_id=merchant, micros=body.credit_limit_micros, actor=call.actor)
        .id
    )
