"""Lists that come in pages, walked without noticing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar, overload

from pydantic import BaseModel, ConfigDict

from ._flow import AsyncDriver, Awaiting, Blocking, Driver, Flow

if TYPE_CHECKING:
    from ._core import Core

M = TypeVar("M", bound=BaseModel)
P = ParamSpec("P")


class Page(BaseModel, Generic[M]):
    """One page: its elements, and the cursor of the next page (None on the last)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    data: tuple[M, ...]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Query(Generic[M]):
    """What a list asks for; parameters that are None are left out."""

    path: str
    model: type[M]
    params: Mapping[str, str | int | None]

    def page(self, core: Core, cursor: str | None) -> Flow[Page[M]]:
        """The page at this cursor (None: the first)."""
        params = {k: v for k, v in {**self.params, "cursor": cursor}.items() if v is not None}
        response = yield from core.send("GET", self.path, params=params)
        return core.parse(Page[self.model], response)  # type: ignore[name-defined]


class Pages(Generic[M]):
    """Every element of a list, fetched page by page while you iterate; iterate again and it is fetched again."""

    def __init__(self, query: Query[M], core: Core, driver: Driver) -> None:
        self._query, self._core, self._driver = query, core, driver

    def page(self, cursor: str | None = None) -> Page[M]:
        """One page: the first, or the one at `cursor`."""
        return self._driver.run(self._query.page(self._core, cursor))

    def pages(self) -> Iterator[Page[M]]:
        """Page after page."""
        page = self.page()
        yield page
        while page.next_cursor:
            page = self.page(page.next_cursor)
            yield page

    def __iter__(self) -> Iterator[M]:
        for page in self.pages():
            yield from page.data


class AsyncPages(Generic[M]):
    """Every element of a list, fetched page by page: `async for element in ...`."""

    def __init__(self, query: Query[M], core: Core, driver: AsyncDriver) -> None:
        self._query, self._core, self._driver = query, core, driver

    async def page(self, cursor: str | None = None) -> Page[M]:
        """One page: the first, or the one at `cursor`."""
        return await self._driver.run(self._query.page(self._core, cursor))

    async def pages(self) -> AsyncIterator[Page[M]]:
        """Page after page."""
        page = await self.page()
        yield page
        while page.next_cursor:
            page = await self.page(page.next_cursor)
            yield page

    async def __aiter__(self) -> AsyncIterator[M]:
        async for page in self.pages():
            for element in page.data:
                yield element


class listing(Generic[P, M]):  # noqa: N801 - used as a decorator
    """Makes a method that returns a `Query` return `Pages` on a `Blocking` object and `AsyncPages` on an `Awaiting`
    one."""

    def __init__(self, query: Callable[Concatenate[Any, P], Query[M]]) -> None:
        self.query = query
        self.__doc__, self.__name__ = query.__doc__, query.__name__

    @overload
    def __get__(self, instance: None, owner: type) -> listing[P, M]: ...
    @overload
    def __get__(self, instance: Blocking, owner: type) -> Callable[P, Pages[M]]: ...
    @overload
    def __get__(self, instance: Awaiting, owner: type) -> Callable[P, AsyncPages[M]]: ...
    def __get__(self, instance: Any, owner: type) -> Any:
        if instance is None:
            return self

        @wraps(self.query)
        def call(*args: P.args, **kwargs: P.kwargs) -> Any:
            query = self.query(instance, *args, **kwargs)
            kind = Pages if isinstance(instance, Blocking) else AsyncPages
            return kind(query, instance._core, instance._driver)

        return call
