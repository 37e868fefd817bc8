"""Submits orders for an import: an instruction that the gateway refuses costs itself and no other."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from tongdui._client import Client
from tongdui._errors import APIError, DuplicateReferenceError, NotFoundError, UnprocessableError
from tongdui._instruction import InstructionRequest
from tongdui._models import Movement, Order

ORDER_SIZE = 100
"""Instructions in one order."""

PAGE = 500
"""References that are looked up in one request."""

_POINTER = re.compile(r"/instructions/(\d+)(/|$)")
_UNPOINTED = 3
"""How often an order is sent again after a duplicate reference that the gateway cannot point at yet."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Refusal(Generic[T]):
    """Something that the gateway refused, and why."""

    item: T
    code: str
    detail: str


@dataclass(slots=True)
class Submitted(Generic[T]):
    """What became of the items of one order. `order` is None if nothing was left of it."""

    order: Order | None = None
    items: list[T] = field(default_factory=list)
    """Those that the order has, in its order."""
    duplicates: list[T] = field(default_factory=list)
    """Those whose reference has been used by now."""
    refused: list[Refusal[T]] = field(default_factory=list)


def submit(client: Client, items: Sequence[T], instruction_of: Callable[[T], InstructionRequest]) -> Submitted[T]:
    """Submit one order, again without the items that the gateway points at, until it is accepted or empty.

    Args:
        client: The merchant's client.
        items: What the order is for, at most `ORDER_SIZE`.
        instruction_of: Makes an item's instruction. Its reference makes it unique.

    Returns:
        What became of each item.

    Raises:
        APIError: The gateway refused the order for a reason that is none of its instructions'.
    """
    result: Submitted[T] = Submitted(items=list(items))
    unpointed = 0
    while result.items:
        try:
            result.order = client.orders.create([instruction_of(item) for item in result.items])
            break
        except (DuplicateReferenceError, UnprocessableError, NotFoundError) as error:
            pointed = _pointed(error, len(result.items))
            is_duplicate = isinstance(error, DuplicateReferenceError)
            unpointed += not pointed
            # A duplicate without a pointer was submitted by someone else at this very moment: next time it is known.
            if not pointed and not (is_duplicate and unpointed < _UNPOINTED):
                raise
            for index, detail in pointed.items():
                item = result.items[index]
                if is_duplicate:
                    result.duplicates.append(item)
                else:
                    result.refused.append(Refusal(item, error.code, detail))
            result.items = [item for index, item in enumerate(result.items) if index not in pointed]
    return result


def numbered(client: Client, references: Sequence[str]) -> dict[str, list[Movement]]:
    """Look up the reversals that were made under references with a number at the end: `~1`, `~2`, ...

    The next number is used only when all before it have settled, so the first one that is free is the end.

    Args:
        client: The merchant's client.
        references: The references without the number.

    Returns:
        The reversals of each reference that has any, in order.
    """
    found: dict[str, list[Movement]] = {}
    open_references, number = list(dict.fromkeys(references)), 1
    while open_references:
        names = {f"{reference}~{number}": reference for reference in open_references}
        hits = {movement.reference: movement for movement in client.movements.lookup("reverse", list(names))}
        for name, movement in hits.items():
            found.setdefault(names[str(name)], []).append(movement)
        open_references = [reference for name, reference in names.items() if name in hits]
        number += 1
    return found


def _pointed(error: APIError, size: int) -> dict[int, str]:
    """The instructions that an error points at, with what is wrong with them."""
    found = {}
    for field_error in error.errors:
        match = _POINTER.match(field_error.pointer)
        if match and int(match[1]) < size:
            found[int(match[1])] = field_error.detail
    return found
