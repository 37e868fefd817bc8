"""Exact integer arithmetic of rates and fees; twin of `contracts/libraries/RateMath.sol`. Every name says which way it rounds."""

from __future__ import annotations

BPS = 10_000
"""One hundred per cent, in basis points."""


def target_points_down(points: int, num: int, den: int) -> int:
    """Target points bought by `points` source points."""
    return points * num // den


def source_points_up(out: int, num: int, den: int) -> int:
    """The fewest source points that buy `out` target points: the remainder stays with the member."""
    return -(-out * den // num)


def fee_up(micros: int, bps: int) -> int:
    """The operator's fee on `micros`."""
    return -(-micros * bps // BPS)


def share_up(whole: int, part: int, total: int) -> int:
    """The part of `whole` that belongs to `part` of `total`."""
    return -(-whole * part // total)
