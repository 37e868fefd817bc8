"""Traces: what became of a request in every process that had to do with it (docs/decisions/0069-one-trace-an-order.md).

OpenTelemetry's own variables say where spans go. Where they say nothing, nothing of it is loaded here, and nothing is recorded.
A trace is known by its `traceparent`, as W3C Trace Context writes it: the span under which others are recorded.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import structlog

from tongdui._tracing import end as end_provider
from tongdui._tracing import is_wanted, new_provider

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
    from opentelemetry.trace import Span

log = structlog.get_logger(__name__)

Attributes = Mapping[str, str | int]

LONGEST = 55
"""Characters of a traceparent."""

_REDACTED = "REDACTED"
_TELLING = ("url.path", "url.query")
"""Attributes of a request that may name a member. `http.route` says as much of it as an operator needs."""


class _Tracing:
    """What records the spans of this process."""

    def __init__(self, provider: TracerProvider) -> None:
        from opentelemetry import context, trace
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        provider.add_span_processor(_discreet())
        self.provider = provider
        self._trace = trace
        self._nowhere = context.Context()
        self._tracer = provider.get_tracer("tongdui")
        self._propagator = TraceContextTextMapPropagator()

    def current(self) -> Span:
        return self._trace.get_current_span()

    def trace_id(self) -> str | None:
        found = self.current().get_span_context()
        return self._trace.format_trace_id(found.trace_id) if found.is_valid else None

    def traceparent(self, span: Span | None = None) -> str | None:
        """Of a span, or of the current one; None where that is not recorded."""
        found = (span or self.current()).get_span_context()
        if not (found.is_valid and found.trace_flags.sampled):
            return None
        carrier: dict[str, str] = {}
        self._propagator.inject(carrier, self._trace.set_span_in_context(span) if span is not None else None)
        return carrier["traceparent"]

    def context_of(self, traceparent: str | None) -> Context:
        if traceparent is None:
            return self._nowhere
        return self._propagator.extract({"traceparent": traceparent}, self._nowhere)

    def begin(
        self,
        name: str,
        parent: str | None,
        attributes: Attributes,
        *,
        at: int | None = None,
        links: Iterable[str] = (),
        calls: bool = False,
    ) -> Span:
        contexts = [self._trace.get_current_span(self.context_of(link)).get_span_context() for link in links]
        return self._tracer.start_span(
            name,
            self.context_of(parent),
            kind=self._trace.SpanKind.CLIENT if calls else self._trace.SpanKind.INTERNAL,
            attributes=dict(attributes),
            links=[self._trace.Link(context) for context in contexts],
            start_time=at,
        )

    def fail(self, span: Span, error: str) -> None:
        span.set_attribute("error.type", error)
        span.set_status(self._trace.StatusCode.ERROR)


def _discreet() -> SpanProcessor:
    from opentelemetry.sdk.trace import Span as SdkSpan
    from opentelemetry.sdk.trace import SpanProcessor

    class Discreet(SpanProcessor):
        """Takes out of a span, as it begins, what a library has put in and nobody outside shall read."""

        def on_start(self, span: SdkSpan, parent_context: Context | None = None) -> None:  # noqa: ARG002
            for name in _TELLING:
                if name in (span.attributes or {}):
                    span.set_attribute(name, _REDACTED)

    return Discreet()


_tracing: _Tracing | None = None


# -------------------------------------------------------------------- a process


def begin(process: str) -> None:
    """Lets this process record spans, if its environment says where they go. A process that forks calls it in each child: none of
    them shares a connection, or a thread, with another."""
    global _tracing
    _tracing = None
    if not is_wanted():
        return
    try:
        provider = new_provider(f"tongdui-{process}")
    except ModuleNotFoundError as error:
        log.warning("there are no traces: install tongdui-clearing[otel]", missing=error.name)
        return
    except ValueError as error:  # the network works without them, too
        log.warning("there are no traces: a variable of OpenTelemetry is wrong", error=str(error))
        return
    _tracing = _Tracing(provider)


def end() -> None:
    """Sends what this process has recorded, if the collector takes it within a moment."""
    global _tracing
    if _tracing is not None:
        end_provider(_tracing.provider)
    _tracing = None


@contextmanager
def exporting(process: str) -> Iterator[None]:
    """Both, around what the process does."""
    begin(process)
    try:
        yield
    finally:
        end()


def is_on() -> bool:
    """Whether this process records spans."""
    return _tracing is not None


def provider() -> TracerProvider | None:
    """What records the spans of a library, such as the web framework."""
    return _tracing.provider if _tracing is not None else None


# -------------------------------------------------------------------- the span that is open


def traceparent() -> str | None:
    """The open span's, if it is recorded."""
    return _tracing.traceparent() if _tracing is not None else None


