"""Webhook endpoints: where your events are sent. `tongdui.webhooks` verifies what arrives there."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from tongdui._flow import Awaiting, Blocking, Flow, operation
from tongdui._gateway import Identified, given, name_of, segment
from tongdui._models import WebhookDelivery, WebhookDeliveryDetail, WebhookEndpoint, WebhookReplay
from tongdui._pagination import Query, listing
from tongdui._resource import Resource

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
        """Have your events sent to a URL from now on.

        Args:
            url: Where to send them.
            types: Which ones to send, such as `order.settled` or `order.*`. By default all.
            description: What the endpoint is for.
            idempotency_key: Identifies the request over retries of your own. A random key by default.

        Returns:
            The endpoint. Only this answer has the `secret` that `tongdui.webhooks.verify` needs.
        """
        body = {"url": url, "types": list(types), "description": description}
        return (yield from self._gateway.post(WebhookEndpoint, _PATH, body, key=idempotency_key))

    @operation
    def get(self, endpoint: str) -> Flow[WebhookEndpoint]:
        """Fetch one endpoint by its id, without its secret. Raises NotFoundError."""
        return (yield from self._gateway.get(WebhookEndpoint, _path(endpoint)))

    @listing
    def list(self, *, page_size: int | None = None) -> Query[WebhookEndpoint]:
        """List your endpoints, newest first, without their secrets, `page_size` at a time."""
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
        """Change what is given, and leave the rest.

        Args:
            endpoint: The endpoint, or its id.
            url: Where to send events.
            types: Which events to send.
            description: What the endpoint is for.
            enabled: Whether to send anything. After a failure, True also sends what has been waiting.
            idempotency_key: Identifies the request over retries of your own. A random key by default.

        Returns:
            The changed endpoint.
        """
        body = given(
            url=url, types=list(types) if types is not None else None, description=description, enabled=enabled
        )
        response = yield from self._gateway.send("PATCH", _path(endpoint), json=body, key=idempotency_key)
        return self._gateway.parse(WebhookEndpoint, response)

    @operation
    def renew_secret(self, endpoint: str | Identified, *, idempotency_key: str | None = None) -> Flow[WebhookEndpoint]:
        """Make a new secret. For one day, requests are signed with the old one too.

        Args:
            endpoint: The endpoint, or its id.
            idempotency_key: Identifies the request over retries of your own. A random key by default.

        Returns:
            The endpoint. Only this answer has the new secret.
        """
        return (yield from self._gateway.post(WebhookEndpoint, f"{_path(endpoint)}/secret", {}, key=idempotency_key))

    @operation
    def replay(
        self,
        endpoint: str | Identified,
        *,
        events: Sequence[str | Identified] = (),
        since: datetime | None = None,
        idempotency_key: str | None = None,
    ) -> Flow[WebhookReplay]:
        """Send events again, with the ids that they had.

        Args:
            endpoint: The endpoint, or its id.
            events: These events.
            since: Instead of `events`: all events of the endpoint's types since then.
            idempotency_key: Identifies the request over retries of your own. A random key by default.

        Returns:
            How many events will be sent.

        Raises:
            ValueError: Not exactly one of `events` and `since` is given, or `since` has no time zone.
        """
        if bool(events) == (since is not None):
            raise ValueError("give either events or since")
        if since is not None and since.tzinfo is None:
            raise ValueError(f"since has no time zone: {since!r}; use for example datetime(..., tzinfo=UTC)")
        body = given(
            events=[name_of(event) for event in events] or None,
            since=since.astimezone(UTC).isoformat() if since is not None else None,
        )
        return (yield from self._gateway.post(WebhookReplay, f"{_path(endpoint)}/replay", body, key=idempotency_key))

    @listing
    def deliveries(
        self, endpoint: str | Identified, *, state: str | None = None, page_size: int | None = None
    ) -> Query[WebhookDelivery]:
        """List what was sent to an endpoint or is waiting to be sent, newest first.

        Args:
            endpoint: The endpoint, or its id.
            state: Only deliveries in this state: pending, delivered or failed.
            page_size: Deliveries to fetch at a time.

        Returns:
            An iterator that fetches pages as you go.
        """
        return Query(f"{_path(endpoint)}/deliveries", WebhookDelivery, {"state": state, "limit": page_size})

    @operation
    def delivery(self, endpoint: str | Identified, event: str | Identified) -> Flow[WebhookDeliveryDetail]:
        """Fetch the delivery of one event: the request, and what was answered at the last tries.

        Args:
            endpoint: The endpoint, or its id.
            event: The event, or its id.

        Returns:
            The delivery, with up to three tries.

        Raises:
            NotFoundError: The event was not sent there, or too long ago.
        """
        path = f"{_path(endpoint)}/deliveries/{segment(name_of(event))}"
        return (yield from self._gateway.get(WebhookDeliveryDetail, path))

    @operation
    def remove(self, endpoint: str | Identified, *, idempotency_key: str | None = None) -> Flow[WebhookEndpoint]:
        """Remove an endpoint and everything that is on its way there.

        Args:
            endpoint: The endpoint, or its id.
            idempotency_key: Identifies the request over retries of your own. A random key by default.

        Returns:
            The removed endpoint.
        """
        response = yield from self._gateway.send("DELETE", _path(endpoint), key=idempotency_key)
        return self._gateway.parse(WebhookEndpoint, response)


def _path(endpoint: str | Identified) -> str:
    return f"{_PATH}/{segment(name_of(endpoint))}"


class WebhookEndpoints(Blocking, _WebhookEndpoints):
    """Webhook endpoints: where your events are sent."""


class AsyncWebhookEndpoints(Awaiting, _WebhookEndpoints):
    """Webhook endpoints: where your events are sent. Its methods are awaited."""
