"""Rules of webhook endpoints: what may be one, its secret, and sending things again."""

from __future__ import annotations

import re
import secrets
from base64 import b64encode
from collections.abc import Sequence
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from sqlalchemy import select
from sqlalchemy.orm import Session

from clearing.kit.clock import now
from clearing.kit.config import Settings
from clearing.kit.errors import InvalidRequest, NotFound, Refused
from clearing.kit.events.models import Event
from clearing.kit.events.repository import EventRepository
from clearing.kit.ids import new_id
from clearing.kit.signing.keyring import Keyring
from clearing.kit.viewer import Viewer
from clearing.notifications.webhooks.fanout import matches
from clearing.notifications.webhooks.models import DeliveryState, EndpointState, WebhookDelivery, WebhookEndpoint
from clearing.notifications.webhooks.repository import DeliveryRepository, EndpointRepository, EventReader
from clearing.parties.merchants.models import Merchant

MOST_ENDPOINTS = 20
MOST_REPLAYED = 10_000
OLD_SECRET_LASTS = timedelta(hours=24)
_TYPE = re.compile(r"[a-z_]+\.(\*|[a-z_]+)")


class WebhookService:
    """Webhook endpoints in one transaction."""

    def __init__(self, session: Session, *, keyring: Keyring, settings: Settings) -> None:
        self._session = session
        self._keyring = keyring
        self._settings = settings
        self._endpoints = EndpointRepository(session)

    def create(
        self, merchant: Merchant, *, url: str, types: Sequence[str], description: str, actor: str
    ) -> tuple[WebhookEndpoint, str]:
        """An endpoint, and its secret, which is not shown again. It hears of events from now on."""
        self._check(url, types)
        if self._endpoints.count(merchant.number) >= MOST_ENDPOINTS:
            raise Refused(f"a merchant has at most {MOST_ENDPOINTS} endpoints", code="too_many_endpoints")
        keystore, shown = self._new_secret()
        endpoint = WebhookEndpoint(
            id=new_id("whe"),
            merchant_number=merchant.number,
            url=url,
            description=description,
            types=list(types),
            secret=keystore,
            after_seq=EventReader(self._session).newest(),
        )
        self._endpoints.add(endpoint)
        self._tell("created", endpoint, actor)
        return endpoint, shown

    def change(
        self,
        endpoint: WebhookEndpoint,
        *,
        url: str | None,
        types: Sequence[str] | None,
        description: str | None,
        enabled: bool | None,
        actor: str,
    ) -> WebhookEndpoint:
        """Changes what is not None. Enabling it again starts with what has waited."""
        self._check(endpoint.url if url is None else url, endpoint.types if types is None else types)
        if url is not None and url != endpoint.url:
            endpoint.url = url
            self._start_afresh(endpoint)
        if types is not None:
            endpoint.types = list(types)
        if description is not None:
            endpoint.description = description
        if enabled is not None:
            endpoint.state = EndpointState.ENABLED if enabled else EndpointState.DISABLED
            endpoint.reason = None if enabled else "switched off"
            self._start_afresh(endpoint)
        self._session.flush()
        self._tell("changed", endpoint, actor)
        return endpoint

    def renew_secret(self, endpoint: WebhookEndpoint, actor: str) -> str:
        """A new secret. For a day requests carry a signature with the old one, too."""
        keystore, shown = self._new_secret()
        endpoint.old_secret, endpoint.secret = endpoint.secret, keystore
        endpoint.old_secret_until = now() + OLD_SECRET_LASTS
        self._session.flush()
        self._tell("secret_renewed", endpoint, actor)
        return shown

    def remove(self, endpoint: WebhookEndpoint, actor: str) -> None:
        """Removes an endpoint with what is on its way there."""
        self._endpoints.remove(endpoint)
        self._tell("removed", endpoint, actor)

    def replay(self, endpoint: WebhookEndpoint, *, since: datetime | None, event_ids: Sequence[str], actor: str) -> int:
        """Sends events again, in order: those named, or all that it wants since a moment; how many."""
        query = select(Event).where(Event.merchant_number == endpoint.merchant_number).order_by(Event.seq)
        if event_ids:
            events = list(self._session.scalars(query.where(Event.id.in_(event_ids))))
            missing = sorted(set(event_ids) - {event.id for event in events})
            if missing:
                raise NotFound.at("/events", f"there is no event {missing[0]}", code="unknown_event")
        else:
            assert since is not None
            found = self._session.scalars(query.where(Event.created_at >= since).limit(MOST_REPLAYED + 1)).all()
            if len(found) > MOST_REPLAYED:
                detail = f"more than {MOST_REPLAYED} events; choose a later moment"
                raise Refused.at("/since", detail, code="too_many_events")
            events = [event for event in found if _asked_for(endpoint, event)]
        DeliveryRepository(self._session).again(endpoint.id, events, now())
        self._tell("replayed", endpoint, actor, events=len(events))
        return len(events)

    def list(self, viewer: Viewer, *, after: str | None, limit: int) -> Sequence[WebhookEndpoint]:
        """The endpoints that the viewer may see, newest first."""
        return self._endpoints.list(merchant_number=viewer.merchant_number, after=after, limit=limit)

    def visible(self, viewer: Viewer, endpoint_id: str) -> WebhookEndpoint:
        """The endpoint with this id, or NotFound where it is another merchant's."""
        endpoint = self._endpoints.by_id(endpoint_id)
        if endpoint is None or not viewer.sees(endpoint.merchant_number):
            raise NotFound(f"there is no webhook endpoint {endpoint_id}")
        return endpoint

    def deliveries(
        self, endpoint: WebhookEndpoint, *, state: DeliveryState | None, after: int | None, limit: int
    ) -> Sequence[tuple[WebhookDelivery, Event]]:
        """The endpoint's deliveries with their events, newest first; `after` is the number of the last event seen."""
        return DeliveryRepository(self._session).list(endpoint.id, state=state, after=after, limit=limit)

    # ---------------------------------------------------------------- parts

    def _check(self, url: str, types: Sequence[str]) -> None:
        check_url(url, allow_local=self._settings.webhook_allow_local)
        for position, pattern in enumerate(types):
            if not _TYPE.fullmatch(pattern):
                raise InvalidRequest.at(f"/types/{position}", "must be a type such as `order.settled`, or `order.*`")

    def _new_secret(self) -> tuple[str, str]:
        raw = secrets.token_bytes(32)
        _, keystore = self._keyring.encrypt(raw)
        return keystore, "whsec_" + b64encode(raw).decode()

    def _start_afresh(self, endpoint: WebhookEndpoint) -> None:
        endpoint.failures = 0
        endpoint.failing_since = endpoint.rests_until = None

    def _tell(self, action: str, endpoint: WebhookEndpoint, actor: str, **more: int) -> None:
        data = {"webhook_endpoint": endpoint.id, "url": endpoint.url, **more}
        EventRepository(self._session).add(
            f"webhook_endpoint.{action}", endpoint.id, actor, endpoint.merchant_number, data
        )


def _asked_for(endpoint: WebhookEndpoint, event: Event) -> bool:
    return not endpoint.types or any(matches(pattern, event.type) for pattern in endpoint.types)


def check_url(url: str, *, allow_local: bool) -> None:
    """Refuses what cannot be an endpoint. Where the name leads is checked each time that something is sent."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise InvalidRequest.at("/url", "is not a URL") from None
    local = allow_local and host in ("localhost", "127.0.0.1", "::1")
    if parts.scheme != "https" and not (parts.scheme == "http" and local):
        raise InvalidRequest.at("/url", "must begin with https://", code="insecure_url")
    if not host or not url.isascii() or any(character.isspace() for character in url):
        raise InvalidRequest.at("/url", "is not a URL")
    if parts.username is not None or parts.password is not None:
        raise InvalidRequest.at("/url", "may not hold a user name or password")
    if parts.fragment:
        raise InvalidRequest.at("/url", "may not have a fragment")
