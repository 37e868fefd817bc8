"""Which endpoints get the free slots of a process: whoever has the fewest requests on their way, and never more than its share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple, TypeVar

SLOTS = 32
"""Requests that a process has on their way at the same time."""
SLOTS_FOR_FAILING = SLOTS // 2
"""Of them for endpoints whose last attempt failed, all together."""
OF_MERCHANT = 8
"""Requests on their way to a merchant's endpoints, from all processes."""
OF_ENDPOINT = 8
"""The same to one endpoint."""
OF_FAILING_ENDPOINT = 1
"""The same to one whose last attempt failed: one more shows whether others would fail too."""


class Candidate(NamedTuple):
    """An endpoint that has something due or on its way."""

    endpoint_id: str
    merchant: int
    failing: bool
    """Whether its last attempt failed."""
    in_flight: int
    due_since: datetime | None
    """Since when it has something due; None if it has not."""


Due = TypeVar("Due")


def fill(
    candidates: Sequence[Candidate], due_of: Callable[[str, int], Iterable[Due]], *, free: int, for_failing: int
) -> list[Due]:
    """What goes into the free slots of a process, of which failing endpoints may have only some. `due_of` looks up at most so many
    deliveries of an endpoint.

    Slot by slot: of the merchants with something due the one with the fewest requests on their way, of its endpoints the same, and
    then whoever has waited longest.
    """
    of_merchant: Counter[int] = Counter()
    of_endpoint: Counter[str] = Counter()
    for one in candidates:
        of_merchant[one.merchant] += one.in_flight
        of_endpoint[one.endpoint_id] += one.in_flight
    left = [one for one in candidates if one.due_since is not None]
    due: dict[str, Iterator[Due]] = {}
    chosen: list[Due] = []
    while len(chosen) < free:
        may_begin = [
            one
            for one in left
            if of_merchant[one.merchant] < OF_MERCHANT
            and of_endpoint[one.endpoint_id] < (OF_FAILING_ENDPOINT if one.failing else OF_ENDPOINT)
            and (for_failing or not one.failing)
        ]
        if not may_begin:
            break
        one = min(may_begin, key=lambda one: (of_merchant[one.merchant], of_endpoint[one.endpoint_id], one.due_since))
        if one.endpoint_id not in due:
            due[one.endpoint_id] = iter(due_of(one.endpoint_id, OF_ENDPOINT))
        delivery = next(due[one.endpoint_id], None)
        if delivery is None:
            left.remove(one)
            continue
        chosen.append(delivery)
        of_merchant[one.merchant] += 1
        of_endpoint[one.endpoint_id] += 1
        for_failing -= one.failing
    return chosen
