"""OpenTelemetry spans of a client's calls. Nothing of OpenTelemetry is loaded for them, unless somebody asks for traces.

Somebody does whose program has a tracer provider, or whose environment says where traces go (`OTEL_EXPORTER_OTLP_ENDPOINT`), with
the extra `otel` installed.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from typing import TYPE_CHECKING, Any

from ._errors import APIError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Tracer

_EXPORT_SECONDS = 2.0
"""How long a collector may take, unless OTEL_EXPORTER_OTLP_TIMEOUT says otherwise. What it does not take then is lost."""
_END_SECONDS = 1.0
"""How long a process that ends waits for the collector."""
_COMPLAINT_SECONDS = 300.0
"""How often a process says that it cannot reach the collector."""

_QUEUES = "opentelemetry.sdk._shared_internal"
"""What complains of each span for which its queue has no place."""
_log = logging.getLogger(__name__)

Carrier = Mapping[str, str]
"""The headers that carry a trace to whom is called."""

_UNTRACED: AbstractContextManager[Carrier] = nullcontext({})


def call(flow: Any, resource: object) -> AbstractContextManager[Carrier]:
    """Trace a call of the gateway while the block runs: a child of the caller's own span, if there is one.

    Args:
        flow: What is called: a generator, whose name says what it does.
        resource: Whose method it is, if it is one's.

    Returns:
        A context manager that gives the headers for the requests of the call; none where nobody traces.
    """
    tracer = _tracer()
    if tracer is None:
        return _UNTRACED
    name = flow.__qualname__ if resource is None else f"{type(resource).__name__}.{flow.__name__}"
    return _traced(tracer, name.removeprefix("Async"))


@contextmanager
def _traced(tracer: Tracer, name: str) -> Iterator[Carrier]:
    from opentelemetry import propagate
    from opentelemetry.trace import SpanKind, StatusCode

    carrier: dict[str, str] = {}
    # An exception's message may name a member: a span has the code only.
    options: dict[str, Any] = {"record_exception": False, "set_status_on_exception": False}
    with tracer.start_as_current_span(f"tongdui {name}", kind=SpanKind.CLIENT, **options) as span:
        propagate.inject(carrier)
        try:
            yield carrier
        except Exception as error:
            span.set_attribute("error.type", error.code if isinstance(error, APIError) else type(error).__name__)
            span.set_status(StatusCode.ERROR)
            raise


def _tracer() -> Tracer | None:
    """The program's tracer, or our own where it has none and its environment asks for traces."""
    api: Any = sys.modules.get("opentelemetry.trace")
    if api is not None and not isinstance(provider := api.get_tracer_provider(), api.ProxyTracerProvider):
        tracer: Tracer = provider.get_tracer("tongdui")
        return tracer
    return _own_tracer() if is_wanted() else None


@cache
def _own_tracer() -> Tracer | None:
    try:
        provider = new_provider()
    except ModuleNotFoundError:  # the variables are meant for somebody else
        return None
    except ValueError as error:
        _log.warning("there are no traces, because a variable of OpenTelemetry is wrong: %s", error)
        return None
    atexit.register(end, provider)
    if hasattr(os, "register_at_fork"):  # a process that this one forks makes its own: no two share a connection
        os.register_at_fork(after_in_child=_own_tracer.cache_clear)
    return provider.get_tracer("tongdui")


# -------------------------------------------------------------------- where spans go


def is_wanted() -> bool:
    """Whether the environment says where traces go."""
    environment = os.environ
    return (
        bool(environment.get("OTEL_EXPORTER_OTLP_ENDPOINT") or environment.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"))
        and environment.get("OTEL_SDK_DISABLED", "").strip().lower() != "true"
        and environment.get("OTEL_TRACES_EXPORTER", "").strip().lower() != "none"
    )


def new_provider(service: str | None = None) -> TracerProvider:
    """Make what takes spans and sends them to the collector in a thread of its own. Whoever records a span never waits for that.

    Args:
        service: The process's name among others, if OTEL_SERVICE_NAME does not say it.

    Returns:
        A provider. `end` ends it.

    Raises:
        ModuleNotFoundError: The extra `otel` is not installed.
        ValueError: A variable of OpenTelemetry is wrong.
    """
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    for name in (OTLPSpanExporter.__module__, _QUEUES):
        logging.getLogger(name).addFilter(_Seldom())
    named = service is not None and not os.environ.get("OTEL_SERVICE_NAME")
    provider = TracerProvider(
        resource=Resource.create({"service.name": service} if named and service else {}), shutdown_on_exit=False
    )
    timeouts = ("OTEL_EXPORTER_OTLP_TIMEOUT", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT")
    timeout = None if any(map(os.environ.get, timeouts)) else _EXPORT_SECONDS
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(timeout=timeout)))
    return provider


def end(provider: TracerProvider) -> None:
    """Send what a provider still has, but let no collector hold up the end of the process.

    Args:
        provider: What `new_provider` made.
    """
    ending = threading.Thread(target=provider.shutdown, name="tongdui-traces", daemon=True)
    ending.start()
    ending.join(_END_SECONDS)


class _Seldom(logging.Filter):
    """Lets one record through in a while: a collector that is away is worth a line, not two for each attempt."""

    def __init__(self) -> None:
        super().__init__()
        self._next = 0.0

    def filter(self, record: logging.LogRecord) -> bool:  # noqa: ARG002
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + _COMPLAINT_SECONDS
        return True
