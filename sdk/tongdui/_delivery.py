"""Sending one request until it is answered: which failures are retried, and how long to wait in between."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Collection

import httpx

from ._errors import APIConnectionError, APIError, APITimeoutError, OutcomeUnknownError, error_of
from ._flow import Flow, Pause, Request

LONGEST_BACKOFF = 60.0
"""Seconds that a retry may wait, unless a client says otherwise."""

_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
"""There was no connection, so nobody can have received the request."""
_OUR_FAULT = (httpx.UnsupportedProtocol, httpx.LocalProtocolError)


def deliver(
    request: Request,
    max_retries: int,
    *,
    longest_backoff: float = LONGEST_BACKOFF,
    accept: Collection[int] = (),
    advice: str | None = None,
    jitter: Callable[[], float] = random.random,
) -> Flow[httpx.Response]:
    """Send a request until it is answered, backing off between attempts.

    Connection errors, timeouts, 409 `idempotency_in_flight`, 429, 502, 503 and 504 are retried. With an `advice`, the gateway
    receives the request once at most: only a connection that was never made is tried again.

    Args:
        request: What to send.
        max_retries: How many attempts may follow the first.
        longest_backoff: Seconds. A longer Retry-After is not slept through: the error is raised and carries it.
        accept: Statuses to return like a success.
        advice: For a request that the gateway would not recognise if it came again: what to do if no answer comes.
        jitter: Returns a number from 0 to 1 that shortens the backoff.

    Returns:
        A successful response, or one whose status is in `accept`.

    Raises:
        APIError: The gateway refused the request.
        APIConnectionError: No answer came. Of a request that may be sent once only, `OutcomeUnknownError` if the gateway may have
            received it, or does not know itself what became of it (`database_unavailable`).
    """
    for attempt in itertools.count():
        failure: APIError | APIConnectionError
        try:
            response: httpx.Response = yield request
        except httpx.TransportError as error:
            is_unsent = isinstance(error, (*_NEVER_SENT, *_OUR_FAULT))
            failure = _connection_error(error, request, None if is_unsent else advice)
            failure.__cause__ = error
            may_retry = (advice is None or is_unsent) and not isinstance(error, _OUR_FAULT)
            retry_after = None
        else:
            if response.is_success or response.status_code in accept:
                return response
            failure = error_of(response)
            may_retry, retry_after = failure.is_retryable and advice is None, failure.retry_after
            if advice is not None and (failure.is_of_proxy or failure.code == "database_unavailable"):
                failure = OutcomeUnknownError(
                    f"{request.method} {request.url}: {failure.title} ({failure.status})", advice
                )
        if not may_retry or attempt >= max_retries or (retry_after or 0) > longest_backoff:
            raise failure
        yield Pause(backoff(attempt, retry_after, jitter()))
    raise AssertionError("unreachable")


def backoff(attempt: int, retry_after: float | None, jitter: float) -> float:
    """Seconds to wait before the next attempt: 0.25, 0.5, 1, 2 and so on up to 8, shortened by up to a half.

    Args:
        attempt: How many attempts came before the last one.
        retry_after: The least number of seconds, if the gateway named one.
        jitter: From 0 (the whole time) to 1 (half of it).

    Returns:
        Seconds; never less than `retry_after`.
    """
    own = min(0.25 * 2.0**attempt, 8.0) * (1 - jitter / 2)
    return own if retry_after is None else retry_after + own * 0.1


def _connection_error(error: httpx.TransportError, request: Request, advice: str | None) -> APIConnectionError:
    what = f"{request.method} {request.url}: {str(error) or type(error).__name__}"
    if advice is not None:
        return OutcomeUnknownError(what, advice)
    kind = APITimeoutError if isinstance(error, httpx.TimeoutException) else APIConnectionError
    return kind(what)
