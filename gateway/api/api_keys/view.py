"""API keys as the API shows them."""

from __future__ import annotations

from clearing.parties.access.models import ApiKey
from clearing.parties.access.service import Scope
from gateway.api.api_keys.schemas import ApiKeyView
from gateway.http.context import Call


def api_key_view(call: Call, key: ApiKey, token: str | None = None) -> ApiKeyView:
    """An API key, with its token if it was just made."""
    return ApiKeyView(
        id=key.id,
        role=key.role,
        merchant=call.names.merchant(key.merchant_number) if key.merchant_number is not None else None,
        scopes=[Scope(scope) for scope in key.scopes],
        secret=token,
        created_at=key.created_at,
        revoked_at=key.revoked_at,
    )
