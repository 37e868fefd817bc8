"""Sending one request until it is answered: which failures are retried, and how long to wait in between."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Collection

import httpx

from ._errors import APIConnectionError, APIError, APITimeoutError, error_of
from ._flow import Flow, Pause, Request

LONGEST_BACKOFF = 60.0
"""Seconds. A longer Retry-After is not slept through: the error is raised and carries it."""


def deliver(
    request: Request,
    max_retries: int,
    *,
    accept: Collection[int] = (),
    jitter: Callable[[], float] = random.random,
) -> Flow[httpx.Response]:
    """Send a request until it is answered, backing off between attempts.

    Connection errors, timeouts, 409 `idempotency_in_flight`, 429, 502, 503 and 504 are retried.

    Args:
        request: What to send.
        max_retries: How many attempts may follow the first.
        accept: Statuses to return like a success.
        jitter: Returns a number from 0 to 1 that shortens the backoff.

    Returns:
        A successful response, or one whose status is in `accept`.

    Raises:
        APIError: The gateway refused the request.
        APIConnectionError: No answer came.
    """
    for attempt in itertools.count():
        failure: APIError | APIConnectionError
        try:
            response: httpx.Response = yield request
        except httpx.TransportError as error:
            failure = _connection_error(error, request.method, request.url)
            failure.__cause__ = error
            may_retry = not isinstance(error, (httpx.UnsupportedProtocol, httpx.LocalProtocolError))
            retry_after = None
        else:
            if response.is_success or response.status_code in accept:
                return response
            failure = error_of(response)
            may_retry, retry_after = failure.is_retryable, failure.retry_after
        if not may_retry or attempt >= max_retries or (retry_after or 0) > LONGEST_BACKOFF:
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


def _connection_error(error: httpx.TransportError, method: str, url: str) -> APIConnectionError:
    kind = APITimeoutError if isinstance(error, httpx.TimeoutException) else APIConnectionError
    return kind(f"{method} {url}: {str(error) or type(error).__name__}")
