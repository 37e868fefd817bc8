"""What Prometheus is told is what happened."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from clearing.chain.nodes import Nodes
from clearing.kit import metrics
from clearing.kit.clock import MovableClock
from clearing.kit.wakeups.channels import Pause
from clearing.notifications.webhooks.models import EndpointState, WebhookEndpoint
from clearing.oversight.approvals.models import Approval, ChangeKind
from clearing.oversight.health.service import HealthService
from clearing.oversight.reconciliation.models import Reconciliation, Scope
from clearing.parties.access.models import Role
from clearing.pipeline.leadership import Leadership
from clearing.runtime import daemon
from clearing.runtime.jobs.processes import metrics_directory
from clearing.runtime.metrics import serving
from scripts.dev.services import free_port
from tests.support.harness import Harness
from tests.support.monitoring import metrics_in, queries

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def test_the_metrics_show_the_queue_the_chain_and_the_positions(harness: Harness) -> None:
    with _scraping(harness) as scrape:
        before = scrape()
        member = harness.member()
        harness.issue(member, 1_000)
        harness.settle()
        harness.exchange(member, 100)
        harness.redeem(member, 10, "FUEL")
        waiting = _changes(before, scrape())
        assert waiting["tongdui_queue_orders"] == 2
        assert waiting["tongdui_queue_instructions"] == 2
        assert scrape()["tongdui_queue_oldest_seconds", ()] > 0
        harness.sequencer.step()
        flying = scrape()
        assert flying["tongdui_transactions_in_flight", ()] == 1
        assert flying["tongdui_chain_lag_blocks", ()] == 1
        harness.settle()
        after = scrape()
        done = _changes(before, after)
    assert after["tongdui_queue_orders", ()] == after["tongdui_chain_lag_blocks", ()] == 0
    assert done["tongdui_orders_ended_total{state=settled}"] == 3
    assert done["tongdui_batches_total{outcome=mined}"] == 2
    assert done["tongdui_batch_entries_sum"] == 3
    assert done["tongdui_batch_gas_sum"] > 100_000
    assert done["tongdui_time_to_settle_seconds_count"] == 3
    assert after["tongdui_position_micros", (("merchant", "2"),)] == 1_000_900_000
    assert after["tongdui_liquidity_micros", (("merchant", "1"),)] == 1_000_000_000 - 904_500
    assert after["tongdui_up", (("part", "chain"),)] == after["tongdui_up", (("part", "database"),)] == 1


def test_what_waits_for_people_is_shown_with_its_age(harness: Harness, clock: MovableClock) -> None:
    now = clock.now()
    asked = {
        "kind": ChangeKind.DEPOSIT,
        "change": {},
        "before": {},
        "after": {},
        "reason": "",
        "maker": "per_1",
        "maker_role": Role.OPERATOR,
        "maker_identity": "per_1",
        "created_at": now,
    }
    endpoint = {"merchant_number": 1, "url": "https://till.example", "secret": "", "after_seq": 0}
    with _scraping(harness) as scrape:
        before = scrape()
        assert before["tongdui_approvals_oldest_seconds", ()] == before["tongdui_transactions_oldest_seconds", ()] == 0
        assert not [name for name, _ in before if name.startswith("tongdui_webhooks")]
        assert ("tongdui_reconciliation_drifts", ()) not in before
        with harness.database.session.begin() as session:
            session.add_all(
                [
                    Approval(id="apr_over", claim="over", expires_at=now + timedelta(seconds=100), **asked),
                    Approval(id="apr_open", claim="open", expires_at=now + timedelta(days=1), **asked),
                    WebhookEndpoint(id="whe_well", **endpoint),
                    WebhookEndpoint(id="whe_ill", failing_since=now, **endpoint),
                    WebhookEndpoint(id="whe_off", state=EndpointState.DISABLED, failing_since=now, **endpoint),
                    _reconciliation(harness, Scope.FULL, ended_at=now - timedelta(seconds=60), drifts=0),
                    _reconciliation(harness, Scope.NEWS, ended_at=now, drifts=7),
                ]
            )
        harness.issue(harness.member(), 1)
        harness.sequencer.step()
        clock.move(timedelta(seconds=1_000))
        after = scrape()
    assert 1_000 <= after["tongdui_approvals_oldest_seconds", ()] < 1_300
    assert 1_000 <= after["tongdui_transactions_oldest_seconds", ()] < 1_300
    assert 1_000 <= after["tongdui_webhooks_failing_seconds", (("merchant", "1"),)] < 1_300
    assert after["tongdui_reconciliation_drifts", ()] == 7
    asked = {name for query in queries() for name in metrics_in(query)}
    assert len(asked) > 40
    exported = {name for name, _ in after} | _counted_here()
    assert asked - exported - {"tongdui_check_ok"} == set(), "asked for by an alert or the dashboard, and not measured"


def _counted_here() -> set[str]:
    """The names of all samples that processes count, also of those that have counted nothing yet."""
    suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"], "gauge": [""]}
    return {family.name + suffix for family in REGISTRY.collect() for suffix in suffixes.get(family.type, [])}


def _reconciliation(harness: Harness, scope: Scope, *, ended_at: datetime, drifts: int) -> Reconciliation:
    return Reconciliation(
        scope=scope,
        block=1,
        block_hash=bytes(32),
        contract=harness.settings.contract,
        drifts=drifts,
        report={},
        chain_state={},
        oldest_open_order=0,
        ended_at=ended_at,
    )


def test_a_gateways_metrics_say_what_readyz_says(harness: Harness) -> None:
    health = HealthService(harness.database, harness.client, harness.settings)
    said = health.check()
    with _scraping(harness, health) as scrape:
        found = scrape()
    checks = {dict(labels)["check"]: value for (name, labels), value in found.items() if name == "tongdui_check_ok"}
    assert checks == {field.name: getattr(said, field.name).ok for field in fields(said)}
    assert checks["chain"] == 1
    assert checks["sequencer"] == 0, "nobody leads"


def test_an_unreachable_chain_is_shown_and_so_is_the_rest(harness: Harness) -> None:
    with _scraping(harness) as scrape:
        harness.client._nodes = Nodes(["http://127.0.0.1:9"], timeout=30)
        found = scrape()
    assert found["tongdui_up", (("part", "chain"),)] == 0
    assert found["tongdui_up", (("part", "database"),)] == 1
    assert ("tongdui_queue_orders", ()) in found
    assert ("tongdui_chain_head", ()) not in found


def test_a_job_counts_with_its_outcome() -> None:
    def count(outcome: str) -> float:
        found = REGISTRY.get_sample_value("tongdui_job_seconds_count", {"name": "tidy", "outcome": outcome})
        return found or 0.0

    with metrics.job("tidy"):
        pass
    with pytest.raises(ZeroDivisionError), metrics.job("tidy"):
        raise ZeroDivisionError
    assert (count("done"), count("failed")) == (1, 1)


def test_without_a_port_nothing_is_served_and_a_taken_port_stops_nobody(harness: Harness) -> None:
    with serving(harness.settings, harness.database, harness.client):
        pass
    with _scraping(harness) as scrape, serving(harness.settings, harness.database, harness.client):
        assert scrape()


def test_a_daemon_survives_what_nobody_expected(harness: Harness) -> None:
    """A fault of ours is logged and counted, and the next step is tried."""
    attention = daemon.Attention()
    steps: list[int] = []

    class Clumsy:
        def step(self) -> bool:
            steps.append(1)
            if len(steps) == 3:
                attention.stop()
            raise KeyError("nobody expected this")

        def pause(self, *, worked: bool, woken: bool) -> Pause:
            raise AssertionError(worked, woken)

    daemon.run("clumsy", Clumsy(), Leadership(harness.database, "clumsy"), attention)
    assert len(steps) == 3
    failed = REGISTRY.get_sample_value("tongdui_daemon_steps_failed_total", {"daemon": "clumsy"})
    assert failed is not None
    assert failed >= 3


@contextmanager
def _scraping(harness: Harness, health: HealthService | None = None) -> Iterator[Scrape]:
    harness.settings.metrics_port = free_port()
    with serving(harness.settings, harness.database, harness.client, health):
        yield Scrape(harness.settings.metrics_port)


class Scrape:
    """Asks as Prometheus does."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/metrics"

    def __call__(self) -> Samples:
        text = httpx.get(self._url, timeout=30).raise_for_status().text
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }


def _changes(before: Samples, after: Samples) -> dict[str, float]:
    found = {}
    for (name, labels), value in after.items():
        text = name + ("{" + ",".join(f"{key}={word}" for key, word in labels) + "}" if labels else "")
        found[text] = value - before.get((name, labels), 0.0)
    return found


def test_a_worker_removes_the_metrics_of_those_that_were_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    killed = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    left, others = tmp_path / f"tongdui-metrics-{killed.pid}-abc", tmp_path / "tongdui-metrics-of-somebody-else"
    left.mkdir()
    (left / "counter_1.db").touch()
    others.mkdir()
    first = Path(metrics_directory())
    assert left.is_dir(), "its worker lives"
    killed.kill()
    killed.communicate()
    second = Path(metrics_directory())
    assert {*tmp_path.iterdir()} == {first, second, others}
    assert first.name.startswith(f"tongdui-metrics-{os.getpid()}-")
