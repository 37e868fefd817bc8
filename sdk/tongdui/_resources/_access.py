"""API keys."""

from __future__ import annotations

from collections.abc import Sequence

from tongdui._core import Identified, given, name_of, segment
from tongdui._flow import Awaiting, Blocking, Flow, operation
from tongdui._models import ApiKey
from tongdui._pages import Query, listing

from ._base import Resource


class _ApiKeys(Resource):
    @operation
    def create(
        self,
        *,
        role: str = "merchant",
        merchant: str | Identified | None = None,
        scopes: Sequence[str] | None = None,
        idempotency_key: str | None = None,
    ) -> Flow[ApiKey]:
        """A new key; its `secret` is in this answer and nowhere else.

        Operators make keys for anyone; a merchant's key makes keys for its own merchant, with no more scopes than it
        has.
        """
        body = given(
            role=role,
            merchant=name_of(merchant) if merchant is not None else None,
            scopes=list(scopes) if scopes is not None else None,
        )
        return (yield from self._core.post(ApiKey, "/v1/api_keys", body, key=idempotency_key))

    @listing
    def list(self, *, page_size: int | None = None) -> Query[ApiKey]:
        """The keys that you may see, without their secrets."""
        return Query("/v1/api_keys", ApiKey, {"limit": page_size})

    @operation
    def revoke(self, api_key: str | Identified, *, idempotency_key: str | None = None) -> Flow[ApiKey]:
        """Ends a key at once."""
        path = f"/v1/api_keys/{segment(name_of(api_key))}"
        return self._core.parse(ApiKey, (yield from self._core.send("DELETE", path, key=idempotency_key)))


class ApiKeys(Blocking, _ApiKeys):
    """`client.api_keys`."""


class AsyncApiKeys(Awaiting, _ApiKeys):
    """`client.api_keys`, awaited."""
