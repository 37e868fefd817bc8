"""Accepting the orders of several requests in one transaction (docs/decisions/0037-group-acceptance.md).

Each keeps its own idempotency record, refusal and answer. What the group cannot decide in its stride runs alone.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import structlog
from fastapi import Response
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from clearing.kit import metrics, tracing
from clearing.kit.database import is_lock_timeout
from clearing.kit.errors import ClearingError
from clearing.kit.idempotency.models import IdempotencyRecord
from clearing.kit.idempotency.repository import PrincipalKey
from clearing.kit.idempotency.service import (
    GivenAnswer,
    IdempotencyService,
    InFlight,
    KeyUse,
    fingerprint,
    is_final,
)
from clearing.kit.locks import wait_at_most
from clearing.kit.rollbacks import repeated
from clearing.ordering.orders.events import Accepted
from clearing.ordering.orders.service import OrderRequest, OrderService
from clearing.parties.merchants.service import merchant_by_number
from gateway.http import problems
from gateway.http.auth import require_live
from gateway.http.context import Call
from gateway.http.idempotency import replay, run_once
from gateway.http.resources import resource_responses
from gateway.http.results import Started, Submitted

log = structlog.get_logger(__name__)

_LOCK_SECONDS = 1.0
"""So long a group waits for one lock: all of its members do, though most do not need it."""

Outcome = Response | Exception | None
"""What to answer, the exception that the request raises, or None: the request shall run alone."""


@dataclass
class Applicant:
    """A request whose order is to be accepted, and what became of it."""

    call: Call
    submitted: Submitted[Any]
    outcome: Outcome | None = None
    replayed: IdempotencyRecord | None = None
    accepted: str | None = None
    """Id of the resource that shows the accepted order."""
    answer: GivenAnswer | None = None
    """What to record for its key."""

    @property
    def identity(self) -> PrincipalKey:
        """Of two requests under one key the second gets the answer of the first."""
        return self.call.caller.principal, self.call.key

    @cached_property
    def use(self) -> KeyUse:
        """The key that it uses, and for what."""
        call = self.call
        return KeyUse(call.caller.principal, call.key, fingerprint(call.method, call.path, call.content))

    @property
    def size(self) -> int:
        """How many instructions it has."""
        return len(self.submitted.requests)

    def start_over(self) -> None:
        """Forgets what an attempt has noted whose transaction was rolled back."""
        self.call.start_over()
        self.outcome = self.replayed = self.accepted = self.answer = None


def order_service(call: Call) -> OrderService:
    """The service in this call's transaction."""
    gateway = call.gateway
    return OrderService(
        call.session, network=gateway.network, keyring=gateway.keyrings.managed_keys, settings=gateway.settings
    )


def run_alone(call: Call, submitted: Submitted[Any]) -> Response:
    """Has one order accepted in a transaction of its own."""

    def effect() -> Started[Any]:
        accepted = order_service(call).accept_all([_wanted(call, submitted)])[0]
        if isinstance(accepted, ClearingError):
            raise accepted
        return Started(_noted(call, submitted, accepted))

    with tracing.joint("accept", {"tongdui.orders": 1}) as traced:
        traced.append(call.traceparent)
        return run_once(call, effect)


# -------------------------------------------------------------------- a group


def accept_group(group: Sequence[Applicant]) -> list[Outcome]:
    """What becomes of each of these requests, whose keys are all different."""
    metrics.GROUP_ORDERS.observe(len(group))
    try:
        repeated(lambda: _accept_together(group), start_over=lambda: _start_over(group))
    except Exception as error:  # noqa: BLE001 (one by one it will be found whose it is)
        if is_lock_timeout(error):
            _start_over(group)
            return [None] * len(group)  # each waits for the lock in a thread of its own, and nobody else has to
        log.warning("the members of a group run one by one", size=len(group), error=type(error).__name__)
        return _one_by_one(group, error)
    return [member.outcome for member in group]


def _start_over(group: Sequence[Applicant]) -> None:
    for member in group:
        member.start_over()


def _one_by_one(group: Sequence[Applicant], failure: Exception) -> list[Outcome]:
    """Each member in a transaction of its own, in order of arrival. Where the database is away, the rest is told so at once:
    each would wait for it for seconds, and the last for minutes."""
    outcomes: list[Outcome] = []
    last: Outcome = failure
    for member in group:
        if isinstance(last, InFlight):
            outcomes.append(None)  # who still holds one key may hold them all: the rest wait in threads of their own
            continue
        if not _is_database_away(last):
            member.start_over()
            last = _alone(member)
        outcomes.append(last)
    return outcomes


