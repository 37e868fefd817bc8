"""A collector of traces: takes what OpenTelemetry's exporters send over HTTP, and keeps every span."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1 import trace_pb2

_PATIENCE = 120.0


@dataclass(frozen=True)
class CollectedSpan:
    """A span as the collector gets it. Ids are hexadecimal; a root's parent is empty."""

    process: str
    name: str
    trace: str
    id: str
    parent: str
    kind: int
    failed: bool
    began: int
    ended: int
    attributes: dict[str, str | int | bool]
    links: tuple[tuple[str, str], ...]
    """(trace, span)."""


@dataclass
class TraceCollector:
    """Use it as a context manager."""

    spans: list[CollectedSpan] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    """Everything that it was sent, decompressed."""

    def __enter__(self) -> TraceCollector:
        collector = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                collector.take(body)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def variables(self) -> dict[str, str]:
        """What lets a process send its spans here, at once."""
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": self.url, "OTEL_BSP_SCHEDULE_DELAY": "50"}

    def take(self, body: bytes) -> None:
        request = ExportTraceServiceRequest()
        request.ParseFromString(body)
        self.raw.append(body)
        for resource in request.resource_spans:
            process = str(_attributes(resource.resource.attributes).get("service.name", ""))
            self.spans += [_collected(process, span) for scope in resource.scope_spans for span in scope.spans]

    def of_trace(self, trace: str) -> list[CollectedSpan]:
        """All spans of a trace so far."""
        return [span for span in list(self.spans) if span.trace == trace]

    def await_spans(self, found: Callable[[list[CollectedSpan]], bool]) -> list[CollectedSpan]:
        """Waits until what it has satisfies a condition."""
        deadline = time.monotonic() + _PATIENCE
        while not found(spans := list(self.spans)):
            seen = sorted({(span.process, span.name) for span in spans})
            assert time.monotonic() < deadline, f"what was waited for has not come; what has: {seen}"
            time.sleep(0.02)
        return spans


@contextmanager
def deaf_collector() -> Iterator[str]:
    """Where something listens that never answers. Gives its address."""
    with socket.create_server(("127.0.0.1", 0), backlog=1) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def _collected(process: str, span: trace_pb2.Span) -> CollectedSpan:
    return CollectedSpan(
        process=process,
        name=span.name,
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        kind=span.kind,
        failed=span.status.code == trace_pb2.Status.STATUS_CODE_ERROR,
        began=span.start_time_unix_nano,
        ended=span.end_time_unix_nano,
        attributes=_attributes(span.attributes),
        links=tuple((link.trace_id.hex(), link.span_id.hex()) for link in span.links),
    )


def _attributes(pairs: object) -> dict[str, str | int | bool]:
    return {pair.key: _value(pair.value) for pair in pairs}  # type: ignore[attr-defined]


def _value(value: AnyValue) -> str | int | bool:
    found = getattr(value, value.WhichOneof("value") or "string_value")
    return found if isinstance(found, (str, int, bool)) else str(found)
