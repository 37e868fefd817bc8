"""What an act has changed, taken out of what the gateway recorded of it: each field with what it was and what it is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pages.formats import decimal_of
from tongdui import AuditEntry

_BEFORE, _AFTER = "before", "after"
_FROM, _TO = "from_", "to_"
_MICROS = "micros"


@dataclass(frozen=True, slots=True)
class Change:
    """One field. `is_change`: it was something else before; `was` is None if there was nothing."""

    field: str
    was: str | None
    now: str | None
    is_change: bool


def changes_of(entry: AuditEntry) -> list[Change]:
    """The fields that changed, then what else was recorded, without what is empty."""
    data = dict(entry.data)
    changed = [
        Change(name, _shown(name, was), _shown(name, value), is_change=True) for name, was, value in _pairs(data)
    ]
    told = ((name, _shown(name, value)) for name, value in data.items())
    return [*changed, *(Change(name, None, shown, is_change=False) for name, shown in told if shown is not None)]


def _pairs(data: dict[str, Any]) -> Iterator[tuple[str, object, object]]:
    """Fields with what they were and are, in the three ways in which events say it; takes them out of `data`."""
    before, after = data.get(_BEFORE), data.get(_AFTER)
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        del data[_BEFORE], data[_AFTER]
        for name in dict.fromkeys([*before, *after]):
            yield name, before.get(name), after.get(name)
    elif _BEFORE in data and (name := next((one for one in ("title", "name", "level") if one in data), None)):
        yield name, data.pop(_BEFORE), data.pop(name)
    for was in [name for name in data if name.startswith(_FROM)]:
        name = was.removeprefix(_FROM)
        if _TO + name in data:
            yield name, data.pop(was), data.pop(_TO + name)


def _shown(name: str, value: object) -> str | None:
    """A value as people read it: money in the currency's unit, lists with commas."""
    if value is None or value in ("", []):
        return None
    if name.endswith(_MICROS) and isinstance(value, int):
        return decimal_of(value)
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