def _alone(member: Applicant) -> Outcome:
    try:
        return run_alone(member.call, member.submitted)
    except Exception as error:  # noqa: BLE001 (its own request raises it)
        return error


def _accept_together(group: Sequence[Applicant]) -> None:
    """One transaction in which every member gets its outcome."""
    gateway = group[0].call.gateway
    with tracing.joint("accept", {"tongdui.orders": len(group)}) as traced, gateway.writing() as session:
        traced.extend(member.call.traceparent for member in group)
        wait_at_most(session, _LOCK_SECONDS)
        _let_in(session, group)
        keys = IdempotencyService(session)
        fresh = _claimed(keys, [member for member in group if member.outcome is None])
        _accept(session, fresh)
        keys.record_all([(member.use, member.answer) for member in fresh if member.answer is not None])
        _show(session, [member for member in group if member.accepted is not None or member.replayed is not None])


def _let_in(session: Session, group: Sequence[Applicant]) -> None:
    """Refuses callers whose key was revoked since they came in."""
    for member in group:
        try:
            require_live(session, member.call.caller)
        except ClearingError as refusal:
            member.outcome = refusal


def _claimed(keys: IdempotencyService, group: Sequence[Applicant]) -> list[Applicant]:
    """The members whose keys are used for the first time."""
    fresh = []
    for member, standing in zip(group, keys.claim_all([member.use for member in group]), strict=True):
        if standing is None:
            fresh.append(member)
        elif isinstance(standing, InFlight):
            continue  # it runs alone, and waits for the first one with its key; nobody else need do that
        elif isinstance(standing, ClearingError):
            member.outcome = standing
        else:
            member.replayed = standing
    return fresh


def _accept(session: Session, group: Sequence[Applicant]) -> None:
    if not group:
        return
    for member in group:
        member.call.session = session
    try:
        wanted = [_wanted(member.call, member.submitted) for member in group]
        for member, outcome in zip(group, order_service(group[0].call).accept_all(wanted), strict=True):
            if isinstance(outcome, ClearingError):
                _refuse(member, outcome)
            else:
                member.accepted = _noted(member.call, member.submitted, outcome)
                member.answer = GivenAnswer(member.call.status, location=member.accepted)
    finally:
        for member in group:
            member.call.session = None


def _refuse(member: Applicant, refusal: ClearingError) -> None:
    if not is_final(refusal):
        member.outcome = refusal
        return
    response = problems.problem_response(refusal, member.call.request_id)
    member.outcome = response
    member.answer = GivenAnswer(response.status_code, bytes(response.body).decode())


def _show(session: Session, group: Sequence[Applicant]) -> None:
    """The responses to those who do not wait for the chain; to the others a placeholder."""
    shown = []
    for member in group:
        record = member.replayed
        if record is not None:
            member.call.replayed = True
        if record is not None and record.location is None:
            member.outcome = replay(member.call, record)
        elif member.call.wait:
            member.call.started = member.accepted or (record.location if record is not None else None)
            member.outcome = Response(status_code=202)
        else:
            shown.append(member)
    asked = [(member.call, member.accepted or _location(member)) for member in shown]
    for member, response in zip(shown, resource_responses(session, asked), strict=True):
        member.outcome = response


def _location(member: Applicant) -> str:
    assert member.replayed is not None, "it was accepted now, or before"
    assert member.replayed.location is not None, "a recorded refusal is repeated as it is"
    return member.replayed.location


def _wanted(call: Call, submitted: Submitted[Any]) -> OrderRequest:
    number = call.caller.merchant_number
    assert number is not None, "only merchants' keys may hand in orders"
    return OrderRequest(
        merchant=merchant_by_number(call.session, number),
        requests=submitted.requests,
        actor=call.actor,
        authorization=submitted.authorization,
        atomic=submitted.atomic,
        places=submitted.places,
        traceparent=call.traceparent,
    )


def _noted(call: Call, submitted: Submitted[Any], accepted: Accepted) -> str:
    """The id of the resource that shows the order. The access log names the order."""
    call.notes["order"] = accepted.id
    return submitted.resource(accepted)


def _is_database_away(outcome: Outcome) -> bool:
    """Whether there was no connection to be had: then nobody else would get one, either. A connection that breaks is another
    matter: the next one may be good."""
    if isinstance(outcome, OperationalError):
        return isinstance(outcome.orig, sqlite3.OperationalError) or (
            outcome.statement is None and not outcome.connection_invalidated
        )
    return isinstance(outcome, PoolTimeout)
