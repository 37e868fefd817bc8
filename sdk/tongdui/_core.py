"""What both clients share: configuration, sending with retries, parsing, waiting. No input or output happens here
(`_flow`)."""

from __future__ import annotations

import itertools
import math
import random
import re
import time
import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Protocol, TypeVar
from urllib.parse import quote

import httpx
import pydantic

from ._errors import APIConnectionError, APIError, connection_error, error_of
from ._flow import Flow, Pause, Request
from ._models import Model
from ._signing import Signer

B = TypeVar("B", bound=pydantic.BaseModel)
M = TypeVar("M", bound=Model)

LONGEST_WAIT = 30
"""Seconds that the gateway waits for a `Prefer: wait=N` at most; longer waits poll."""
LONGEST_BACKOFF = 60.0
"""A Retry-After beyond this many seconds is not slept through: the error is raised, and carries it."""

_KEY = re.compile(r"[\x21-\x7e]{1,255}")


class Identified(Protocol):
    """Anything with an id."""

    @property
    def id(self) -> str:
        """Its id."""
        ...


@dataclass(frozen=True, slots=True)
class Options:
    """A client's configuration; `Client` explains each."""

    base_url: str
    api_key: str | None
    signer: Signer | None = None
    merchant: str | None = None
    contract: str | None = None
    chain_id: int | None = None
    rpc_url: str | None = None
    timeout: float = 30.0
    max_retries: int = 4
    deadline_seconds: int = 600
    nonce_block: int = 20

    def __post_init__(self) -> None:
        if not self.base_url.startswith(("http://", "https://")):
            raise ValueError(f"base_url {self.base_url!r} must begin with http:// or https://")


@dataclass(slots=True)
class Core:
    """Builds requests, sends them until they are answered, and makes models of the answers."""

    options: Options
    now: Callable[[], float] = time.time
    jitter: Callable[[], float] = field(default=random.random)

    # ---------------------------------------------------------------- sending

    def send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        json: object = None,
        key: str | None = None,
        wait: float | None = None,
        minimal: bool = False,
        accept: Collection[int] = (),
    ) -> Flow[httpx.Response]:
        """Sends one request, again if need be, and returns a successful response (or one whose status is in `accept`).

        Mutations carry `key` as their Idempotency-Key, the same on every attempt. Raises APIError and
        APIConnectionError.
        """
        headers = {"Accept": "application/json", "User-Agent": USER_AGENT}
        if self.options.api_key:
            headers["Authorization"] = f"Bearer {self.options.api_key}"
        if method != "GET":
            headers["Idempotency-Key"] = checked_key(key) if key is not None else new_key()
        patience = min(LONGEST_WAIT, math.ceil(wait)) if wait and wait > 0 else 0
        preferences = [f"wait={patience}"] if patience else []
        preferences += ["return=minimal"] if minimal else []
        if preferences:
            headers["Prefer"] = ", ".join(preferences)
        request = Request(method, path, params or {}, json, headers, self.options.timeout + patience)
        response = yield from deliver(request, self.options.max_retries, accept=accept, jitter=self.jitter)
        return response

    def parse(self, model: type[B], response: httpx.Response) -> B:
        """The response as a model. Raises APIError (`unexpected_response`) when it is not one."""
        try:
            return model.model_validate_json(response.content)
        except pydantic.ValidationError as error:
            raise APIError(
                status=response.status_code,
                code="unexpected_response",
                detail=f"the answer is no {model.__name__}: {error.errors(include_url=False)[:3]}",
                request_id=response.headers.get("Request-Id"),
            ) from error

    # ---------------------------------------------------------------- the usual shapes

    def get(self, model: type[B], path: str) -> Flow[B]:
        """GET one resource."""
        response = yield from self.send("GET", path)
        return self.parse(model, response)

    def post(
        self,
        model: type[M],
        path: str,
        body: Mapping[str, Any],
        *,
        key: str | None = None,
        wait: float | None = None,
        minimal: bool = False,
        poll: str | None = None,
        collection: str | None = None,
    ) -> Flow[M]:
        """POST, and with `wait` follow the resource (at `poll`, or in `collection`, by default `path`, by its id) until
        it is final or time is up."""
        until = self.now() + (wait or 0)
        response = yield from self.send("POST", path, json=body, key=key, wait=wait, minimal=minimal)
        resource = self.parse(model, response)
        if resource.is_final or not wait:
            return resource
        where = poll or f"{collection or path}/{segment(getattr(resource, 'id', ''))}"
        return (yield from self.follow(resource, where, until))

    def follow(self, resource: M, path: str, until: float) -> Flow[M]:
        """Polls a resource until it is final or the clock says `until`; returns it as last seen."""
        pause = 0.1
        while not resource.is_final and (left := until - self.now()) > 0:
            yield Pause(min(pause, left))
            pause = min(pause * 1.5, 1.0)
            resource = yield from self.get(type(resource), path)
        return resource


def deliver(
    request: Request,
    max_retries: int,
    *,
    accept: Collection[int] = (),
    jitter: Callable[[], float] = random.random,
) -> Flow[httpx.Response]:
    """Sends a request until it is answered, at most `max_retries` times more than once; backs off in between.

    Tried again: connection errors, timeouts, 409 `idempotency_in_flight`, 429, 502, 503, 504.
    """
    for attempt in itertools.count():
        failure: APIError | APIConnectionError
        try:
            response: httpx.Response = yield request
        except httpx.TransportError as error:
            failure = connection_error(error, request.method, request.url)
            failure.__cause__ = error
            again = not isinstance(error, (httpx.UnsupportedProtocol, httpx.LocalProtocolError))
            asked = None
        else:
            if response.is_success or response.status_code in accept:
                return response
            failure = error_of(response)
            again, asked = failure.is_retryable, failure.retry_after
        if not again or attempt >= max_retries or (asked or 0) > LONGEST_BACKOFF:
            raise failure
        yield Pause(backoff(attempt, asked, jitter()))
    raise AssertionError("unreachable")


def backoff(attempt: int, asked: float | None, jitter: float) -> float:
    """Seconds before the next attempt: 0.25, 0.5, 1, 2 ... 8, shortened by up to half; never less than what the
    gateway asked for."""
    own = min(0.25 * 2.0**attempt, 8.0) * (1 - jitter / 2)
    return own if asked is None else asked + own * 0.1


def new_key() -> str:
    """A fresh Idempotency-Key."""
    return str(uuid.uuid4())


def checked_key(key: str) -> str:
    """The key, if the gateway takes it: 1 to 255 visible ASCII characters. Raises ValueError otherwise."""
    if not _KEY.fullmatch(key):
        raise ValueError(f"an idempotency key is 1 to 255 visible ASCII characters, not {key!r}")
    return key


def segment(name: str) -> str:
    """An id as one segment of a path, whatever characters it has."""
    if not name:
        raise ValueError("an id is empty")
    return quote(name, safe=":")


def name_of(thing: str | Identified) -> str:
    """The id of a resource, or the id itself."""
    return thing if isinstance(thing, str) else thing.id


def given(**members: Any) -> dict[str, Any]:
    """A request body of those members that are not None."""
    return {name: value for name, value in members.items() if value is not None}


def _version() -> str:
    try:
        return version("tongdui")
    except PackageNotFoundError:
        return "0"


USER_AGENT = f"tongdui-python/{_version()}"
