"""Sends the deliveries that are due: claim, send, save the answer. A crash in between repeats an event, but never loses one."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy.orm import Session

from clearing.kit import tracing
from clearing.kit.config import Settings
from clearing.kit.database import Database
from clearing.kit.events.models import Event
from clearing.kit.events.recorder import EventRecorder
from clearing.kit.events.sources import make_data
from clearing.kit.locks import lock_until_commit
from clearing.kit.signing.keyring import Keyring
from clearing.notifications.webhooks.fanout import fan_out, nothing_new
from clearing.notifications.webhooks.models import DeliveryState, EndpointState, WebhookDelivery, WebhookEndpoint
from clearing.notifications.webhooks.payload import message_of
from clearing.notifications.webhooks.repository import DeliveryRepository, EndpointRepository
from clearing.notifications.webhooks.sending import ANSWER_BYTES, Answer, ForbiddenAddress, Sender, Undelivered
from clearing.notifications.webhooks.service import seal_purpose
from clearing.notifications.webhooks.slots import SLOTS, SLOTS_FOR_FAILING, fill

log = structlog.get_logger(__name__)

_LOOK_INTERVAL = 0.5
"""So many seconds a step waits for an answer: meanwhile there may be something new."""
_GATHER_SECONDS = 0.02
"""After an answer, others may come within so many seconds: they are saved, and others begun, in one transaction."""
_LEASE_SECONDS = 60
"""A claim lasts so much longer than a request may take: the outcome may have to wait for the process's next step."""
_SHOWN = 1_024
"""How much of the last answer a list of deliveries shows."""
_TRIES_KEPT = 3
_GONE = 410
_REST_AFTER_FAILURES = 5
"""After so many failures in a row an endpoint gets a rest."""


@dataclass(frozen=True, slots=True)
class _Attempt:
    """What a thread needs to send one event without a session."""

    delivery_id: int
    endpoint_id: str
    url: str
    secrets: tuple[bytes, ...]
    event: Event
    claimed_until: datetime
    failing: bool
    """Whether the endpoint's last attempt had failed."""
    traceparent: str | None
    """The trace that the event belongs to, if there is one."""

    @property
    def order(self) -> tuple[str, int]:
        """The order in which outcomes are saved. It is always the same, so that two processes cannot deadlock."""
        return self.endpoint_id, self.delivery_id


