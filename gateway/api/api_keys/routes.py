"""API keys."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from clearing.parties.access.repository import ApiKeyRepository
from clearing.parties.access.service import AccessService
from gateway.api.api_keys.schemas import ApiKeyCreate, ApiKeyView
from gateway.api.views import Views
from gateway.http.endpoint import Endpoint, Mutating, Reading
from gateway.http.pagination import DEFAULT_LIMIT, Cursor, Limit, page_of
from gateway.http.schemas import Page, View

router = APIRouter(route_class=Endpoint, tags=["api keys"])


@router.post("/v1/api_keys", status_code=201, response_model=ApiKeyView)
def create_api_key(body: ApiKeyCreate, call: Mutating) -> Any:
    """Makes a key; its `secret` is in this answer and nowhere else. A merchant's key makes keys no stronger than itself."""
    key, token = AccessService(call.session).create(
        call.caller, role=body.role, merchant_id=body.merchant, scopes=body.scopes, actor=call.actor
    )
    return Views(call.session, call.gateway.network).api_key(key, token)


@router.get("/v1/api_keys", response_model=Page[ApiKeyView])
def list_api_keys(call: Reading, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> View:
    """Your merchant's keys, newest first; for the operator and auditors, everyone's. Without their secrets."""
    rows = ApiKeyRepository(call.session).list(merchant_number=call.only_merchant, after=cursor, limit=limit + 1)
    return page_of(rows, limit, Views(call.session, call.gateway.network).api_key, lambda key: key.id)


@router.delete("/v1/api_keys/{api_key}", status_code=200, response_model=ApiKeyView)
def revoke_api_key(api_key: str, call: Mutating) -> Any:
    """Ends a key at once."""
    key = AccessService(call.session).revoke(call.caller, api_key, call.actor)
    return Views(call.session, call.gateway.network).api_key(key)
