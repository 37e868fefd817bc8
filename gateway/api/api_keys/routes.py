"""API keys."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from clearing.parties.access.service import AccessService, Limits
from gateway.api.api_keys.schemas import ApiKeyCreate, ApiKeyView
from gateway.api.api_keys.view import api_key_view, api_key_views
from gateway.http.endpoint import Endpoint, Mutating, Reading
from gateway.http.pagination import DEFAULT_LIMIT, Cursor, Limit, id_after, page_of
from gateway.http.schemas import Page

router = APIRouter(route_class=Endpoint, tags=["api keys"])


@router.post("/v1/api_keys", status_code=201)
def create_api_key(body: ApiKeyCreate, call: Mutating) -> ApiKeyView:
    """Makes a key and shows its `secret` once.

    A key that calls needs the scope `keys`, and is the new key's parent: the new one may do no more than its parent, from no other
    networks and no longer, and is revoked with it.
    """
    limits = Limits(scopes=frozenset(body.scopes), expires_at=body.expires_at, networks=body.networks)
    key, token = AccessService(call.session).create(
        call.caller, limits, role=body.role, merchant_id=body.merchant, name=body.name
    )
    return api_key_view(call, key, token)


@router.get("/v1/api_keys")
def list_api_keys(
    call: Reading,
    created_by: Annotated[str | None, Query(max_length=40, description="only what this actor has made")] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[ApiKeyView]:
    """Your merchant's keys, newest first; for the operator and auditors, everyone's. Without their secrets."""
    rows = AccessService(call.session).list(
        call.viewer, created_by=created_by, after=id_after(cursor, "key"), limit=limit + 1
    )
    return page_of(rows, limit, api_key_views(call, rows), lambda key: key.id)


@router.delete("/v1/api_keys/{api_key}", status_code=200)
def revoke_api_key(api_key: str, call: Mutating) -> ApiKeyView:
    """Revokes a key at once, and with it all keys that come from it.

    Every key may revoke itself. For another one, your key needs the scope `keys`, and what that one may do.
    """
    key = AccessService(call.session).revoke(call.caller, api_key)
    return api_key_views(call, [key])(key)
