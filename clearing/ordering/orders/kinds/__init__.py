"""The registry of the kinds of instruction that merchants can ask for. A new kind is one file here, and one line below.

Routes, scopes, ids, collections, request types, resolution and views follow from it, and a test holds the SDK to it.
"""

from __future__ import annotations

from typing import Any

from clearing.ordering.orders.kinds.base import InstructionKind
from clearing.ordering.orders.kinds.exchange import Exchange
from clearing.ordering.orders.kinds.expire import Expire
from clearing.ordering.orders.kinds.issue import Issue
from clearing.ordering.orders.kinds.redeem import Redeem
from clearing.ordering.orders.kinds.reverse import Reverse
from clearing.ordering.orders.kinds.spend import Spend
from clearing.ordering.orders.kinds.transfer import Transfer

KINDS: tuple[InstructionKind[Any], ...] = (
    Issue(),
    Redeem(),
    Exchange(),
    Spend(),
    Transfer(),
    Reverse(),
    Expire(),
)

_BY_KIND: dict[int, InstructionKind[Any]] = {kind.kind: kind for kind in KINDS}
_BY_LABEL = {kind.label: kind for kind in KINDS}
_BY_PREFIX = {kind.id_prefix: kind for kind in KINDS}


def kind_of(number: int) -> InstructionKind[Any]:
    """The kind with this number on the wire. Raises LookupError where merchants cannot ask for it."""
    return _BY_KIND[number]


def kind_labelled(label: str) -> InstructionKind[Any]:
    """The kind with this label, such as `issue`. Raises LookupError where there is none."""
    return _BY_LABEL[label]


def is_movement_id(resource_id: str) -> bool:
    """Whether this is the id of a movement of any kind."""
    return resource_id.partition("_")[0] in _BY_PREFIX
