"""Operations as generators: they yield what has to be done and are sent the result, so that the blocking and the
asynchronous client run the very same code and differ only in who performs the effects."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Coroutine, Generator, Mapping
from dataclasses import dataclass, field
from functools import cache, wraps
from typing import Any, Concatenate, Generic, ParamSpec, TypeAlias, TypeVar, cast, overload

import anyio
import httpx

T = TypeVar("T")
P = ParamSpec("P")


@cache
def tls() -> ssl.SSLContext:
    """httpx's TLS settings, made once: to read all certificates for each client takes longer than most requests."""
    return httpx.create_ssl_context()


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request; `url` is a path below the gateway's base URL, or absolute. `timeout` is in seconds."""

    method: str
    url: str
    params: Mapping[str, str | int] = field(default_factory=dict)
    json: object = None
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 30.0

    def arguments(self) -> dict[str, Any]:
        """What `httpx.Client.request` takes."""
        given: dict[str, Any] = {
            "method": self.method,
            "url": self.url,
            "headers": dict(self.headers),
            "timeout": self.timeout,
        }
        if self.params:
            given["params"] = dict(self.params)
        if self.json is not None:
            given["json"] = self.json
        return given


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait this many seconds."""

    seconds: float


Flow: TypeAlias = Generator[Request | Pause, Any, T]
"""Yields requests (and is sent `httpx.Response`) and pauses (and is sent None); returns a `T`."""


class Driver:
    """Performs a flow with a blocking HTTP client."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http

    def run(self, flow: Flow[T]) -> T:
        """The flow's result; raises what it raises."""
        try:
            effect = next(flow)
            while True:
                try:
                    result = self._perform(effect)
                except httpx.TransportError as error:
                    effect = flow.throw(error)
                else:
                    effect = flow.send(result)
        except StopIteration as stop:
            return cast("T", stop.value)

    def _perform(self, effect: Request | Pause) -> httpx.Response | None:
        if isinstance(effect, Pause):
            time.sleep(effect.seconds)
            return None
        return self.http.request(**effect.arguments())


class AsyncDriver:
    """Performs a flow with an asynchronous HTTP client, on asyncio or trio."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def run(self, flow: Flow[T]) -> T:
        """The flow's result; raises what it raises."""
        try:
            effect = next(flow)
            while True:
                try:
                    result = await self._perform(effect)
                except httpx.TransportError as error:
                    effect = flow.throw(error)
                else:
                    effect = flow.send(result)
        except StopIteration as stop:
            return cast("T", stop.value)

    async def _perform(self, effect: Request | Pause) -> httpx.Response | None:
        if isinstance(effect, Pause):
            await anyio.sleep(effect.seconds)
            return None
        return await self.http.request(**effect.arguments())


class Blocking:
    """Mixin of everything that belongs to a blocking client."""

    _driver: Driver


class Awaiting:
    """Mixin of everything that belongs to an asynchronous client."""

    _driver: AsyncDriver


class operation(Generic[P, T]):  # noqa: N801 - used as a decorator
    """Makes a method that returns a flow callable: at once on a `Blocking` object, with `await` on an `Awaiting` one.

    The signature is written once and type checkers see it both ways. `operation.flow` is the method itself, for other
    flows.
    """

    def __init__(self, flow: Callable[Concatenate[Any, P], Flow[T]]) -> None:
        self.flow = flow
        self.__doc__, self.__name__ = flow.__doc__, flow.__name__

    @overload
    def __get__(self, instance: None, owner: type) -> operation[P, T]: ...
    @overload
    def __get__(self, instance: Blocking, owner: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, instance: Awaiting, owner: type) -> Callable[P, Coroutine[Any, Any, T]]: ...
    def __get__(self, instance: Any, owner: type) -> Any:
        if instance is None:
            return self

        @wraps(self.flow)
        def call(*args: P.args, **kwargs: P.kwargs) -> Any:
            return instance._driver.run(self.flow(instance, *args, **kwargs))

        return call
