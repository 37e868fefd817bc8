"""The published builds of the contract: what its code must be. `scripts/dev/compile.py` writes and checks `build.json`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ...encoding import hex_of, keccak256

BUILDS = Path(__file__).with_name("build.json")
_WORD = 32
_CONTRACTS = ("ClearingHouse", "ClearingHouseLens", "ClearingHouseSuccession")


@dataclass(frozen=True, slots=True)
class BuiltCode:
    """The code of a contract as it stands on a chain, but for the values from its constructor."""

    size: int
    """In bytes."""
    hash: str
    """Of the code with zeros for the immutables."""
    immutables: Mapping[str, tuple[int, ...]]
    """Where the code has the value of each immutable, a word each time."""

    def immutables_of(self, code: bytes) -> dict[str, bytes] | None:
        """The values of the immutables, if `code` is this code; otherwise None."""
        if len(code) != self.size or masked_hash(code, self.immutables) != self.hash:
            return None
        found = {name: {code[at : at + _WORD] for at in places} for name, places in self.immutables.items()}
        if any(len(values) != 1 for values in found.values()):
            return None
        return {name: values.pop() for name, values in found.items()}


@dataclass(frozen=True, slots=True)
class Build:
    """A published build."""

    name: str
    """The version of the SDK that published it."""
    solc: str
    """The compiler's version."""
    house: BuiltCode
    lens: BuiltCode
    succession: BuiltCode


@cache
def published() -> tuple[Build, ...]:
    """All published builds, the newest last."""
    return tuple(
        Build(one["name"], one["solc"], *(_built(one["contracts"][name]) for name in _CONTRACTS))
        for one in json.loads(BUILDS.read_text())
    )


def build_of(code: bytes) -> tuple[Build, dict[str, bytes]] | None:
    """The build of the clearing house that some code is, and the values of its immutables."""
    for build in published():
        values = build.house.immutables_of(code)
        if values is not None:
            return build, values
    return None


def masked_hash(code: bytes, immutables: Mapping[str, Iterable[int]]) -> str:
    """The hash of code with zeros for its immutables."""
    masked = bytearray(code)
    for places in immutables.values():
        for at in places:
            masked[at : at + _WORD] = bytes(_WORD)
    return hex_of(keccak256(bytes(masked)))


def _built(one: dict[str, object]) -> BuiltCode:
    places = one["immutables"]
    assert isinstance(places, dict)
    return BuiltCode(int(str(one["size"])), str(one["hash"]), {name: tuple(found) for name, found in places.items()})
