"""One page of a list, as its filters and the address ask for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from pydantic import BaseModel
from starlette.requests import Request

from pages.filters import Filters
from pages.paging import Pager, cursor_of, pager_of
from pages.translations import gettext as _
from tongdui import AsyncPages, BadRequestError, NotFoundError, UnprocessableError

ElementT = TypeVar("ElementT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Found(Generic[ElementT]):
    """What a list shows. `is_known` is False if a filter names something that exists for nobody whom this person knows."""

    filters: Filters
    rows: tuple[ElementT, ...]
    pager: Pager
    is_known: bool = True


async def found_of(
    request: Request,
    filters: Filters,
    listing: Callable[[], AsyncPages[ElementT]],
    fields: Mapping[str, str] | None = None,
) -> Found[ElementT]:
    """The page of the list for which this request asks. What the gateway refuses of a filter is a mistake beside its field.

    Args:
        request: It has the cursor.
        filters: Those of the address. With a mistake in them nothing is asked for.
        listing: The list, made with the filters.
        fields: The gateway's names of parameters that the filters have under another name, with the filter's.
    """
    nothing: Found[ElementT] = Found(filters, (), pager_of(request, None))
    if filters.mistakes:
        return nothing
    try:
        page = await listing().page(cursor_of(request))
    except NotFoundError:
        return replace(nothing, is_known=False)
    except (BadRequestError, UnprocessableError) as error:
        refused = {(fields or {}).get(one.parameter or "", one.parameter or "") for one in error.errors}
        mistakes = {name: _("Nothing is written like this. Check it.") for name in refused & filters.typed.keys()}
        if not mistakes:
            raise
        return replace(nothing, filters=replace(filters, mistakes=mistakes))
    return Found(filters, tuple(page.data), pager_of(request, page.next_cursor))


async def first_that(listing: AsyncPages[ElementT], is_it: Callable[[ElementT], bool]) -> ElementT | None:
    """The first of a list of which this is true, page after page; None if there is none."""
    return await anext((one async for one in listing if is_it(one)), None)


async def complete(listing: AsyncPages[ElementT]) -> list[ElementT]:
    """All of a list, page after page: for what is short, and wrong if a part of it is missing."""
    return [one async for one in listing]
