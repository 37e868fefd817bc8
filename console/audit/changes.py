"""What an act has changed, taken out of what the gateway recorded of it: each field with what it was and what it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from console.audit.values import MICROS, Values
from console.audit.words import field_name
from pages.formats import rate
from tongdui import AuditEntry

_BEFORE, _AFTER = "before", "after"
_FROM, _TO = "from_", "to_"
_NUMERATOR, _DENOMINATOR = "rate_num", "rate_den"
_TOLD_ELSEWHERE = ("id", "terms")
"""The subject itself, and an agreement's terms once more, as the chain has them."""


@dataclass(frozen=True, slots=True)
class Change:
    """One field. `is_change`: it was something else before; `was` is None if there was nothing."""

    field: str
    was: Markup | None
    now: Markup | None
    is_change: bool


def changes_of(entry: AuditEntry, values: Values) -> list[Change]:
    """The fields that changed, then what else was recorded, without what is empty."""
    data = {name: value for name, value in entry.data.items() if name not in _TOLD_ELSEWHERE}
    if isinstance(data.get(_NUMERATOR), int) and isinstance(data.get(_DENOMINATOR), int):
        data["rate"] = rate(data.pop(_NUMERATOR), data.pop(_DENOMINATOR))
    changed = [
        Change(_name(entry, name), values.shown(name, was), values.shown(name, value), is_change=True)
        for name, was, value in _pairs(data)
    ]
    told = ((name, values.shown(name, value)) for name, value in data.items())
    return [
        *changed,
        *(Change(_name(entry, name), None, shown, is_change=False) for name, shown in told if shown is not None),
    ]


def _name(entry: AuditEntry, field: str) -> str:
    if field == "valid_until" and entry.type.startswith("merchant."):
        return field_name("ends_at")
    if field == MICROS.removeprefix("_") and entry.type.startswith("merchant."):
        return field_name("credit_limit")
    return field_name(field.removesuffix(MICROS))


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
