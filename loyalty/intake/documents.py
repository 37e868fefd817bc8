"""What a till sends: a sale or a return, before anybody has looked up its station and its customer."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, is_dataclass
from datetime import date, datetime
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from loyalty.customers.service import Shown
from loyalty.sales import types
from loyalty.sales.models import Document
from loyalty.stations.models import Station

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


@dataclass(frozen=True, slots=True)
class SentSale:
    """A sale as a till sends it. `customer` is a customer's id, `shown` what was shown instead; both may be missing."""

    document: Document
    time: datetime
    lines: tuple[types.Line, ...]
    weather: types.Weather
    customer: str | None = None
    shown: Shown | None = None

    @property
    def fingerprint(self) -> bytes:
        """Of all that was sent."""
        return fingerprint_of(self)

    def local_day(self, station: Station) -> date:
        """The day of the sale by the station's clocks."""
        return self.time.astimezone(ZoneInfo(station.time_zone)).date()

    def at(self, station: Station, customer: str) -> types.Sale:
        """The sale at its station, to a customer or to nobody. Raises InvalidField."""
        return types.Sale(
            station=types.Station(station.id, station.region),
            number=self.document.number,
            business_day=self.document.business_day,
            time=self.time,
            time_zone=ZoneInfo(station.time_zone),
            lines=self.lines,
            till=self.document.till,
            customer=customer,
            weather=self.weather,
        )


@dataclass(frozen=True, slots=True)
class SentReturn:
    """A return as a till sends it."""

    document: Document
    sale: Document
    lines: tuple[types.ReturnedLine, ...]

    @property
    def fingerprint(self) -> bytes:
        """Of all that was sent."""
        return fingerprint_of(self)

    def at(self, station: Station) -> types.Return:
        """The return at its station. Raises InvalidField."""
        return types.Return(
            station=types.Station(station.id, station.region),
            sale=self.sale.number,
            number=self.document.number,
            business_day=self.document.business_day,
            lines=self.lines,
        )


def fingerprint_of(sent: DataclassInstance) -> bytes:
    """Of all that was sent."""
    return sha256(json.dumps(sent, sort_keys=True, default=_plain).encode()).digest()


def _plain(value: object) -> object:
    """What JSON does not know by itself: an object is its fields, and a day or a moment is a text."""
    if not is_dataclass(value) or isinstance(value, type):
        return str(value)
    return {name: getattr(value, name) for name in _fields(type(value))}


@cache
def _fields(kind: type[DataclassInstance]) -> tuple[str, ...]:
    """The names of its fields: what a till sends has dozens of lines of one kind."""
    return tuple(field.name for field in fields(kind))
