"""Traces of one process: what begins them, what ends them, and what they cost where nobody wants them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
from structlog.testing import CapturingLogger

from clearing.kit import tracing
from tests.support.trace_collector import CollectedSpan, TraceCollector, deaf_collector

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TRACE, PARENT = CALLER.split("-")[1:3]


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever the environment says, and the last test left behind."""
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_SERVICE_NAME"):
        monkeypatch.delenv(name, raising=False)
    yield
    tracing.end()


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[TraceCollector]:
    with TraceCollector() as found:
        for name, value in found.variables.items():
            monkeypatch.setenv(name, value)
        yield found


def spans(collector: TraceCollector, count: int) -> dict[str, CollectedSpan]:
    """By name and parent: so many are awaited, and no more come."""
    tracing.end()
    collector.await_spans(lambda found: len(found) >= count)
    assert len(collector.spans) == count
    return {f"{span.name} of {span.parent or 'nobody'}": span for span in collector.spans}


ROLES = {
    "sequencer": "import clearing.runtime.actions.daemons",
    "projector": "import clearing.pipeline.projector",
    "sdk": "from tongdui import AsyncClient, Client; Client('http://gateway', 'tdk_x')",
}
OFF = {
    "no endpoint": {},
    "disabled": {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_SDK_DISABLED": "true"},
    "no exporter": {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_TRACES_EXPORTER": "none"},
}


def loaded(code: str, **variables: str) -> list[str]:
    """The modules of OpenTelemetry that code loads in a process of its own."""
    script = f"import sys\n{code}\nprint(*sorted(name for name in sys.modules if name.startswith('opentelemetry')))"
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env={**_environment(), **variables}
    )
    return ended.stdout.split()


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}


@pytest.mark.parametrize("off", OFF)
@pytest.mark.parametrize("code", ROLES.values(), ids=ROLES)
def test_nothing_is_loaded_where_nobody_wants_traces(code: str, off: str) -> None:
    assert (
        loaded(
            f"{code}\nfrom clearing.kit import tracing\nwith tracing.exporting('x'): assert not tracing.is_on()",
            **OFF[off],
        )
        == []
    )


def test_the_gateway_loads_only_what_its_framework_does() -> None:
    """FastAPI imports OpenTelemetry's API, which records nothing."""
    names = loaded("import gateway.server\nfrom clearing.kit import tracing\ntracing.begin('gateway')")
    assert names == loaded("import fastapi, fastapi.telemetry._asgi, fastapi.telemetry._runtime")
    assert not [name for name in names if name.startswith(("opentelemetry.sdk", "opentelemetry.exporter"))]


def test_without_the_extra_there_are_no_traces_and_one_line_says_so() -> None:
    code = """
import sys
sys.modules["opentelemetry.sdk"] = None
from clearing.kit import tracing
tracing.begin("gateway")
assert not tracing.is_on()
from tongdui import Client, APIConnectionError
try:
    Client("http://127.0.0.1:9", "tdk_x", max_retries=0).network.get()
except APIConnectionError:
    print("went on")
"""
    environment = {**_environment(), "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert "tongdui-clearing[otel]" in ended.stdout
    assert ended.stdout.splitlines()[-1] == "went on"


def test_what_is_recorded_stands_in_its_callers_trace(collector: TraceCollector) -> None:
    tracing.begin("projector")
    tracing.record("settle", CALLER, 2.5, {"tongdui.batch": 7})
    tracing.record("settle", CALLER.replace(PARENT, "00f067aa0ba902b7"), 0.0, {}, error="insufficient_points")
    found = spans(collector, 2)
    settled, refused = found[f"settle of {PARENT}"], found["settle of 00f067aa0ba902b7"]
    assert (settled.process, settled.trace, settled.attributes) == ("tongdui-projector", TRACE, {"tongdui.batch": 7})
    assert (settled.ended - settled.began, settled.failed) == (2_500_000_000, False)
    assert (refused.failed, refused.attributes["error.type"]) == (True, "insufficient_points")


def test_a_request_carries_its_trace_and_says_what_was_answered(collector: TraceCollector) -> None:
    tracing.begin("worker")
    with tracing.request("webhook", CALLER, {}) as request:
        ((name, carried),) = request.headers
        request.answered(503)
    with tracing.request("webhook", None, {}) as untraced:
        assert untraced.headers == []
        untraced.answered(200)
    found = spans(collector, 1)[f"webhook of {PARENT}"]
    assert (name, carried.split("-")[1:3]) == ("traceparent", [TRACE, found.id])
    assert (found.failed, found.attributes["http.response.status_code"]) == (True, 503)


def test_joint_work_is_linked_from_each_trace_and_to_each(collector: TraceCollector) -> None:
    other = CALLER.replace(TRACE, "4bf92f3577b34da6a3ce929d0e0e4736")
    tracing.begin("sequencer")
    with tracing.joint("batch", {"tongdui.orders": 3}) as traced:
        traced.extend([CALLER, None, other])
    with suppress(ZeroDivisionError), tracing.joint("batch", {}) as failed:
        failed.append(CALLER)
        raise ZeroDivisionError
    with tracing.joint("batch", {}) as nobody:
        nobody.append(None)
    spans(collector, 3)
    (common,) = [span for span in collector.spans if not span.parent]
    own = {span.trace: span for span in collector.spans if span.parent == PARENT}
    assert set(own) == {TRACE, other.split("-")[1]}
    assert {span.links for span in own.values()} == {((common.trace, common.id),)}
    assert set(common.links) == {(trace, PARENT) for trace in own}


def test_joint_work_for_one_trace_needs_no_other(collector: TraceCollector) -> None:
    tracing.begin("sequencer")
    with tracing.joint("batch", {}) as traced:
        traced.append(CALLER)
    assert spans(collector, 1)[f"batch of {PARENT}"].links == ()


def test_a_wrong_variable_is_no_reason_to_stop(collector: TraceCollector, monkeypatch: pytest.MonkeyPatch) -> None:
    said = CapturingLogger()  # the module's own may have been used by another test, and writes to that one's output
    monkeypatch.setattr(tracing, "log", said)
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "0")
    tracing.begin("gateway")
    tracing.record("settle", CALLER, 1.0, {})
    assert not tracing.is_on()
    (line,) = said.calls
    assert "max_queue_size must be a positive integer" in line.kwargs["error"]


def test_a_process_that_ends_waits_for_no_collector(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """This one takes connections and never answers, and each attempt may take an hour."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "3600")
    with deaf_collector() as url:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        tracing.begin("gateway")
        for _ in range(5_000):  # more than it keeps
            tracing.record("settle", CALLER, 0.0, {})
        began = time.monotonic()
        tracing.end()
        assert time.monotonic() - began < 60
    assert 1 <= len(caplog.records) <= 2
    assert not tracing.is_on()
