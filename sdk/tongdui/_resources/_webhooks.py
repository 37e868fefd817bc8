"""Webhook endpoints: where you are told of your events. What arrives there, `tongdui.webhooks` verifies."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from tongdui._core import Identified, given, name_of, segment
from tongdui._flow import Awaiting, Blocking, Flow, operation
from tongdui._models import WebhookDelivery, WebhookEndpoint, WebhookReplay
from tongdui._pages import Query, listing

from ._base import Resource

_PATH = "/v1/webhook_endpoints"


class _WebhookEndpoints(Resource):
    @operation
    def create(
        self,
        *,
        url: str,
        types: Sequence[str] = (),
        description: str = "",
        idempotency_key: str | None = None,
    ) -> Flow[WebhookEndpoint]:
        """Has your events sent to `url` from now on: those of `types` (`order.settled`, `order.*`), or all.

        The `secret` with which `tongdui.webhooks.verify` checks them is in this answer and nowhere else.
        """
        body = {"url": url, "types": list(types), "description": description}
        return (yield from self._core.post(WebhookEndpoint, _PATH, body, key=idempotency_key))

    @operation
    def get(self, endpoint: str) -> Flow[WebhookEndpoint]:
        """One endpoint by id, without its secret. Raises NotFoundError."""
        return (yield from self._core.get(WebhookEndpoint, _path(endpoint)))

    @listing
    def list(self, *, page_size: int | None = None) -> Query[WebhookEndpoint]:
        """Your endpoints, newest first, without their secrets."""
        return Query(_PATH, WebhookEndpoint, {"limit": page_size})

    @operation
    def change(
        self,
        endpoint: str | Identified,
        *,
        url: str | None = None,
        types: Sequence[str] | None = None,
        description: str | None = None,
        enabled: bool | None = None,
        idempotency_key: str | None = None,
    ) -> Flow[WebhookEndpoint]:
        """Changes what is given. `enabled=True` after a failure: it is sent what has waited."""
        body = given(
            url=url, types=list(types) if types is not None else None, description=description, enabled=enabled
        )
        response = yield from self._core.send("PATCH", _path(endpoint), json=body, key=idempotency_key)
        return self._core.parse(WebhookEndpoint, response)

    @operation
    def renew_secret(self, endpoint: str | Identified, *, idempotency_key: str | None = None) -> Flow[WebhookEndpoint]:
        """A new secret, in this answer and nowhere else. For a day requests are signed with the old one, too."""
        return (yield from self._core.post(WebhookEndpoint, f"{_path(endpoint)}/secret", {}, key=idempotency_key))

    @operation
    def replay(
        self,
        endpoint: str | Identified,
        *,
        events: Sequence[str | Identified] = (),
        since: datetime | None = None,
        idempotency_key: str | None = None,
    ) -> Flow[WebhookReplay]:
        """Sends events again, with the ids that they had: these, or all that the endpoint wants since a moment."""
        if bool(events) == (since is not None):
            raise ValueError("give either events or since")
        if since is not None and since.tzinfo is None:
            raise ValueError(f"since has no time zone: {since!r}; use for example datetime(..., tzinfo=UTC)")
        body = given(
            events=[name_of(event) for event in events] or None,
            since=since.astimezone(UTC).isoformat() if since is not None else None,
        )
        return (yield from self._core.post(WebhookReplay, f"{_path(endpoint)}/replay", body, key=idempotency_key))

    @listing
    def deliveries(
        self, endpoint: str | Identified, *, state: str | None = None, page_size: int | None = None
    ) -> Query[WebhookDelivery]:
        """What was sent to an endpoint, or waits to be, newest first. `state`: pending, delivered, failed."""
        return Query(f"{_path(endpoint)}/deliveries", WebhookDelivery, {"state": state, "limit": page_size})

    @operation
    def remove(self, endpoint: str | Identified, *, idempotency_key: str | None = None) -> Flow[WebhookEndpoint]:
        """Removes an endpoint, with what is on its way there."""
        response = yield from self._core.send("DELETE", _path(endpoint), key=idempotency_key)
        return self._core.parse(WebhookEndpoint, response)


def _path(endpoint: str | Identified) -> str:
    return f"{_PATH}/{segment(name_of(endpoint))}"


class WebhookEndpoints(Blocking, _WebhookEndpoints):
    """`client.webhook_endpoints`."""


class AsyncWebhookEndpoints(Awaiting, _WebhookEndpoints):
    """`client.webhook_endpoints`, awaited."""
