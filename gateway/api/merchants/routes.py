"""Merchants: everyone in the network may read the directory; only the operator changes it."""

from __future__ import annotations

from functools import partial

from fastapi import APIRouter

from clearing.oversight.approvals.changes import CreditLimit
from clearing.parties.merchants.service import MerchantService, require_merchant
from gateway.api.approvals.schemas import ApprovalView
from gateway.api.approvals.view import requested
from gateway.api.merchants.schemas import CreditLimitChange, MerchantCreate, MerchantView
from gateway.api.merchants.view import MERCHANTS, merchant_view
from gateway.http.context import Call
from gateway.http.endpoint import Endpoint, Mutating, Reading, Waitable
from gateway.http.pagination import DEFAULT_LIMIT, Cursor, Limit, id_after, page_of
from gateway.http.results import Started
from gateway.http.schemas import Page

router = APIRouter(route_class=Endpoint, tags=["merchants"])


def _service(call: Call) -> MerchantService:
    return MerchantService(call.session, keyring=call.gateway.keyrings.managed_keys)


@router.post("/v1/merchants", status_code=201)
def register_merchant(body: MerchantCreate, call: Waitable) -> Started[MerchantView]:
    """Registers a merchant, without credit. It is `pending` until the chain confirms it; `Prefer: wait=N` waits for that. Then
    invite it, and ask for credit."""
    merchant = _service(call).register(
        name=body.name, signer_address=body.signer_address, credit_limit_micros=0, actor=call.actor
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


@router.post("/v1/merchants/{merchant}/credit_limit", status_code=202)
def set_credit_limit(merchant: str, body: CreditLimitChange, call: Mutating) -> ApprovalView:
    """Asks for another credit limit. Once another person has approved it and the chain has it, the position shows it."""
    change = CreditLimit(merchant=merchant, credit_limit_micros=body.credit_limit_micros)
    return requested(call, change, body.reason)
