"""API keys."""

from __future__ import annotations

from fastapi import APIRouter

from clearing.oversight.approvals.changes import NetworkKey
from clearing.parties.access.service import NETWORK_ROLES, AccessService, new_secret
from gateway.api.api_keys.schemas import ApiKeyCreate, ApiKeyView
from gateway.api.api_keys.view import api_key_view, api_key_views
from gateway.api.approvals.schemas import ApprovalView
from gateway.api.approvals.view import ASKED, requested, required_reason
from gateway.http.context import Call
from gateway.http.endpoint import Endpoint, Mutating, Reading
from gateway.http.pagination import DEFAULT_LIMIT, Cursor, Limit, id_after, page_of
from gateway.http.results import Answer
from gateway.http.schemas import Page

router = APIRouter(route_class=Endpoint, tags=["api keys"])


@router.post("/v1/api_keys", status_code=201, responses=ASKED)
def create_api_key(body: ApiKeyCreate, call: Mutating) -> Answer[ApiKeyView | ApprovalView]:
    """Makes a key and shows its `secret` once. A merchant's key can only give scopes that it has.

    The operator and the treasury ask for keys of their own: 202 shows the `secret`, which is good once somebody else has approved.
    """
    access = AccessService(call.session)
    if body.role in NETWORK_ROLES:
        access.check_network_key(call.caller, body.role, body.merchant, body.scopes)
        return Answer(_asked(call, body), 202)
    key, token = access.create(
        call.caller, role=body.role, merchant_id=body.merchant, scopes=body.scopes, actor=call.actor, name=body.name
    )
    return Answer(api_key_view(call.names, key, token), call.status)


@router.get("/v1/api_keys")
def list_api_keys(call: Reading, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Page[ApiKeyView]:
    """Your merchant's keys, newest first; for the operator and auditors, everyone's. Without their secrets."""
    rows = AccessService(call.session).list(call.viewer, after=id_after(cursor, "key"), limit=limit + 1)
    return page_of(rows, limit, api_key_views(call, rows), lambda key: key.id)


@router.delete("/v1/api_keys/{api_key}", status_code=200)
def revoke_api_key(api_key: str, call: Mutating) -> ApiKeyView:
    """Revokes a key at once."""
    key = AccessService(call.session).revoke(call.caller, api_key, call.actor)
    return api_key_views(call, [key])(key)


def _asked(call: Call, body: ApiKeyCreate) -> ApprovalView:
    new = new_secret()
    change = NetworkKey(role=body.role, name=body.name, key_id=new.key_id, secret_hash=new.hash.hex())
    return requested(call, change, required_reason(body.reason), secret=new.token)
