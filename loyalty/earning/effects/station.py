"""A coefficient at certain stations."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from loyalty.earning.effects.base import Code, Granted
from loyalty.earning.names import Facts


class Stations(Granted):
    """The coefficient at these stations, and at all stations of these regions."""

    kind: Literal["station"] = "station"
    stations: tuple[Code, ...] = ()
    regions: tuple[Code, ...] = ()

    @model_validator(mode="after")
    def _names_some(self) -> Self:
        if not self.stations and not self.regions:
            raise ValueError("names no station: write some in stations or regions")
        return self

    def grants(self, facts: Facts) -> bool:
        """Whether the sale was at one of them."""
        station = facts.sale.station
        return station.id in self.stations or station.region in self.regions
