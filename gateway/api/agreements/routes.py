"""Agreements: one merchant proposes one, both sign it, and the operator's key registers it on the chain. Either can end it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from clearing.kit.fields import MerchantId, ProgramName
from clearing.parties.agreements.models import AgreementKind, AgreementState
from gateway.api.agreements.schemas import (
    AgreementCreate,
    AgreementPreviewCreate,
    AgreementPreviewView,
    AgreementUseView,
    AgreementView,
    KindName,
    SignatureAdd,
    Termination,
    unix_or_none,
)
from gateway.api.agreements.view import (
    AGREEMENTS,
    agreement_service,
    agreement_view,
    agreement_views,
    preview_service,
    preview_view,
    termination_service,
    use_view,
)
from gateway.http.endpoint import Endpoint, Looking, Mutating, Reading, Waitable
from gateway.http.pagination import DEFAULT_LIMIT, Cursor, Limit, id_after, page_of
from gateway.http.problems import documented
from gateway.http.results import Started
from gateway.http.schemas import Page
from tongdui.orders import signature_bytes

router = APIRouter(route_class=Endpoint, tags=["agreements"])


@router.post("/v1/agreements", status_code=201)
def propose_agreement(body: AgreementCreate, call: Waitable) -> Started[AgreementView]:
    """Proposes terms to another merchant. The response has the `terms` and the `digest` to sign."""
    agreement = agreement_service(call).propose(call.merchant, body.proposal(), call.actor)
    return AGREEMENTS.started(agreement.id)


@router.post("/v1/agreements/preview", status_code=200, responses=documented(404))
def preview_agreement(body: AgreementPreviewCreate, call: Looking) -> AgreementPreviewView:
    """Says what terms would mean: what points become and cost, and the cycle that they would close. Proposes nothing."""
    preview = preview_service(call).of(call.merchant, body.proposal(), body.points)
    return preview_view(call, preview, body.points)


@router.post("/v1/agreements/{agreement}/signatures", status_code=200)
def sign_agreement(agreement: str, body: SignatureAdd, call: Waitable) -> Started[AgreementView]:
    """Adds your signature. With both, the agreement goes to the chain; `Prefer: wait=N` waits until it is active."""
    signature = signature_bytes(body.signature) if body.signature else None
    signed = agreement_service(call).sign(call.merchant, agreement, signature, call.actor)
    return AGREEMENTS.started(signed.id)


@router.post("/v1/agreements/{agreement}/withdrawal", status_code=200)
def withdraw_agreement(agreement: str, call: Mutating) -> AgreementView:
    """Withdraws a proposal of yours, or declines one of the other merchant, as long as not both have signed it."""
    return agreement_view(call, agreement_service(call).withdraw(call.merchant, agreement, call.actor))


@router.post("/v1/agreements/{agreement}/termination", status_code=200)
def terminate_agreement(agreement: str, body: Termination, call: Waitable) -> Started[AgreementView]:
    """Ends an agreement at `effective_at`, or now. One merchant's signature is enough; it can only move the end closer."""
    effective_at = unix_or_none(body.effective_at)
    signature = signature_bytes(body.signature) if body.signature else None
    ended = termination_service(call).terminate(call.merchant, agreement, effective_at, signature, call.actor)
    return AGREEMENTS.started(ended.id)


@router.get("/v1/agreements", responses=documented(404))
def list_agreements(
    call: Reading,
    state: Annotated[AgreementState | None, Query()] = None,
    kind: Annotated[KindName | None, Query()] = None,
    program: Annotated[ProgramName | None, Query(description="a program on either side: its code or id")] = None,
    counterparty: Annotated[MerchantId | None, Query(description="the other merchant")] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[AgreementView]:
    """Your agreements, newest first; for the operator and auditors, everyone's."""
    rows = agreement_service(call).list(
        call.viewer,
        state=state,
        kind=AgreementKind[kind.upper()] if kind else None,
        program=program,
        counterparty=counterparty,
        after=id_after(cursor, "agr"),
        limit=limit + 1,
    )
    return page_of(rows, limit, agreement_views(call), lambda agreement: agreement.id)


@router.get("/v1/agreements/{agreement}")
def get_agreement(agreement: str, call: Reading) -> AgreementView:
    """One agreement."""
    return agreement_view(call, agreement_service(call).visible(call.viewer, agreement))


@router.get("/v1/agreements/{agreement}/use")
def get_agreement_use(agreement: str, call: Reading) -> AgreementUseView:
    """What an agreement has used of today's cap, orders on their way counted."""
    return use_view(call, agreement)
