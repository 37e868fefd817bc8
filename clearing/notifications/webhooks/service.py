"""Rules of webhook endpoints: which URLs are allowed, their secrets, and replaying events."""

from __future__ import annotations

import math
import re
import secrets
from base64 import b64encode
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy.orm import Session

from clearing.kit.clock import clock_of
from clearing.kit.config import Settings
from clearing.kit.errors import InvalidRequest, NotFound, RateLimited, Refused
from clearing.kit.events.models import Event
from clearing.kit.events.reader import EventReader
from clearing.kit.events.recorder import EventRecorder
from clearing.kit.events.repository import EventRepository
from clearing.kit.ids import new_id
from clearing.kit.signing.keyring import Keyring
from clearing.kit.viewer import Viewer
from clearing.notifications.webhooks.fanout import wants_type
from clearing.notifications.webhooks.models import DeliveryState, EndpointState, WebhookDelivery, WebhookEndpoint
from clearing.notifications.webhooks.repository import DeliveryRepository, EndpointRepository
from clearing.parties.merchants.models import Merchant

MAX_ENDPOINTS = 20
MAX_REPLAYED = 10_000
REPLAY_WINDOW = timedelta(seconds=60)
REPLAYS_OF_ENDPOINT, REPLAYS_OF_MERCHANT = 5, 10
"""How often within a window named events may be sent again to an endpoint, and to all of a merchant's together. All events since a
moment count as often as an endpoint may ask."""
OLD_SECRET_LIFETIME = timedelta(hours=24)
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
        """Creates an endpoint that receives events from now on. Returns it with its secret, which is not shown again."""
        self._check(url, types)
        if self._endpoints.count(merchant.number) >= MAX_ENDPOINTS:
            raise Refused(f"a merchant may have at most {MAX_ENDPOINTS} endpoints", code="too_many_endpoints")
        id = new_id("whe")  # noqa: A001
        sealed, shown = self._new_secret(id)
        endpoint = WebhookEndpoint(
            id=id,
            merchant_number=merchant.number,
            url=url,
            description=description,
            types=list(types),
            secret=sealed,
            after_seq=EventReader(self._session).newest(),
        )
        self._endpoints.add(endpoint)
        self._record("created", endpoint, actor)
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
        """Changes whatever is not None. Enabling an endpoint again begins with the deliveries that have waited.

        An endpoint that rests goes on resting: only an answer ends that, and `replay` of one event lets it be asked at once.
        """
        self._check(endpoint.url if url is None else url, endpoint.types if types is None else types)
        before = _settings_of(endpoint)
        if url is not None and url != endpoint.url:
            endpoint.url = url
        if types is not None:
            endpoint.types = list(types)
        if description is not None:
            endpoint.description = description
        if enabled is not None:
            endpoint.state = EndpointState.ENABLED if enabled else EndpointState.DISABLED
            endpoint.reason = None if enabled else "switched off"
            endpoint.failing_since = None
        self._session.flush()
        changed = {name: value for name, value in _settings_of(endpoint).items() if value != before[name]}
        self._record("changed", endpoint, actor, before={name: before[name] for name in changed}, after=changed)
        return endpoint

    def renew_secret(self, endpoint: WebhookEndpoint, actor: str) -> str:
        """Makes a new secret and returns it. For a day requests carry a signature by the old one, too."""
        sealed, shown = self._new_secret(endpoint.id)
        endpoint.old_secret, endpoint.secret = endpoint.secret, sealed
        endpoint.old_secret_until = clock_of(self._session).now() + OLD_SECRET_LIFETIME
        self._session.flush()
        self._record("secret_renewed", endpoint, actor)
        return shown

    def remove(self, endpoint: WebhookEndpoint, actor: str) -> None:
        """Removes an endpoint with its deliveries."""
        before = _settings_of(endpoint)
        self._endpoints.remove(endpoint)
        self._record("removed", endpoint, actor, before=before, after=dict.fromkeys(before))

    def replay(self, endpoint: WebhookEndpoint, *, since: datetime | None, event_ids: Sequence[str], actor: str) -> int:
        """Sends events again, in order: those with these ids, or all that the endpoint wants since a moment. Returns how many.

        One event, asked for by its id, ends the endpoint's rest: it shows whether the server answers again. If it does not, the
        endpoint rests as before.
        """
        self._count_replay(endpoint, 1 if event_ids else REPLAYS_OF_ENDPOINT)
        stored = EventRepository(self._session)
        if event_ids:
            events = list(stored.by_ids(endpoint.merchant_number, event_ids))
            missing = sorted(set(event_ids) - {event.id for event in events})
            if missing:
                raise NotFound.of("event", f"there is no event {missing[0]}", "/events")
        else:
            assert since is not None
            found = stored.since(endpoint.merchant_number, since, MAX_REPLAYED + 1)
            if len(found) > MAX_REPLAYED:
                detail = f"more than {MAX_REPLAYED} events; choose a later moment"
                raise Refused.at("/since", detail, code="too_many_events")
            events = [event for event in found if wants_type(endpoint, event.type)]
        if len(event_ids) == 1:
            endpoint.rests_until = None
        DeliveryRepository(self._session).again(endpoint.id, events, clock_of(self._session).now())
        self._record("replayed", endpoint, actor, events=len(events))
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

    def delivery(self, endpoint: WebhookEndpoint, event_id: str) -> tuple[WebhookDelivery, Event]:
        """The delivery of an event to the endpoint, with its last tries; NotFound where there is none (any more)."""
        found = DeliveryRepository(self._session).one(endpoint.id, event_id)
        if found is None:
            raise NotFound(f"there is no delivery of {event_id} to {endpoint.id}")
        return found

    # ---------------------------------------------------------------- parts

    def _check(self, url: str, types: Sequence[str]) -> None:
        check_url(url, allow_local=self._settings.webhook_allow_local)
        for position, pattern in enumerate(types):
            if not _TYPE.fullmatch(pattern):
                raise InvalidRequest.at(f"/types/{position}", "must be a type such as `order.settled`, or `order.*`")

    def _new_secret(self, endpoint_id: str) -> tuple[str, str]:
        raw = secrets.token_bytes(32)
        return self._keyring.seal(seal_purpose(endpoint_id), raw), "whsec_" + b64encode(raw).decode()

    def _count_replay(self, endpoint: WebhookEndpoint, weight: int) -> None:
        """Events that are sent again take the place of others."""
        at = clock_of(self._session).now()
        self._endpoints.lock(endpoint.id)
        if endpoint.replays_since is None or endpoint.replays_since <= at - REPLAY_WINDOW:
            endpoint.replays_since, endpoint.replays = at, 0
        of_others = self._endpoints.replays(endpoint.merchant_number, at - REPLAY_WINDOW, but=endpoint.id)
        replays = endpoint.replays + weight
        if replays > REPLAYS_OF_ENDPOINT or replays + of_others > REPLAYS_OF_MERCHANT:
            wait = REPLAY_WINDOW - (at - endpoint.replays_since)
            detail = (
                f"within {REPLAY_WINDOW.seconds} seconds, events can be sent again {REPLAYS_OF_ENDPOINT} times to an endpoint "
                f"({REPLAYS_OF_MERCHANT} times to all of a merchant's together), or once all since a moment"
            )
            raise RateLimited(detail, code="replay_too_soon", retry_after=math.ceil(wait.total_seconds()))
        endpoint.replays = replays

    def _record(self, action: str, endpoint: WebhookEndpoint, actor: str, **more: Any) -> None:
        data = {"webhook_endpoint": endpoint.id, "url": endpoint.url, **more}
        EventRecorder(self._session).record(
            f"webhook_endpoint.{action}", endpoint.id, actor=actor, merchants=[endpoint.merchant_number], data=data
        )


def seal_purpose(endpoint_id: str) -> str:
    """What the secrets of an endpoint are sealed for: they are good for no other one."""
    return f"webhook {endpoint_id}"


def _settings_of(endpoint: WebhookEndpoint) -> dict[str, Any]:
    """What its merchant has set."""
    return {
        "url": endpoint.url,
        "types": list(endpoint.types),
        "description": endpoint.description,
        "enabled": endpoint.state is EndpointState.ENABLED,
    }


def check_url(url: str, *, allow_local: bool) -> None:
    """Refuses a URL that no endpoint may have. `sending` checks the address behind the name, each time anew."""
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
        raise InvalidRequest.at("/url", "may not contain a user name or password")
    if parts.fragment:
        raise InvalidRequest.at("/url", "may not have a fragment")
