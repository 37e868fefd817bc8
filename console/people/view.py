"""Whose people a page is about, and what whoever looks may do with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from console.listing import first_that
from console.merchants import merchant_names
from console.titles import MERCHANT_TITLES, NETWORK_TITLES
from console.visit import NotYours, Visit
from pages.filters import Filters
from pages.translations import Text
from tongdui import StaffMember

MERCHANT = "merchant"
"""The parameter of the address with which the operator and auditors look at a merchant's people."""


@dataclass(frozen=True, slots=True)
class Place:
    """A merchant, or the network itself, as whoever looks at its people sees it."""

    merchant: str | None
    """As the gateway is asked: None for one's own."""
    name: str | None
    """The name of another merchant than one's own."""
    names: dict[str, str]
    """Merchants whose people can be chosen, for the operator and auditors."""
    is_network: bool
    may_disable: bool
    """Whether the person may also sign people out and let them in again."""
    may_manage: bool
    """Whether the person may also invite people, and change or remove their seats."""

    @property
    def titles(self) -> Mapping[str, Text]:
        """The titles that there are here."""
        return NETWORK_TITLES if self.is_network else MERCHANT_TITLES

    @property
    def filters(self) -> Filters:
        """The choice of a merchant, as a bar of filters shows it."""
        return Filters({MERCHANT: self.merchant} if self.merchant else {})

    def address(self, path: str = "") -> str:
        """An address below this page, about the same people."""
        return f"/people{path}" + (f"?{urlencode({MERCHANT: self.merchant})}" if self.merchant else "")


async def place_of(visit: Visit) -> Place:
    """Whose people the address names."""
    if visit.seat.merchant is not None:
        return Place(None, None, {}, is_network=False, may_disable=True, may_manage=True)
    names = await merchant_names(visit)
    asked = visit.request.query_params.get(MERCHANT) or None
    is_operator = visit.seat.role == "operator"
    return Place(
        merchant=asked,
        name=names.get(asked, asked) if asked else None,
        names=names,
        is_network=asked is None,
        may_disable=is_operator,
        may_manage=is_operator and asked is None,
    )


async def somebody(visit: Visit, place: Place, seat: str) -> StaffMember:
    """Who sits on a seat. Lists of people are short."""
    listing = visit.client.staff.list(merchant=place.merchant, page_size=200)
    found = await first_that(listing, lambda one: one.seat.id == seat)
    if found is None:
        raise NotYours
    return found