@dataclass(frozen=True, slots=True)
class _Outcome:
    attempt: _Attempt
    at: datetime
    """When the request was sent."""
    milliseconds: int
    """How long it took until the answer, or until there was none."""
    status: int | None
    answer: str
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def is_success(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    def as_try(self) -> dict[str, Any]:
        """What the delivery keeps of it."""
        return {
            "at": self.at.isoformat(),
            "url": self.attempt.url,
            "milliseconds": self.milliseconds,
            "status": self.status,
            "headers": [list(header) for header in self.headers],
            "answer": self.answer[:ANSWER_BYTES],
        }


Traces = Callable[[Session, Collection[str]], Mapping[str, str]]
"""The traceparents of those subjects of events that have one."""


class Deliverer:
    """Delivers webhooks. Several processes may run one each at the same time."""

    def __init__(
        self, database: Database, settings: Settings, keyring: Keyring, traces: Traces = lambda _session, _subjects: {}
    ) -> None:
        self._database = database
        self._traces = traces
        self._clock = database.clock
        self._settings = settings
        self._keyring = keyring
        self._sender = Sender(seconds=settings.webhook_timeout, allow_local=settings.webhook_allow_local)
        self._pool = ThreadPoolExecutor(SLOTS, thread_name_prefix="webhook")
        self._running: dict[Future[_Outcome], _Attempt] = {}
        """Requests on their way. A step that must end leaves them to the next one."""

    def close(self) -> None:
        """Waits until nothing is being sent any more."""
        self._pool.shutdown()
        self._save_done()

    def step(self) -> int:
        """Fans out new events, fills the free slots with what is due, and saves what is answered within a moment. Returns how many
        attempts it began or still waits for; after 0 there is nothing left to do.

        What is still on its way is for the next step. So nobody waits for somebody else's server.
        """
        self.fan_out()
        attempts = self._claimed()
        self._running |= {self._pool.submit(self._send, attempt): attempt for attempt in attempts}
        waiting = len(self._running)
        wait(self._running, _LOOK_INTERVAL, return_when=FIRST_COMPLETED)
        wait(self._running, _GATHER_SECONDS)
        self._save_done()
        return waiting

    def fan_out(self) -> None:
        """Makes deliveries of all new events, a limited number per transaction."""
        more = True
        while more:
            with self._database.reading() as session:
                if nothing_new(session):
                    return
            with self._database.session.begin() as session:
                more = fan_out(session)

    # ---------------------------------------------------------------- claim

    def _claimed(self) -> list[_Attempt]:
        """Claims what goes into the free slots. One process at a time, because all of them count together."""
        free = SLOTS - len(self._running)
        at = self._clock.now()
        if not free:
            return []
        with self._database.reading() as session:
            if all(one.due_since is None for one in DeliveryRepository(session).candidates(at)):
                return []
        for_failing = SLOTS_FOR_FAILING - sum(attempt.failing for attempt in self._running.values())
        lease = timedelta(seconds=self._settings.webhook_timeout + _LEASE_SECONDS)
        with self._database.session.begin() as session:
            lock_until_commit(session, "webhooks.claims")
            deliveries = DeliveryRepository(session)
            claimed = fill(
                deliveries.candidates(at),
                lambda endpoint, limit: deliveries.due(endpoint, at, limit),
                free=free,
                for_failing=for_failing,
            )
            deliveries.claim(claimed, at, at + lease)
            make_data(session, [event for _, _, event in claimed])  # the threads that send them have no session
            traces = self._traces(session, {event.subject for _, _, event in claimed}) if tracing.is_on() else {}
            return [self._attempt(*row, at, traces.get(row[2].subject)) for row in claimed]

    def _attempt(
        self,
        delivery: WebhookDelivery,
        endpoint: WebhookEndpoint,
        event: Event,
        at: datetime,
        traceparent: str | None,
    ) -> _Attempt:
        stored = [endpoint.secret]
        if endpoint.old_secret and endpoint.old_secret_until and endpoint.old_secret_until > at:
            stored.append(endpoint.old_secret)
        secrets = tuple(self._keyring.unseal(seal_purpose(endpoint.id), sealed) for sealed in stored)
        failing = endpoint.failures > 0
        return _Attempt(
            delivery.id, endpoint.id, endpoint.url, secrets, event, delivery.next_attempt_at, failing, traceparent
        )

    # ---------------------------------------------------------------- send

    def _send(self, attempt: _Attempt) -> _Outcome:
        at, began = self._clock.now(), self._clock.monotonic()
        attributes = {"tongdui.event": attempt.event.type, "tongdui.webhook_endpoint": attempt.endpoint_id}
        with tracing.request("webhook", attempt.traceparent, attributes) as request:
            message = message_of(attempt.event, at)
            try:
                answer: Answer = self._sender.send(attempt.url, message, attempt.secrets, request.headers)
            except (ForbiddenAddress, Undelivered) as error:
                request.failed(error)
                return _Outcome(attempt, at, self._milliseconds_since(began), None, str(error))
            request.answered(answer.status)
        return _Outcome(attempt, at, self._milliseconds_since(began), answer.status, answer.beginning, answer.headers)

    def _milliseconds_since(self, began: float) -> int:
        return round((self._clock.monotonic() - began) * 1_000)

    # ---------------------------------------------------------------- save the answer

    def _save_done(self) -> None:
        done = [future for future in self._running if future.done()]
        for future in done:
            del self._running[future]
        self._save_all([future.result() for future in done])

    def _save_all(self, outcomes: list[_Outcome]) -> None:
        if outcomes:
            with self._database.session.begin() as session:
                for outcome in sorted(outcomes, key=lambda outcome: outcome.attempt.order):
                    self._save(session, outcome)

    def _save(self, session: Session, outcome: _Outcome) -> None:
        attempt = outcome.attempt
        endpoint = EndpointRepository(session).lock(attempt.endpoint_id)
        delivery = DeliveryRepository(session).lock(attempt.delivery_id)
        if endpoint is None or delivery is None or delivery.claimed_until != attempt.claimed_until:
            return  # removed, or claimed again in the meantime: another answer will count
        delivery.claimed_until = None
        if delivery.next_attempt_at != attempt.claimed_until:
            return  # replayed in the meantime: another answer will count
        delivery.status = outcome.status
        delivery.answer = outcome.answer[:_SHOWN]
        delivery.tries = [*delivery.tries, outcome.as_try()][-_TRIES_KEPT:]
        if outcome.is_success:
            delivery.state = DeliveryState.DELIVERED
            delivery.delivered_at = self._clock.now()
            endpoint.failures = 0
            endpoint.failing_since = endpoint.rests_until = None
        else:
            self._save_failure(session, endpoint, delivery)

    def _save_failure(self, session: Session, endpoint: WebhookEndpoint, delivery: WebhookDelivery) -> None:
        at = self._clock.now()
        settings = self._settings
        log.info("webhook failed", endpoint=endpoint.id, number=delivery.event_seq, status=delivery.status)
        endpoint.failures += 1
        endpoint.failing_since = endpoint.failing_since or at
        if endpoint.failures >= _REST_AFTER_FAILURES:
            pause = pause_after(endpoint.failures - _REST_AFTER_FAILURES + 1, 1.0, settings.webhook_rest)
            endpoint.rests_until = at + timedelta(seconds=pause)
        if at - delivery.created_at > timedelta(seconds=settings.webhook_give_up_after):
            delivery.state = DeliveryState.FAILED
        pause = pause_after(delivery.attempts, settings.webhook_first_retry, settings.webhook_longest_retry)
        delivery.next_attempt_at = at + timedelta(seconds=pause)
        if delivery.status == _GONE:
            self._disable(session, endpoint, "the server answered 410 Gone")
        elif at - endpoint.failing_since > timedelta(seconds=settings.webhook_disable_after):
            self._disable(session, endpoint, f"nothing was delivered since {endpoint.failing_since:%Y-%m-%d %H:%M} UTC")

    def _disable(self, session: Session, endpoint: WebhookEndpoint, reason: str) -> None:
        if endpoint.state is EndpointState.DISABLED:
            return
        endpoint.state = EndpointState.DISABLED
        endpoint.reason = reason
        data = {"webhook_endpoint": endpoint.id, "url": endpoint.url, "reason": reason}
        EventRecorder(session).record(
            "webhook_endpoint.disabled", endpoint.id, actor="worker", merchants=[endpoint.merchant_number], data=data
        )


def pause_after(attempts: int, first: float, longest: float) -> float:
    """Seconds until the next attempt: a random part of a pause that doubles each time up to `longest`, at least half of it."""
    whole = min(first * 2.0 ** min(attempts - 1, 40), longest)
    return whole * random.uniform(0.5, 1.0)  # noqa: S311 (spreads load, guards nothing)
