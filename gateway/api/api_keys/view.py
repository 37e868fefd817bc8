"""API keys as the API shows them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from clearing.parties.access.models import ApiKey
from clearing.parties.access.service import AccessService, Scope
from clearing.parties.names import Names
from gateway.api.api_keys.schemas import ApiKeyView
from gateway.http.context import Call


def api_key_views(call: Call, keys: Sequence[ApiKey]) -> Callable[[ApiKey], ApiKeyView]:
    """Makes the views of these keys; when they were used is read once."""
    uses = AccessService(call.session).last_uses(keys)
    return lambda key: api_key_view(call.names, key, used_at=uses.get(key.id))


def api_key_view(names: Names, key: ApiKey, token: str | None = None, *, used_at: datetime | None = None) -> ApiKeyView:
    """An API key, with its token if it was just made."""
    return ApiKeyView(
        id=key.id,
        role=key.role,
        merchant=names.optional_merchant(key.merchant_number),
        scopes=[Scope(scope) for scope in key.scopes],
        name=key.name,
        parent=key.parent_id,
        created_by=key.created_by,
        expires_at=key.expires_at,
        networks=key.networks,
        secret=token,
        created_at=key.created_at,
        last_used_at=used_at,
        revoked_at=key.revoked_at,
    )
