"""API keys."""

from __future__ import annotations

from collections.abc import Sequence

from tongdui._approval import Approval
from tongdui._flow import Awaiting, Blocking, Flow, operation
from tongdui._gateway import Identified, given, name_of, segment
from tongdui._models import ApiKey
from tongdui._pagination import Query, listing
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
        idempotency_key: str | None = None,
    ) -> Flow[ApiKey]:
        """Make a new API key.

        A merchant's key makes keys for its own merchant, with no more scopes than it has itself; its first one comes from
        `invitations.redeem`. Operators make auditors' keys; for keys of their own, see `request`.

        Args:
            role: What the key's holder is: merchant or auditor.
            scopes: What it may do.
            name: What you call it, such as the till that has it.
            idempotency_key: Identifies the request over retries of your own. A random key by default.

        Returns:
            The key. Only this answer has its `secret`.

        Raises:
            ForbiddenError: You may not make such a key.
        """
        body = given(role=role, scopes=list(scopes) if scopes is not None else None, name=name)
        return (yield from self._gateway.post(ApiKey, _PATH, body, key=idempotency_key))

    @operation
    def request(
        self, *, role: str, reason: str, name: str | None = None, idempotency_key: str | None = None
    ) -> Flow[Approval]:
        """Ask for another API key of your own role, operator or treasury: another person has to approve it.

        Args:
            role: operator or treasury.
            reason: Why, for whoever has to approve it.
            name: What you call it.
            idempotency_key: Identifies the request over retries of your own. A random key by default.

        Returns:
            The approval. Only this answer has the key's `secret`, which is good once the key is approved.

        Raises:
            ForbiddenError: You may not ask for such a key.
        """
        body = given(role=role, name=name, reason=reason)
        return (yield from self._gateway.post(Approval, _PATH, body, key=idempotency_key))

    @listing
    def list(self, *, page_size: int | None = None) -> Query[ApiKey]:
        """List the keys that you may see, without their secrets, `page_size` at a time."""
        return Query(_PATH, ApiKey, {"limit": page_size})

    @operation
    def revoke(self, api_key: str | Identified, *, idempotency_key: str | None = None) -> Flow[ApiKey]:
        """End a key at once.

        Args:
            api_key: The key, or its id.
            idempotency_key: Identifies the request over retries of your own. A random key by default.

        Returns:
            The revoked key.
        """
        path = f"{_PATH}/{segment(name_of(api_key))}"
        return self._gateway.parse(ApiKey, (yield from self._gateway.send("DELETE", path, key=idempotency_key)))


class ApiKeys(Blocking, _ApiKeys):
    """API keys: who may do what."""


class AsyncApiKeys(Awaiting, _ApiKeys):
    """API keys: who may do what. Its methods are awaited."""
