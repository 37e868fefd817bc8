"""The share of an entry that belongs to a part of its points: what a reversal undoes, as the contract's `_shareOf` computes it."""

from __future__ import annotations

from typing import NamedTuple

from clearing.ledger.journal.models import Entry
from tongdui.rates import share_between


class Share(NamedTuple):
    """Points, target points and micros of a part of an entry. `fee` is what the giver bears of the operator's fee."""

    points: int
    out: int
    settled: int
    fee: int


def share_of(whole: Entry, before: int, points: int, source_merchant: int | None = None) -> Share:
    """The share of `points`, after `before` points were undone. The shares of all parts add up to exactly the whole.

    Whoever initiated the original bears the operator's fee: the giver, unless it was the `source_merchant`.
    """
    after = before + points
    out = share_between(whole.out, before, after, whole.points)
    fee = 0 if whole.merchant == source_merchant else share_between(whole.fee, before, after, whole.points)
    return Share(points, out, _settled(whole, points, out), fee)


def _settled(whole: Entry, points: int, out: int) -> int:
    """Both divisions are exact: what was settled is a whole price times `out` (exchange) or times `points` (spend)."""
    if whole.out == 0:
        return whole.settled // whole.points * points
    return whole.settled // whole.out * out
