"""API keys."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from tongdui._approval import Approval
from tongdui._flow import Awaiting, Blocking, Flow, operation
from tongdui._gateway import Identified, given, name_of, segment
from tongdui._models import ApiKey
from tongdui._pagination import Query, listing, moment_parameter
from tongdui._resource import Resource

_PATH = "/v1/api_keys"


class _ApiKeys(Resource):
    @operation
    def create(
        self,
        *,
        role: str = "merchant",
        scopes: Sequence[str] | None = None,
        name: str | None = None,
        expires_at: datetime | None = None,
        networks: Sequence[str] | None = None,
        idempotency_key: str | None = None,
    ) -> Flow[ApiKey]:
        """Make a new API key.

        Operators make auditors' keys; for keys of their own, see `request`. A merchant's first key comes from
        `invitations.redeem`. A key needs the scope `keys` to make others. They may do no more than it may, from no other
        networks and no longer, and they are revoked with it.

        Args:
            role: What the key's holder is: merchant or auditor.
            scopes: What it may do.
            name: What you call it, such as the till that has it.
            expires_at: When it ends by itself, with a time zone. By default with your own key, or never.
            networks: Where it may be used from: addresses and networks, such as `203.0.113.0/24`. By default as your own.
            idempotency_key: Identifies the request over retries of your own. A random key by default.

        Returns:
            The key. Only this answer has its `secret`.

        Raises:
            ForbiddenError: You may not make such a key.
            ValueError: `expires_at` has no time zone.
        """
        body = _body(role, scopes, name, expires_at, networks)
        return (yield from self._gateway.post(ApiKey, _PATH, body, key=idempotency_key))

    @operation
    def request(
        self,
        *,
        role: str,
        reason: str,
        scopes: Sequence[str] | None = None,
        name: str | None = None,
        expires_at: datetime | None = None,
        networks: Sequence[str] | None = None,
        idempotency_key: str | None = None,
    ) -> Flow[Approval]:
        """Ask for another API key of your own role, operator or treasury: another person has to approve it.

        Args:
            role: operator or treasury.
            reason: Why, for whoever has to approve it.
            scopes: `keys`, if it shall make others in its turn.
            name: What you call it.
            expires_at: As in `create`.
            networks: As in `create`.
            idempotency_key: Identifies the request over retries of your own. A random key by default.

        Returns:
            The approval. Only this answer has the key's `secret`, which is good once the key is approved.

        Raises:
            ForbiddenError: You may not ask for such a key.
        """
        body = {**_body(role, scopes, name, expires_at, networks), "reason": reason}
        return (yield from self._gateway.post(Approval, _PATH, body, key=idempotency_key))

    @listing
    def list(self, *, created_by: str | None = None, page_size: int | None = None) -> Query[ApiKey]:
        """List the keys that you may see, without their secrets, `page_size` at a time.

        `created_by`: only what this actor has made, such as `staff:stf_...`.
        """
        return Query(_PATH, ApiKey, {"created_by": created_by, "limit": page_size})

    @operation
    def revoke(self, api_key: str | Identified, *, idempotency_key: str | None = None) -> Flow[ApiKey]:
        """End a key at once, and with it all keys that come from it.

        Each key may end itself. For another one, your key needs the scope `keys`, and what that one may do.

        Args:
            api_key: The key, or its id.
            idempotency_key: Identifies the request over retries of your own. A random key by default.

        Returns:
            The revoked key.
        """
        path = f"{_PATH}/{segment(name_of(api_key))}"
        return self._gateway.parse(ApiKey, (yield from self._gateway.send("DELETE", path, key=idempotency_key)))


def _body(
    role: str,
    scopes: Sequence[str] | None,
    name: str | None,
    expires_at: datetime | None,
    networks: Sequence[str] | None,
) -> dict[str, Any]:
    return given(
        role=role,
        scopes=list(scopes) if scopes is not None else None,
        name=name,
        expires_at=moment_parameter(expires_at, "expires_at"),
        networks=list(networks) if networks is not None else None,
    )


class ApiKeys(Blocking, _ApiKeys):
    """API keys: who may do what."""


class AsyncApiKeys(Awaiting, _ApiKeys):
    """API keys: who may do what. Its methods are awaited."""
