"""API keys."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from clearing.oversight.approvals.changes import NetworkKey
from clearing.parties.access.service import NEEDS_SECOND_PERSON, AccessService, Checked, Limits, new_secret
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
    """Makes a key and shows its `secret` once.

    A key that calls needs the scope `keys`, and is the new key's parent: the new one may do no more than its parent, from no other
    networks and no longer, and is revoked with it.

    The operator and the treasury ask for keys of their own: 202 shows the `secret`, which is good once somebody else has approved.
    """
    limits = Limits(scopes=frozenset(body.scopes), expires_at=body.expires_at, networks=body.networks)
    access = AccessService(call.session)
    if body.role in NEEDS_SECOND_PERSON:
        return Answer(_asked(call, access.checked(call.caller, limits, body.role, body.merchant), body), 202)
    key, token = access.create(call.caller, limits, role=body.role, merchant_id=body.merchant, name=body.name)
    return Answer(api_key_view(call.names, key, token), call.status)


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


def _asked(call: Call, checked: Checked, body: ApiKeyCreate) -> ApprovalView:
    new = new_secret()
    change = NetworkKey(
        role=body.role,
        name=body.name,
        scopes=sorted(checked.limits.scopes),
        expires_at=checked.limits.expires_at,
        networks=list(checked.limits.networks),
        parent=checked.parent.id if checked.parent is not None else None,
        key_id=new.key_id,
        secret_hash=new.hash.hex(),
    )
    return requested(call, change, required_reason(body.reason), secret=new.token)
