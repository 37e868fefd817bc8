"""The life of a request: who calls, may they, one transaction around the route's function, and a wait for the chain if asked."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Coroutine
from contextlib import AbstractContextManager, nullcontext
from functools import partial, wraps
from operator import attrgetter
from typing import Annotated, Any, get_origin, get_type_hints

from anyio import to_thread
from fastapi import Depends, Header, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from starlette.exceptions import HTTPException

from clearing.kit.errors import Forbidden, InvalidRequest, NotFound, Unauthenticated
from clearing.kit.time_limits import at_most, is_out_of_time
from clearing.parties.access.service import Caller, presumed_caller
from clearing.parties.staff.sessions import Origin
from gateway.http import bodies, dry_run, expansion, integers, streaming, tables
from gateway.http.acceptance import Applicant, run_alone
from gateway.http.addresses import client_address, client_neighbourhood
from gateway.http.auth import RULES, VISITOR, Rule, authenticate, require_live, token_of
from gateway.http.context import Call, Gateway, OpenCall, call_of, open_call_of, require_credential
from gateway.http.dry_run import DryRunView
from gateway.http.idempotency import run_once
from gateway.http.parameters import query_parameters, refuse_unknown
from gateway.http.problems import HttpError, documented, request_id_of
from gateway.http.rate_limits import Kind
from gateway.http.results import Result, Submitted, view_type
from gateway.http.schemas import View
from gateway.http.segments import decoded
from gateway.http.unkeyed import in_own_transaction, in_steps
from gateway.http.waiting import preferred_wait, prefers_minimal

_PREFER = (
    "`wait=N`: answer when the chain has decided, or after N (at most 30) seconds. "
    "`return=minimal`: show an order without its movements"
)
Handler = Callable[[Request], Coroutine[Any, Any, Response]]
_OF_THE_REQUEST = (RequestValidationError, HTTPException, HttpError, InvalidRequest, Forbidden)
"""What a route raises about the request itself, perhaps before its transaction has begun."""
_KEY = re.compile(r"[!-~]{1,255}")
_NO_FILTERS = frozenset({"limit", "cursor", expansion.PARAMETER})
"""Query parameters that every list has."""


async def _reading(request: Request) -> Call:
    return call_of(request)


async def _looking(request: Request) -> Call:
    return call_of(request)


async def _oneself(request: Request) -> Call:
    return call_of(request)


async def _proving(request: Request) -> Call:
    return call_of(request)


async def _open(request: Request) -> OpenCall:
    return open_call_of(request)


async def _elsewhere(request: Request) -> OpenCall:
    return open_call_of(request)


async def _mutating(
    request: Request,
    idempotency_key: Annotated[  # noqa: ARG001 (`_read_mutation` checks it; this documents it)
        str,
        Header(
            alias="Idempotency-Key",
            min_length=1,
            max_length=255,
            description="Makes a retry harmless: one effect a key. 1 to 255 visible ASCII characters",
        ),
    ],
) -> Call:
    return call_of(request)


async def _waitable(
    call: Annotated[Call, Depends(_mutating)],
    prefer: Annotated[  # noqa: ARG001 (`_open_call` reads it; this documents it)
        str | None, Header(description=_PREFER)
    ] = None,
) -> Call:
    return call


async def _dry_runnable(
    request: Request,
    idempotency_key: Annotated[  # noqa: ARG001 (`_read_mutation` checks it; this documents it)
        str | None,
        Header(
            alias="Idempotency-Key",
            min_length=1,
            max_length=255,
            description="Makes a retry harmless: one effect a key. 1 to 255 visible ASCII characters. "
            "Required, except in a dry run",
        ),
    ] = None,
    dry_run: Annotated[  # noqa: ARG001 (`_read_mutation` reads it; this documents it)
        bool,
        Query(description="true: check everything and say what would happen, but do nothing"),
    ] = False,
) -> Call:
    return call_of(request)


async def _moving(
    call: Annotated[Call, Depends(_dry_runnable)],
    prefer: Annotated[  # noqa: ARG001 (`_open_call` reads it; this documents it)
        str | None, Header(description=_PREFER)
    ] = None,
) -> Call:
    return call


Reading = Annotated[Call, Depends(_reading)]
"""The call of a route that reads."""
Looking = Annotated[Call, Depends(_looking)]
"""The call of a POST that reads what its body names, because no path has so much room: it needs no Idempotency-Key."""
Oneself = Annotated[Call, Depends(_oneself)]
"""The call of a route with which a person changes its own affairs. It needs no Idempotency-Key."""
Proving = Annotated[Call, Depends(_proving)]
"""The same of a route to which the person gives its password. Its function opens the transactions that it needs: slow hashes lie
between them."""
Open = Annotated[OpenCall, Depends(_open)]
"""The call of a route that needs no credential."""
Elsewhere = Annotated[OpenCall, Depends(_elsewhere)]
"""The same of a route that asks another server, and waits for it."""
Mutating = Annotated[Call, Depends(_mutating)]
"""The call of a route that changes something."""
Waitable = Annotated[Call, Depends(_waitable)]
"""The call of a route whose response may wait for the chain."""
Holding = Annotated[Call, Depends(_dry_runnable)]
"""The call of a route that sets points aside: it has a dry run."""
Moving = Annotated[Call, Depends(_moving)]
"""The call of a route that moves points: its response may wait for the chain, and it has a dry run."""

_OPEN = (Open, Elsewhere)


class Endpoint(APIRoute):
    """A route under `/v1`. A mutation runs once for its Idempotency-Key; a route that reads cannot write.

    The whole transaction runs in one go in one thread: a request that held a lock while it queued for another thread could
    wait for ever for those that queue for the lock.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        (method,) = options["methods"]
        self.rule = RULES[method, path]
        self.has_body = method != "GET"
        call = get_type_hints(endpoint, include_extras=True)["call"]
        self.mutates = self.has_body and call not in (Looking, Oneself, Proving, *_OPEN)
        assert (call in _OPEN) == self.rule.is_open, f"{method} {path}: the rule and the function do not agree"
        self.kind = self._kind(endpoint, call, path)
        """What its requests are counted as."""
        statuses = {401, 403, 422, 429, 500, 503} | ({404} if "{" in path else set())
        statuses |= {400, 413, 415} if self.has_body else set()
        statuses |= {404, 409} if self.mutates else set()
        statuses |= {504} if self.kind is Kind.LISTS else set()
        options["responses"] = documented(*sorted(statuses)) | (options.get("responses") or {})
        options["summary"] = (
            options.get("summary") or (options.get("name") or endpoint.__name__).replace("_", " ").capitalize()
        )
        self.is_stream = streaming.is_stream(endpoint)
        if self.is_stream:
            self._prepare_stream(path, endpoint, options)
            return
        options["response_model"] = view = view_type(endpoint)
        self.has_dry_run = call in (Holding, Moving)
        if self.has_dry_run:
            shown = {"model": DryRunView[view], "description": "What it would do (`dry_run=true`)"}  # type: ignore[valid-type]
            options["responses"][200] = shown
        self.columns = tables.columns_of(view)
        if self.columns is not None:
            options["responses"][options.get("status_code") or 200] = {"content": tables.documented(self.columns)}
        self.hands_in = get_origin(get_type_hints(endpoint)["return"]) is Submitted
        run = self._around(call)(endpoint)
        self.expandable = () if self.mutates or call in (Oneself, Proving, *_OPEN) else expansion.expandable(view)
        if self.expandable:
            expansion.documented(run, _looking if self.has_body else _reading, self.expandable)
        super().__init__(path, run, **options)

    def _kind(self, endpoint: Callable[..., Any], call: Any, path: str) -> Kind:
        if self.rule.is_open:
            return Kind.OPEN
        if streaming.is_stream(endpoint):
            return Kind.STREAMS
        if self.has_body and call is not Looking:
            return Kind.WRITES
        return Kind.READS if self.has_body or path.endswith("}") else Kind.LISTS

    def _around(self, call: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """What to put around the route's function."""
        if self.hands_in:
            return _in_group
        if call in (Open, Proving):
            return in_steps
        if call is Elsewhere:
            return partial(in_steps, threads=attrgetter("issuers"))
        if call is Oneself:
            return in_own_transaction
        if self.mutates:
            return _in_transaction
        return partial(_in_snapshot, is_long=self.kind is Kind.LISTS)

    def _prepare_stream(self, path: str, endpoint: Callable[..., Any], options: dict[str, Any]) -> None:
        """A stream has no transaction: it would last as long as the stream."""
        self.has_dry_run, self.columns, self.expandable, self.hands_in = False, None, (), False
        options["responses"] |= {200: streaming.DOCUMENTED}
        options["response_model"], options["response_class"] = None, streaming.EventStream
        options["status_code"] = 200
        super().__init__(path, endpoint, **options)

    def get_route_handler(self) -> Handler:
        """FastAPI's handler with the life of a request around it."""
        handle = self._hand_in if self.hands_in else super().get_route_handler()
        if self.rule.is_open:
            return self._opening(handle)
        if self.kind is Kind.LISTS:
            handle = _saying_what_to_narrow(handle, query_parameters(self.dependant)[0])
        return _refusing_strangers_first(self._calling(handle))

    def _opening(self, handle: Handler) -> Handler:
        """The life of a request that needs no credential."""
        known, lists = query_parameters(self.dependant)

        async def handle_open(request: Request) -> Response:
            request.scope["path_params"] = decoded(request.scope["path_params"])
            await _gateway_of(request).limits.count(request, Kind.OPEN, client_neighbourhood(request))
            refuse_unknown(request, known, lists)
            if self.has_body:
                await _body_of(request)
            request.state.open_call = _opened(request, self.status_code or 200)
            return await handle(request)

        return handle_open

    def _calling(self, handle: Handler) -> Handler:
        """The life of a request with a credential."""
        known, lists = query_parameters(self.dependant)

        async def handle_call(request: Request) -> Response:
            request.scope["path_params"] = decoded(request.scope["path_params"])
            call = await _open_call(request, self.rule, self.status_code or 200, self.kind)
            refuse_unknown(request, known, lists)
            if self.columns is not None and tables.is_wanted(request.headers.get("accept", "")):
                call.columns = self.columns
            if self.expandable:
                call.expand = expansion.wanted(request, self.expandable)
                require_credential(call, expansion.PARAMETER, is_used=bool(call.expand))
            if self.mutates:
                call.dry_run = self.has_dry_run and dry_run.is_wanted(request)
                _read_mutation(call, request)
            if self.has_body:
                call.raw_body = await _body_of(request)
            request.state.call = call
            if self.is_stream and request.state.is_head:
                return Response(media_type=streaming.EventStream.media_type)  # there is no end to wait for
            response = await _close_call(call, await handle(request))
            return integers.as_text(response) if integers.is_wanted(request.headers.get("accept", "")) else response

        return handle_call

    async def _hand_in(self, request: Request) -> Response:
        """FastAPI's work for a route that hands in an order: it has a body, and nothing else to validate."""
        call = call_of(request)
        call.content = bodies.parsed(call.raw_body)
        assert self.body_field is not None, "an order is handed in as a body"
        assert self.dependant.call is not None, "FastAPI calls the function below"
        run: Callable[..., Coroutine[Any, Any, Response]] = self.dependant.call
        return await run(call=call, **await bodies.validated(self.body_field, call.content))


async def _open_call(request: Request, rule: Rule, status: int, kind: Kind) -> Call:
    if "\0" in request.scope["path"]:
        raise NotFound("there is nothing at this path")  # PostgreSQL's text cannot even ask for it
    gateway = _gateway_of(request)
    caller = await _caller_of(request, gateway, rule, is_stream=kind is Kind.STREAMS)
    caller.require_address(client_address(request))
    if caller is VISITOR:
        await gateway.limits.count(request, Kind.PUBLIC, client_neighbourhood(request))
    else:
        await gateway.limits.count(request, kind, caller.actor)
    rule.check(caller)
    if caller is not VISITOR and gateway.key_uses.note(caller, gateway.database.clock.now()):
        await to_thread.run_sync(gateway.key_uses.write, gateway.writing)
    preferences = request.headers.getlist("prefer")
    return Call(
        gateway=gateway,
        caller=caller,
        request_id=request_id_of(request),
        method=request.method,
        path=request.scope["path"],
        status=status,
        wait=preferred_wait(preferences),
        minimal=prefers_minimal(preferences),
    )


async def _caller_of(request: Request, gateway: Gateway, rule: Rule, *, is_stream: bool) -> Caller:
    header = request.headers.get("authorization")
    if header is None and rule.lets_visitors_in(gateway.settings):
        return VISITOR
    try:
        token = token_of(header)
        # Whoever was known a moment ago may come in: the route's own transaction looks whether the key is still good.
        caller = presumed_caller(gateway.database, token)
        if caller is None:
            gateway.limits.require_some(Kind.FAILURES, client_neighbourhood(request))
        if caller is None or is_stream:
            caller = await to_thread.run_sync(authenticate, gateway.database, token)
    except Unauthenticated:
        await gateway.limits.count(request, Kind.FAILURES, client_neighbourhood(request))
        raise
    return caller


def _refusing_strangers_first(handle: Handler) -> Handler:
    """A request that is wrong is refused before its transaction looks whether the key is still good. Whoever has a key no more is
    told that, and nothing else."""

    async def insist(request: Request) -> Response:
        try:
            return await handle(request)
        except _OF_THE_REQUEST:
            header = request.headers.get("authorization")
            if header is not None:
                await to_thread.run_sync(authenticate, request.app.state.gateway.database, token_of(header))
            raise

    return insist


def _read_mutation(call: Call, request: Request) -> None:
    """Reads what a mutation has and a GET has not. A dry run has no effect, so it needs no key and waits for nothing."""
    if call.dry_run:
        call.wait = 0
    else:
        call.key = _idempotency_key(request)


def _opened(request: Request, status: int) -> OpenCall:
    origin = Origin(client_address(request), request.headers.get("user-agent", ""))
    return OpenCall(gateway=_gateway_of(request), request_id=request_id_of(request), origin=origin, status=status)


def _gateway_of(request: Request) -> Gateway:
    """The gateway that serves the request."""
    gateway: Gateway = request.app.state.gateway
    return gateway


async def _body_of(request: Request) -> bytes:
    body = await request.body()
    if body and not _is_json(request):
        raise HttpError(415, "unsupported_media_type", "send the body as `Content-Type: application/json`")
    return body


def _idempotency_key(request: Request) -> str:
    key = request.headers.get("idempotency-key")
    if not key:
        raise HttpError(400, "idempotency_key_missing", "a mutation needs an Idempotency-Key header")
    if not _KEY.fullmatch(key):
        raise HttpError(
            400, "idempotency_key_invalid", "an Idempotency-Key has 1 to 255 visible ASCII characters and no spaces"
        )
    return key


def _is_json(request: Request) -> bool:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return media_type == "application/json" or (media_type.startswith("application/") and media_type.endswith("+json"))


async def _close_call(call: Call, response: Response) -> Response:
    """Waits for the chain if the client asked for that, and adds the headers that say what was done."""
    if call.started is not None and call.wait:
        response = await call.gateway.waiters.response(call, call.started, call.wait, look_now=call.replayed)
    if applied := _applied_preferences(call, response):
        response.headers["Preference-Applied"] = applied
    if call.replayed:
        response.headers["Idempotent-Replayed"] = "true"
    return response


def _applied_preferences(call: Call, response: Response) -> str:
    if "location" not in response.headers:
        return ""
    preferences = [f"wait={call.wait}"] if call.wait else []
    if call.minimal and response.headers["location"].startswith("/v1/orders/"):
        preferences.append("return=minimal")
    return ", ".join(preferences)


def _in_group(route: Callable[..., Submitted[View]]) -> Callable[..., Coroutine[Any, Any, Response]]:
    @wraps(route)
    async def run(*, call: Call, **arguments: Any) -> Response:
        submitted = route(call=call, **arguments)
        response: Response | None = None
        if not call.dry_run and not submitted.is_alone:
            response = await call.gateway.groups.join(Applicant(call, submitted))
        if response is None:
            response = await to_thread.run_sync(run_alone, call, submitted)
        return response

    return run


def _in_transaction(route: Callable[..., Result]) -> Callable[..., Response]:
    @wraps(route)
    def run(*, call: Call, **arguments: Any) -> Response:
        return run_once(call, lambda: route(call=call, **arguments))

    return run


def _in_snapshot(route: Callable[..., View], *, is_long: bool) -> Callable[..., Response]:
    """`is_long`: it may look at much, so its statements have a limit."""

    @wraps(route)
    def run(*, call: Call, **arguments: Any) -> Response:
        with call.gateway.database.snapshot() as session, _limited(session, call, is_long=is_long):
            call.session = session
            try:
                require_live(session, call.caller)
                view = route(call=call, **arguments)
                if call.expand and call.columns is None:
                    return Response(expansion.expanded(call, view), call.status, media_type="application/json")
            finally:
                call.session = None
        if call.columns is not None:
            return tables.table_response(view, call.columns)
        return Response(view.model_dump_json(), call.status, media_type="application/json")

    return run


def _limited(session: Session, call: Call, *, is_long: bool) -> AbstractContextManager[None]:
    return at_most(session, call.gateway.settings.read_timeout) if is_long else nullcontext()


def _saying_what_to_narrow(handle: Handler, filters: Collection[str]) -> Handler:
    """A read that takes too long is given up: its refusal names the query parameters that would make it shorter."""

    async def insist(request: Request) -> Response:
        try:
            return await handle(request)
        except OperationalError as error:
            if not is_out_of_time(error):
                raise
            raise _too_slow(request.app.state.gateway.settings.read_timeout, filters) from error

    return insist


def _too_slow(seconds: float, filters: Collection[str]) -> HttpError:
    """The refusal of a read that took too long: what could make it shorter."""
    narrower = sorted(set(filters) - _NO_FILTERS)
    ways = [f"give or narrow {', '.join(narrower)}"] if narrower else []
    ways += ["ask for fewer at a time (limit)"] if "limit" in filters else []
    advice = " or ".join(ways) or "try it again when the network is less busy"
    return HttpError(504, "read_too_slow", f"this took longer than {seconds:g} seconds, so it was given up; {advice}")
