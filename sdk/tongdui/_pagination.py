"""Lists that the gateway serves page by page, and iterators that fetch the pages on the way."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from types import MethodType
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, overload

from pydantic import BaseModel, ConfigDict

from ._flow import AsyncDriver, Awaiting, Blocking, Driver, Flow, Param, name_result
from ._gateway import Gateway

ElementT = TypeVar("ElementT", bound=BaseModel)
P = ParamSpec("P")


class Page(BaseModel, Generic[ElementT]):
    """One page: its elements, and the cursor of the next page (None on the last)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    data: tuple[ElementT, ...]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Query(Generic[ElementT]):
    """What a list asks for. Parameters that are None are left out."""

    path: str
    model: type[ElementT]
    params: Mapping[str, Param | None]

    def page(self, gateway: Gateway, cursor: str | None) -> Flow[Page[ElementT]]:
        """Fetch the page at `cursor`, or the first one for None."""
        params = {name: value for name, value in {**self.params, "cursor": cursor}.items() if value is not None}
        response = yield from gateway.send("GET", self.path, params=params)
        return gateway.parse(Page[self.model], response)  # type: ignore[name-defined]


class Pages(Generic[ElementT]):
    """Every element of a list, fetched page by page while you iterate. Iterate again, and it is fetched again."""

    def __init__(self, query: Query[ElementT], gateway: Gateway, driver: Driver) -> None:
        self._query, self._gateway, self._driver = query, gateway, driver

    def page(self, cursor: str | None = None) -> Page[ElementT]:
        """Fetch one page: the first, or the one at `cursor`."""
        return self._driver.run(self._query.page(self._gateway, cursor))

    def pages(self) -> Iterator[Page[ElementT]]:
        """Fetch page after page."""
        page = self.page()
        yield page
        while page.next_cursor:
            page = self.page(page.next_cursor)
            yield page

    def __iter__(self) -> Iterator[ElementT]:
        for page in self.pages():
            yield from page.data


class AsyncPages(Generic[ElementT]):
    """Every element of a list, fetched page by page: `async for element in ...`."""

    def __init__(self, query: Query[ElementT], gateway: Gateway, driver: AsyncDriver) -> None:
        self._query, self._gateway, self._driver = query, gateway, driver

    async def page(self, cursor: str | None = None) -> Page[ElementT]:
        """Fetch one page: the first, or the one at `cursor`."""
        return await self._driver.run(self._query.page(self._gateway, cursor))

    async def pages(self) -> AsyncIterator[Page[ElementT]]:
        """Fetch page after page."""
        page = await self.page()
        yield page
        while page.next_cursor:
            page = await self.page(page.next_cursor)
            yield page

    async def __aiter__(self) -> AsyncIterator[ElementT]:
        async for page in self.pages():
            for element in page.data:
                yield element


class listing(Generic[P, ElementT]):  # noqa: N801 - used as a decorator
    """Makes a method that returns a `Query` return `Pages` on a `Blocking` object, `AsyncPages` on an `Awaiting` one."""

    def __init__(self, query: Callable[Concatenate[Any, P], Query[ElementT]]) -> None:
        name_result(query, "Query", "Pages[{}]")

        @wraps(query)
        def call(instance: Any, *args: P.args, **kwargs: P.kwargs) -> Any:
            pages = Pages if isinstance(instance, Blocking) else AsyncPages
            return pages(query(instance, *args, **kwargs), instance._gateway, instance._driver)

        self._call = call
        self.__doc__ = query.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> Callable[..., Any]: ...
    @overload
    def __get__(self, instance: Blocking, owner: type) -> Callable[P, Pages[ElementT]]: ...
    @overload
    def __get__(self, instance: Awaiting, owner: type) -> Callable[P, AsyncPages[ElementT]]: ...
    def __get__(self, instance: Any, owner: type) -> Any:
        return self._call if instance is None else MethodType(self._call, instance)


def moment_parameter(moment: datetime | None, name: str) -> str | None:
    """Write a moment as a request takes it.

    Args:
        moment: An aware moment, or None.
        name: What the caller calls it.

    Returns:
        The moment as RFC 3339 in UTC; None for None.

    Raises:
        ValueError: It has no time zone.
    """
    if moment is None:
        return None
    if moment.tzinfo is None:
        raise ValueError(f"{name} has no time zone: {moment!r}; use for example datetime(..., tzinfo=UTC)")
    return moment.astimezone(UTC).isoformat()
