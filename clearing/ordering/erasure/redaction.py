"""Taking a member's names out of what was written down: events, and answers that are kept for repetitions. Pure functions."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from tongdui._canonical import EXTERNAL

ERASED = "erased"
"""What stands in place of a name."""
_FIELDS = frozenset({"external_id", "external_ids"})
"""Fields that hold external ids. Elsewhere the same text means something else."""


@dataclass(frozen=True, slots=True)
class Names:
    """A member's names. Ids and addresses are its own wherever they stand; an external id is, only where its merchant wrote it."""

    unique: frozenset[str]
    """Ids and addresses."""
    external_ids: frozenset[str] = frozenset()

    def patterns(self) -> Collection[str]:
        """Texts of which a JSON document that names the member has at least one."""
        written = {
            form for name in self.external_ids for form in (json.dumps(name), json.dumps(name, ensure_ascii=False))
        }
        # In the middle of a sentence there are no quotation marks around the name.
        return {*self.unique, *written, *(EXTERNAL + form[1:-1] for form in written)}


def redacted(value: Any, names: Names, field: str = "") -> Any:
    """The value without the member's names."""
    if isinstance(value, dict):
        return {key: redacted(inner, names, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [redacted(inner, names, field) for inner in value]
    if not isinstance(value, str):
        return value
    if field in _FIELDS and value in names.external_ids:
        return ERASED
    for name in names.unique:
        value = value.replace(name, ERASED)
    # The longest first: one external id may be the beginning of another.
    for name in sorted(names.external_ids, key=len, reverse=True):
        value = value.replace(EXTERNAL + name, EXTERNAL + ERASED)
    return value
