"""What an exchange or a spend does to points and money, as the contract's `_exchange` and `_spend` compute it."""

from __future__ import annotations

from typing import NamedTuple

from clearing.parties.agreements.models import Agreement, AgreementKind
from tongdui.orders import AgreementTerms
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


def convert(points: int, agreement: Agreement | AgreementTerms) -> Conversion:
    """What an exchange or a spend of `points` does under these terms. What a rate leaves over stays with the member."""
    if agreement.kind == AgreementKind.ACCEPTANCE:
        price = points * agreement.unit_price_micros
        return Conversion(points, 0, price, fee_up(price, agreement.fee_bps))
    out = target_points_down(points, agreement.rate_num, agreement.rate_den)
    settled = out * agreement.unit_price_micros
    burnt = source_points_up(out, agreement.rate_num, agreement.rate_den)
    return Conversion(burnt, out, settled, fee_up(settled, agreement.fee_bps))
