"""How an event says what was changed: the values before, and those after, by their names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clearing.kit.json_values import json_values


def changed_from(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """The part of an event's data that the audit log shows as a change."""
    return json_values({"before": before, "after": after})
