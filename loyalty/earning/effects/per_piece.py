"""Points by the piece."""

from __future__ import annotations

from typing import Literal

from loyalty.earning.effects.base import PerQuantity
from loyalty.earning.reasons import Text


class PerPiece(PerQuantity):
    """`points` for every `per` pieces of the lines that are counted in pieces."""

    SAYS = Text("{quantity} pcs x {rate}", "{quantity} 件 × {rate}")
    UNIT = "piece"

    kind: Literal["per_piece"] = "per_piece"
