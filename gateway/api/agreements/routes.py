"""Agreements: proposed by one merchant, signed by both, registered on chain by the operator's key."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from clearing.kit.errors import NotFound
from clearing.parties.agreements.repository import AgreementRepository
from clearing.parties.agreements.service import AgreementService
from gateway.api.agreements.schemas import AgreementCreate, AgreementView, SignatureAdd
from gateway.api.views import Views
from gateway.http.context import Call
from gateway.http.endpoint import Endpoint, Reading, Waitable
from gateway.http.pagination import DEFAULT_LIMIT, Cursor, Limit, page_of
from gateway.http.results import Started
from gateway.http.schemas import Page, View
from tongdui.orders import signature_bytes

router = APIRouter(route_class=Endpoint, tags=["agreements"])


def _service(call: Call) -> AgreementService:
    return AgreementService(call.session, network=call.gateway.network, keyring=call.gateway.keyring)


@router.post("/v1/agreements", status_code=201, response_model=AgreementView)
def propose_agreement(body: AgreementCreate, call: Waitable) -> Any:
    """Proposes terms to another merchant. The answer has the `terms` and the `digest` to sign."""
    return Started(_service(call).propose(call.merchant, body.proposal(), call.actor).id)


@router.post("/v1/agreements/{agreement}/signatures", status_code=200, response_model=AgreementView)
def sign_agreement(agreement: str, body: SignatureAdd, call: Waitable) -> Any:
    """Adds your signature. With both, the agreement goes to the chain; `Prefer: wait=N` waits until it is active."""
    signature = signature_bytes(body.signature) if body.signature else None
    return Started(_service(call).sign(call.merchant, agreement, signature, call.actor).id)


@router.get("/v1/agreements", response_model=Page[AgreementView])
def list_agreements(call: Reading, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> View:
    """Your agreements, newest first; for the operator and auditors, everyone's."""
    rows = AgreementRepository(call.session).list(merchant_number=call.only_merchant, after=cursor, limit=limit + 1)
    return page_of(rows, limit, Views(call.session, call.gateway.network).agreement, lambda agreement: agreement.id)


@router.get("/v1/agreements/{agreement}", response_model=AgreementView)
def get_agreement(agreement: str, call: Reading) -> View:
    """One agreement."""
    found = AgreementRepository(call.session).by_id(agreement)
    parties = (None,) if found is None else (None, found.source_merchant, found.target_merchant)
    if found is None or call.only_merchant not in parties:
        raise NotFound(f"there is no agreement {agreement}", code="unknown_agreement")
    return Views(call.session, call.gateway.network).agreement(found)
