"""Each alert leads to what an operator does about it, asks for what there is, and is shown to fire (docs/decisions/0068)."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from clearing.chain.node_errors import Refusal
from clearing.kit.catalogue import CATALOGUE
from clearing.kit.config import Settings
from clearing.oversight.health.service import Health
from clearing.runtime.jobs.app import schedule
from clearing.runtime.preflight.keys import NEEDS
from gateway.http.rate_limits import Kind
from tests.support.monitoring import alert_tests, alerts, panels, queries

ROOT = Path(__file__).resolve().parents[2]
PAGES = {"docs/operate.md": "Alerts", "docs/zh/operate.md": "告警"}


@pytest.mark.parametrize("page", PAGES)
def test_the_headings_of_the_alerts_are_the_alerts(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    section = re.split(r"^## ", text.partition(f"\n## {PAGES[page]}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    assert re.findall(r"^### (.+)$", section, re.MULTILINE) == list(alerts())


@pytest.mark.parametrize("name", alerts())
def test_an_alert_says_what_is_wrong_how_urgent_it_is_and_where_to_read_on(name: str) -> None:
    rule = alerts()[name]
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert set(rule["annotations"]) == {"summary", "description", "runbook"}
    assert all(rule["annotations"].values())
    assert rule["annotations"]["runbook"] == f"docs/operate.md#{name.lower()}"


@pytest.mark.parametrize("name", alerts())
def test_an_alert_is_shown_to_be_silent_and_to_fire(name: str) -> None:
    (test,) = [test for test in alert_tests() if test["name"] == name]
    silent, firing = test["promql_expr_test"]
    assert silent["expr"] == firing["expr"] == f'ALERTS{{alertname="{name}", alertstate="firing"}}'
    assert "exp_samples" not in silent
    for sample in firing["exp_samples"]:
        assert f'alertname="{name}"' in sample["labels"]
        assert f'severity="{alerts()[name]["labels"]["severity"]}"' in sample["labels"]


def test_nothing_is_tried_that_is_no_alert() -> None:
    assert [test["name"] for test in alert_tests()] == list(alerts())


KNOWN = {
    "tongdui_requests_refused_total": ("code", set(CATALOGUE)),
    "tongdui_check_ok": ("check", {field.name for field in fields(Health)}),
    "tongdui_job_seconds_count": ("name", set(schedule(Settings()))),
    "tongdui_up": ("part", {"database", "chain"}),
    "tongdui_batches_total": ("outcome", {"mined", "reverted"}),
    "tongdui_transactions_refused_total": ("kind", {refusal.name.lower() for refusal in Refusal}),
    "tongdui_requests_limited_total": ("kind", set(Kind)),
    "up": ("process", set(NEEDS)),
}
"""By metric: a label of it, and what it may say."""


@pytest.mark.parametrize("metric", KNOWN)
def test_queries_name_values_of_labels_that_there_are(metric: str) -> None:
    label, known = KNOWN[metric]
    found: set[str] = set()
    for query in queries():
        for selector in re.findall(rf"\b{metric}\{{([^}}]*)\}}", query):
            for values in re.findall(rf'\b{label}\s*(?:=|!=|=~|!~)\s*"([^"]*)"', selector):
                found.update(values.split("|"))
    assert found <= known
    if metric not in ("tongdui_requests_limited_total", "tongdui_up"):
        assert found


def test_each_kind_of_process_with_metrics_is_missed_when_it_is_gone() -> None:
    assert set(re.findall(r'process="(\w+)"', alerts()["TongduiProcessMissing"]["expr"])) == set(NEEDS)


def test_each_panel_says_what_it_shows() -> None:
    assert len({panel["title"] for panel in panels()}) == len(panels())
    for panel in panels():
        assert panel["description"].endswith(".")
        assert panel["targets"]
