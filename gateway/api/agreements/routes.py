"""Agreements: one merchant proposes one, both sign it, and the operator's key registers it on the chain."""

from __future__ import annotations

from functools import partial

from fastapi import APIRouter

from gateway.api.agreements.schemas import AgreementCreate, AgreementView, SignatureAdd
from gateway.api.agreements.view import AGREEMENTS, agreement_service, agreement_view
from gateway.http.endpoint import Endpoint, Reading, Waitable
from gateway.http.pagination import DEFAULT_LIMIT, Cursor, Limit, id_after, page_of
from gateway.http.results import Started
from gateway.http.schemas import Page
from tongdui.orders import signature_bytes

router = APIRouter(route_class=Endpoint, tags=["agreements"])


@router.post("/v1/agreements", status_code=201)
def propose_agreement(body: AgreementCreate, call: Waitable) -> Started[AgreementView]:
    """Proposes terms to another merchant. The response has the `terms` and the `digest` to sign."""
    agreement = agreement_service(call).propose(call.merchant, body.proposal(), call.actor)
    return AGREEMENTS.started(agreement.id)


@router.post("/v1/agreements/{agreement}/signatures", status_code=200)
def sign_agreement(agreement: str, body: SignatureAdd, call: Waitable) -> Started[AgreementView]:
    """Adds your signature. With both, the agreement goes to the chain; `Prefer: wait=N` waits until it is active."""
    signature = signature_bytes(body.signature) if body.signature else None
    signed = agreement_service(call).sign(call.merchant, agreement, signature, call.actor)
    return AGREEMENTS.started(signed.id)


@router.get("/v1/agreements")
def list_agreements(call: Reading, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Page[AgreementView]:
    """Your agreements, newest first; for the operator and auditors, everyone's."""
    rows = agreement_service(call).list(call.viewer, after=id_after(cursor, "agr"), limit=limit + 1)
    return page_of(rows, limit, partial(agreement_view, call), lambda agreement: agreement.id)


@router.get("/v1/agreements/{agreement}")
def get_agreement(agreement: str, call: Reading) -> AgreementView:
    """One agreement."""
    return agreement_view(call, agreement_service(call).visible(call.viewer, agreement))
