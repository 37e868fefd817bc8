"""What there is to know of a network: the model has it, the contract's storage follows from it, and a successor takes it over."""

from __future__ import annotations

from typing import Any, Protocol

from .tables import Table


class NetworkState(Protocol):
    """The state of a network, in tables."""

    merchants: Table[int, Any]
    keys: Table[str, Any]
    programs: Table[int, Any]
    agreements: Table[int, Any]
    use: Table[int, Any]
    registered: Table[bytes, int]
    roles: Table[tuple[int, str], bool]
    balances: Table[tuple[str, int], int]
    bank_refs: Table[bytes, bool]
    nonces: Table[tuple[int, int], int]
    reversed: Table[bytes, int]
    roots: Table[int, bytes]
    day_of: Table[int, int]
    names: Table[int, bytes]
    differences: Table[int, int]
    one: Table[str, Any]
