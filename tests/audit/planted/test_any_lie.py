"""Whatever a node changes in what it says is found, or ends the audit with a sentence: it neither passes nor breaks the audit."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

from tests.audit.planted.lying_node import lying_node
from tests.audit.planted.test_planted import audited
from tests.audit.planted.world import World
from tests.support.nightly import IS_NIGHTLY, by_day
from tongdui.audit.findings import CannotCheck

Path = tuple[str | int, ...]
Place = tuple[str, str, Path]
"""Method, parameters, and where in the answer."""
_HEADER = {
    "parentHash",
    "stateRoot",
    "transactionsRoot",
    "receiptsRoot",
    "logsBloom",
    "number",
    "timestamp",
    "extraData",
    "gasUsed",
}
_TRANSACTION = {"hash", "input", "to", "nonce", "value", "gas", "r", "s", "from"}
_RECEIPT = {"status", "cumulativeGasUsed", "logsBloom", "address", "topics", "data"}


def is_proven(place: Place) -> bool:
    """Whether a hash leads to this, or a signature."""
    method, params, path = place
    names = [one for one in path if isinstance(one, str)]
    if method == "eth_getBlockReceipts":
        return names[-1] in _RECEIPT
    if method != "eth_getBlockByNumber":
        return False
    if not json.loads(params)[1]:
        return names == [names[0]] and names[0] in _HEADER
    return names[0] == "transactions" and names[-1] in _TRANSACTION


def leaves(value: Any, path: Path = ()) -> Iterator[Path]:
    """All places in an answer that hold no more places."""
    if isinstance(value, dict):
        for name, one in value.items():
            yield from leaves(one, (*path, name))
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from leaves(one, (*path, number))
    else:
        yield path


def changed(value: Any, path: Path, to: Any) -> Any:
    """The answer with something else at a place."""
    if not path:
        return to(value)
    copy: Any = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = changed(value[path[0]], path[1:], to)
    return copy


def recorded(world: World) -> list[Place]:
    """All that the node says in an audit."""
    places: dict[Place, None] = {}

    def note(method: str, params: list[Any], result: Any) -> Any:
        for path in leaves(result):
            places[method, json.dumps(params), path] = None
        return result

    with lying_node(world.url, lie=note) as node:
        audited(world, node.url)
    return list(places)


class OneLie:
    """The same lie wherever the node is asked for that place."""

    def __init__(self, place: Place, chance: random.Random) -> None:
        self.place = place
        self.instead: Any = None
        self.truth: Any = None
        self._chance = chance
        self._is_told = False

    def __call__(self, method: str, params: list[Any], result: Any) -> Any:
        return changed(result, self.place[2], self._other) if (method, json.dumps(params)) == self.place[:2] else result

    def _other(self, value: Any) -> Any:
        if not self._is_told:
            self.truth, self.instead, self._is_told = value, other(value, self._chance), True
        return self.instead


def other(value: Any, chance: random.Random) -> Any:
    """Something else in its place."""
    if not isinstance(value, str) or not value.startswith("0x"):
        return chance.choice([None, "0x", 7, [], {}, True, "nonsense"])
    digits = value[2:]
    if chance.random() < 0.2:
        return chance.choice(
            [None, "0x", "0xzz", "0x0", "0x" + "ff" * 32, [], "0x" + digits + "00", value[:-1], "-0x1", 12]
        )
    if len(digits) < 64:
        return "0x" + digits[:-1] + chance.choice("0123456789abcdef") if digits else "0x1"
    at = 64 * chance.randrange(len(digits) // 64) if chance.random() < 0.8 else chance.randrange(len(digits) - 63)
    word = chance.choice(["0" * 64, "0" * 63 + "1", "0" * 63 + "9", "f" * 64, f"{chance.getrandbits(32):064x}"])
    at += 8 * (len(digits) % 64 == 8)  # behind a selector
    return "0x" + digits[:at] + word[: len(digits) - at] + digits[at + 64 :]


def test_any_lie_is_found(world: World) -> None:
    by_name: dict[tuple[str, ...], list[Place]] = {}
    for place in recorded(world):
        by_name.setdefault((place[0], *(one for one in place[2] if isinstance(one, str))), []).append(place)
    chance = random.Random(None if IS_NIGHTLY else 1)  # at night, other lies each time
    for name in chance.choices(sorted(by_name), k=by_day(16, at_night=600)):
        lie = OneLie(chance.choice(by_name[name]), chance)
        with lying_node(world.url, lie=lie) as node:
            try:
                found = audited(world, node.url).findings
            except CannotCheck:
                continue
        assert found or lie.truth == lie.instead or not is_proven(lie.place), (lie.place, lie.truth, lie.instead)
