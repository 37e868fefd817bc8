"""Exact integer arithmetic of rates and fees; twin of `contracts/libraries/RateMath.sol`. Every name says which way it rounds."""

from __future__ import annotations

BPS = 10_000
"""One hundred per cent, in basis points."""


def target_points_down(points: int, rate_num: int, rate_den: int) -> int:
    """Target points that `points` source points buy, rounded down."""
    return points * rate_num // rate_den


def source_points_up(out: int, rate_num: int, rate_den: int) -> int:
    """The fewest source points that buy `out` target points. The remainder stays with the member."""
    return -(-out * rate_den // rate_num)


def fee_up(micros: int, bps: int) -> int:
    """The operator's fee on `micros`, rounded up."""
    return -(-micros * bps // BPS)


def share_up(whole: int, part: int, total: int) -> int:
    """`part / total` of `whole`, rounded up."""
    return -(-whole * part // total)


def share_between(whole: int, before: int, after: int, total: int) -> int:
    """The share of `whole` from `before` to `after` of `total`. The shares of all parts add up to the whole."""
    return share_up(whole, after, total) - share_up(whole, before, total)
