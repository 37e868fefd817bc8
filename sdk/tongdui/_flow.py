"""Operations as generators: they yield what has to be done and are sent the result.

The blocking and the asynchronous client so run the very same code; they differ in the driver that performs the effects.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Coroutine, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, wraps
from types import MethodType
from typing import Any, Concatenate, Generic, ParamSpec, TypeAlias, TypeVar, cast, overload

import httpx

from ._pause import pause
from ._tracing import Carrier, call

T = TypeVar("T")
P = ParamSpec("P")

Param: TypeAlias = str | int | Sequence[str]
"""A query parameter, or several of one name."""


@cache
def tls() -> ssl.SSLContext:
    """httpx's TLS settings, made once: reading all certificates for each client takes longer than most requests."""
    return httpx.create_ssl_context()


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request. `url` is absolute, or a path below the gateway's base URL; `timeout` is in seconds."""

    method: str
    url: str
    params: Mapping[str, Param] = field(default_factory=dict)
    json: object = None
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 30.0
    content: bytes | None = None
    """A body that must stay as it is, in the place of `json`."""

    def arguments(self, carrier: Carrier) -> dict[str, Any]:
        """The arguments of `httpx.Client.request`. Only the gateway gets the headers that carry a trace."""
        arguments: dict[str, Any] = {
            "method": self.method,
            "url": self.url,
            "headers": {**self.headers, **(carrier if self.url.startswith("/") else {})},
            "timeout": self.timeout,
        }
        if self.params:
            arguments["params"] = dict(self.params)
        if self.json is not None:
            arguments["json"] = self.json
        if self.content is not None:
            arguments["content"] = self.content
        return arguments


@dataclass(frozen=True, slots=True)
class Pause:
    """A pause of so many seconds."""

    seconds: float


Flow: TypeAlias = Generator[Request | Pause, Any, T]
"""Yields requests (and is sent `httpx.Response`) and pauses (and is sent None); returns a `T`."""


class Driver:
    """Performs a flow with a blocking HTTP client."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http

    def run(self, flow: Flow[T], resource: object = None) -> T:
        """Perform every effect of the flow, a method's of the resource, and return its result. Raises what the flow raises."""
        with call(flow, resource) as carrier:
            return self._run(flow, carrier)

    def _run(self, flow: Flow[T], carrier: Carrier) -> T:
        try:
            effect = next(flow)
            while True:
                try:
                    result = self._perform(effect, carrier)
                except httpx.TransportError as error:
                    effect = flow.throw(error)
                else:
                    effect = flow.send(result)
        except StopIteration as stop:
            return cast("T", stop.value)

    def _perform(self, effect: Request | Pause, carrier: Carrier) -> httpx.Response | None:
        if isinstance(effect, Pause):
            time.sleep(effect.seconds)
            return None
        return self.http.request(**effect.arguments(carrier))


class AsyncDriver:
    """Performs a flow with an asynchronous HTTP client, on asyncio or trio."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def run(self, flow: Flow[T], resource: object = None) -> T:
        """Perform every effect of the flow, a method's of the resource, and return its result. Raises what the flow raises."""
        with call(flow, resource) as carrier:
            return await self._run(flow, carrier)

    async def _run(self, flow: Flow[T], carrier: Carrier) -> T:
        try:
            effect = next(flow)
            while True:
                try:
                    result = await self._perform(effect, carrier)
                except httpx.TransportError as error:
                    effect = flow.throw(error)
                else:
                    effect = flow.send(result)
        except StopIteration as stop:
            return cast("T", stop.value)

    async def _perform(self, effect: Request | Pause, carrier: Carrier) -> httpx.Response | None:
        if isinstance(effect, Pause):
            await pause(effect.seconds)
            return None
        return await self.http.request(**effect.arguments(carrier))


class Blocking:
    """Mixin of everything that belongs to a blocking client."""

    _driver: Driver


class Awaiting:
    """Mixin of everything that belongs to an asynchronous client."""

    _driver: AsyncDriver


class operation(Generic[P, T]):  # noqa: N801 - used as a decorator
    """Makes a method that returns a flow callable: at once on a `Blocking` object, with `await` on an `Awaiting` one.

    The signature is written once, and type checkers see it both ways.
    """

    def __init__(self, flow: Callable[Concatenate[Any, P], Flow[T]]) -> None:
        name_result(flow, "Flow")

        @wraps(flow)
        def call(instance: Any, *args: P.args, **kwargs: P.kwargs) -> Any:
            return instance._driver.run(flow(instance, *args, **kwargs), instance)

        self._call = call
        self.__doc__ = flow.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> Callable[..., Any]: ...
    @overload
    def __get__(self, instance: Blocking, owner: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, instance: Awaiting, owner: type) -> Callable[P, Coroutine[Any, Any, T]]: ...
    def __get__(self, instance: Any, owner: type) -> Any:
        return self._call if instance is None else MethodType(self._call, instance)


def name_result(method: Callable[..., Any], wrapper: str, instead: str = "{}") -> None:
    """Let `help` show what a caller gets, and not the wrapper that the method itself returns.

    Args:
        method: A method whose annotations are strings, as `from __future__ import annotations` makes them.
        wrapper: The generic type around the result: `Flow` in `Flow[Movement]`.
        instead: How to write the result, for example `Pages[{}]`.
    """
    written = method.__annotations__.get("return")
    if isinstance(written, str) and written.startswith(f"{wrapper}["):
        method.__annotations__["return"] = instead.format(written[len(wrapper) + 1 : -1])
