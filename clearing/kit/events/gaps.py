"""Numbers of events that are missing, for now or for good.

An event gets its number before its transaction commits, so it may appear after events with higher numbers. A reader keeps the
missing numbers as gaps until their transactions have ended one way or the other (docs/decisions/0003-webhooks-by-cursor.md).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from clearing.kit.events.reader import Snapshot

Gap = list[int]
"""[first, last, bound, Unix time of discovery]; transactions from `bound` on cannot have taken these numbers."""

UNKNOWN = -1
"""In place of a bound that is not known yet."""

PATIENCE = 10
"""Seconds. A transaction begins at most a moment after it takes a number."""


def missing_between(seq: int, fresh: Sequence[int], at: int) -> list[Gap]:
    """The gaps between the numbers of fresh events after `seq`, discovered at Unix time `at` and so far without a bound."""
    gaps = []
    for number in fresh:
        if number > seq + 1:
            gaps.append([seq + 1, number - 1, UNKNOWN, at])
        seq = number
    return gaps


def still_missing(
    gaps: Iterable[Gap],
    found: Collection[int],
    before: Snapshot,
    after: Snapshot,
    at: int,
    patience: int | None = None,
) -> list[Gap]:
    """The gaps, less the numbers that were found between the two snapshots, and those that will never appear.

    Transactions that begin `patience` seconds after a gap's discovery (from `bound` on) did not take its numbers; once all earlier
    ones are over, the numbers are lost for good.
    """
    rest: list[Gap] = []
    patience = PATIENCE if patience is None else patience
    for first, last, bound, since in gaps:
        if bound != UNKNOWN and before.oldest_running >= bound:
            continue
        is_old = bound == UNKNOWN and at - since > patience
        new_bound = after.next_to_begin if is_old else bound
        rest += [[*part, new_bound, since] for part in _without(first, last, found)]
    return rest


def _without(first: int, last: int, found: Collection[int]) -> list[tuple[int, int]]:
    ranges = []
    start = first
    for number in sorted(number for number in found if first <= number <= last):
        if number > start:
            ranges.append((start, number - 1))
        start = number + 1
    if start <= last:
        ranges.append((start, last))
    return ranges
