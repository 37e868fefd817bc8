"""What an exchange does to points and money, as the contract's `_exchange` computes it."""

from __future__ import annotations

from typing import NamedTuple

from clearing.parties.agreements.models import Agreement
from tongdui.rates import fee_up, source_points_up, target_points_down


class Conversion(NamedTuple):
    """Points burnt and minted, micros paid to the target merchant, and the operator's fee on top."""

    burnt: int
    out: int
    settled: int
    fee: int

    @property
    def paid(self) -> int:
        """Micros that the source merchant pays in all."""
        return self.settled + self.fee


def convert(points: int, agreement: Agreement) -> Conversion:
    """What an exchange of `points` does under these terms. What the rate leaves over stays with the member."""
    out = target_points_down(points, agreement.rate_num, agreement.rate_den)
    settled = out * agreement.unit_price_micros
    burnt = source_points_up(out, agreement.rate_num, agreement.rate_den)
    return Conversion(burnt, out, settled, fee_up(settled, agreement.fee_bps))
