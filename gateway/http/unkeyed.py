"""Mutations without an Idempotency-Key: of people who sign in, and of people for themselves.

Their answers are for one person only, while a key belongs to a whole merchant; and what is kept of a keyed body to recognise it
again would help to guess the password in it (docs/decisions/0039-people-sign-in-to-the-gateway.md).
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial, wraps
from operator import attrgetter
from typing import Any

from anyio import CapacityLimiter, to_thread
from fastapi import Response
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from clearing.kit.errors import ClearingError, Unavailable
from clearing.kit.rollbacks import repeated
from gateway.http.auth import require_live
from gateway.http.context import Call, Done, Gateway, OpenCall
from gateway.http.problems import database_unavailable
from gateway.http.results import Answer
from gateway.http.schemas import View

Threads = Callable[[Gateway], CapacityLimiter]
"""Which threads are kept for a kind of work."""


def in_own_transaction(route: Callable[..., View]) -> Callable[..., Response]:
    """The route's function in one transaction. Of a refusal only that somebody has tried is kept."""

    @wraps(route)
    def run(*, call: Call, **arguments: Any) -> Response:
        try:
            outcome = repeated(
                lambda: _attempt(call, partial(route, call=call, **arguments)), start_over=call.start_over
            )
        except (OperationalError, PoolTimeout) as error:
            raise _perhaps_done(error) from error
        if isinstance(outcome, ClearingError):
            raise outcome
        return Response(outcome.model_dump_json(), call.status, media_type="application/json")

    return run


def _attempt(call: Call, effect: Callable[[], View]) -> View | ClearingError:
    with call.gateway.writing() as session:
        call.session = session
        try:
            require_live(session, call.caller)
            with session.begin_nested():
                return effect()
        except ClearingError as error:
            error.count(session)
            return error
        finally:
            call.session = None


def in_steps(
    route: Callable[..., View | Answer[View]], threads: Threads = attrgetter("strangers")
) -> Callable[..., Coroutine[Any, Any, Response]]:
    """The route's function in a thread kept for such work. It opens the transactions that it needs."""

    def work(call: Call | OpenCall, **arguments: Any) -> View | Answer[View]:
        try:
            return _counted(call, partial(route, call=call, **arguments))
        except (OperationalError, PoolTimeout) as error:
            raise _perhaps_done(error) from error

    @wraps(route)
    async def run(*, call: Call | OpenCall, **arguments: Any) -> Response:
        result = await to_thread.run_sync(partial(work, call, **arguments), limiter=threads(call.gateway))
        answer = result if isinstance(result, Answer) else Answer(result, call.status)
        return Response(answer.view.model_dump_json(), answer.status, media_type="application/json")

    return run


def _counted(call: Call | OpenCall, effect: Callable[[], Done]) -> Done:
    """What the effect returns. Of a refusal that somebody has tried is written, in a transaction of its own."""
    try:
        return effect()
    except ClearingError as error:
        if error.counts:
            repeated(partial(_count, call, error))
        raise


def _count(call: Call | OpenCall, error: ClearingError) -> None:
    with call.gateway.writing() as session:
        error.count(session)


def _perhaps_done(error: Exception) -> Unavailable:
    """Without a key, nobody can tell whether the effect was lost or only the answer; and an attempt, or an issuer's code, is
    perhaps used up."""
    return database_unavailable(error, "a part of this may have been done, so look before you send it again")
