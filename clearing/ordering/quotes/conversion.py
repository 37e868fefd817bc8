"""What an exchange does, as the contract's `_exchange` computes it."""

from __future__ import annotations

from dataclasses import dataclass

from tongdui.rates import fee_up, source_points_up, target_points_down


@dataclass(frozen=True, slots=True)
class Conversion:
    """Points burnt and minted, micros paid to the target merchant, and the fee on top."""

    burnt: int
    out: int
    settled: int
    fee: int


def convert(points: int, *, num: int, den: int, unit_price_micros: int, fee_bps: int) -> Conversion:
    """What an exchange of `points` does under these terms. What the rate leaves over stays with the member."""
    out = target_points_down(points, num, den)
    settled = out * unit_price_micros
    return Conversion(source_points_up(out, num, den), out, settled, fee_up(settled, fee_bps))