def note(name: str, value: str) -> None:
    """Adds an attribute to the open span."""
    if _tracing is not None:
        _tracing.current().set_attribute(name, value)


def add_trace_id(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Names the trace in a line of the log that is written while a span is open."""
    if _tracing is not None and (trace_id := _tracing.trace_id()) is not None:
        line["trace_id"] = trace_id
    return line


# -------------------------------------------------------------------- other spans


class Request:
    """A request to somebody else, in the trace that it belongs to."""

    def __init__(self, span: Span | None = None) -> None:
        self._span = span

    @property
    def headers(self) -> list[tuple[str, str]]:
        """What carries the trace to whom is asked."""
        carried = _tracing.traceparent(self._span) if _tracing is not None and self._span is not None else None
        return [("traceparent", carried)] if carried is not None else []

    def answered(self, status: int) -> None:
        """Notes an answer."""
        if self._span is not None and _tracing is not None:
            self._span.set_attribute("http.response.status_code", status)
            if status >= 400:
                _tracing.fail(self._span, str(status))

    def failed(self, error: Exception) -> None:
        """Notes why there was none: the kind of error only, whose message may tell more than others shall know."""
        if self._span is not None and _tracing is not None:
            _tracing.fail(self._span, type(error).__name__)


@contextmanager
def request(name: str, parent: str | None, attributes: Attributes) -> Iterator[Request]:
    """Records a request to somebody else that is sent within the block, in its parent's trace; nothing where it has no parent."""
    if _tracing is None or parent is None:
        yield Request()
        return
    span = _tracing.begin(name, parent, attributes, calls=True)
    try:
        yield Request(span)
    finally:
        span.end()


def record(name: str, parent: str, seconds: float, attributes: Attributes, error: str | None = None) -> None:
    """Records what has just ended and took so many seconds, in its parent's trace."""
    if _tracing is None:
        return
    now = time.time_ns()
    span = _tracing.begin(name, parent, attributes, at=now - int(max(seconds, 0.0) * 1e9))
    if error is not None:
        _tracing.fail(span, error)
    span.end(now)


@contextmanager
def joint(name: str, attributes: MutableMapping[str, str | int]) -> Iterator[list[str | None]]:
    """Records what is done for many traces at once. Within the block, add their traceparents to the list; None stands for a request
    that nobody traces. Each trace gets a span of its own. If there are several, what they have in common is one more, in a trace of
    its own: all of them and it are linked. Of a block that fails nothing is recorded."""
    members: list[str | None] = []
    began = time.time_ns() if _tracing is not None else 0
    yield members
    if _tracing is not None and (traced := [member for member in members if member is not None]):
        _record_joint(_tracing, name, traced, began, attributes)


def _record_joint(tracing: _Tracing, name: str, members: Sequence[str], began: int, attributes: Attributes) -> None:
    now = time.time_ns()
    links: list[str] = []
    if len(members) > 1:
        common = tracing.begin(name, None, attributes, at=began, links=members)
        common.end(now)
        links = [found] if (found := tracing.traceparent(common)) is not None else []
    for member in members:
        tracing.begin(name, member, attributes, at=began, links=links).end(now)
