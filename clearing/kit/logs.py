"""Structured logs: one JSON object per line, on standard error."""

from __future__ import annotations

import logging
import sys

import structlog

from clearing.kit import tracing


def configure(level: int = logging.INFO) -> None:
    """Sets up structlog for this process."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            tracing.add_trace_id,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        # Each line at once, with its end: workers share a file, and print() writes the end by itself where output is unbuffered.
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
