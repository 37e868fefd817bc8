"""Points by the litre."""

from __future__ import annotations

from typing import Literal

from loyalty.earning.effects.base import PerQuantity
from loyalty.earning.reasons import Text


class PerLitre(PerQuantity):
    """`points` for every `per` litres of the lines that are measured in litres."""

    SAYS = Text("{quantity} L x {rate}", "{quantity} 升 × {rate}")
    UNIT = "l"
    PLACES = 1

    kind: Literal["per_litre"] = "per_litre"
