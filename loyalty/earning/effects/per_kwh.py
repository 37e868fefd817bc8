"""Points by the kilowatt hour, for cars that are charged."""

from __future__ import annotations

from typing import Literal

from loyalty.earning.effects.base import PerQuantity
from loyalty.earning.reasons import Text


class PerKwh(PerQuantity):
    """`points` for every `per` kilowatt hours of the lines that are measured in them."""

    SAYS = Text("{quantity} kWh x {rate}", "{quantity} 千瓦时 × {rate}")
    UNIT = "kwh"
    PLACES = 1

    kind: Literal["per_kwh"] = "per_kwh"
