"""What deploy/ asks of Prometheus: the alerts' rules, their unit tests, and the dashboard."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"


def alerts() -> dict[str, dict[str, Any]]:
    """The alerts by name."""
    groups = yaml.safe_load((DEPLOY / "prometheus" / "rules.yaml").read_text())["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    found = {rule["alert"]: rule for rule in rules}
    assert len(found) == len(rules)
    return found


def alert_tests() -> list[dict[str, Any]]:
    """The unit tests of the alerts."""
    tests: list[dict[str, Any]] = yaml.safe_load((DEPLOY / "prometheus" / "rules.test.yaml").read_text())["tests"]
    return tests


def panels() -> list[dict[str, Any]]:
    """The panels of the dashboard, without its rows."""
    dashboard = json.loads((DEPLOY / "grafana" / "tongdui.json").read_text())
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def queries() -> Iterator[str]:
    """Everything that is asked of Prometheus."""
    for rule in alerts().values():
        yield rule["expr"]
    for panel in panels():
        for target in panel["targets"]:
            yield target["expr"]


def metrics_in(query: str) -> set[str]:
    """The names of our metrics in a query, as samples have them."""
    return set(re.findall(r"\btongdui_\w+", query))
