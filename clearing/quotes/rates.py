"""Exact integer arithmetic of rates and fees, as `contracts/libraries/RateMath.sol` does it. Names say which way they round."""

from __future__ import annotations

from dataclasses import dataclass

BPS = 10_000


def target_points_down(points: int, num: int, den: int) -> int:
    """Target points bought by `points` source points: floor(points x num / den)."""
    return points * num // den


def source_points_up(out: int, num: int, den: int) -> int:
    """The fewest source points that buy `out` target points: ceil(out x den / num)."""
    return -(-out * den // num)


def fee_up(amount: int, bps: int) -> int:
    """The operator's fee on `amount`: ceil(amount x bps / 10,000)."""
    return -(-amount * bps // BPS)


@dataclass(frozen=True, slots=True)
class Conversion:
    """What an exchange does: points burnt and minted, micros paid to the target merchant, and the fee on top."""

    burnt: int
    out: int
    settled: int
    fee: int


def convert(points: int, *, num: int, den: int, unit_price_micros: int, fee_bps: int) -> Conversion:
    """What an exchange of `points` does under these terms. What the rate leaves over stays with the member."""
    out = target_points_down(points, num, den)
    settled = out * unit_price_micros
    return Conversion(source_points_up(out, num, den), out, settled, fee_up(settled, fee_bps))
