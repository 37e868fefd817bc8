"""What a check raises."""

from __future__ import annotations


class CannotRun(Exception):
    """A command cannot run here; the message says why, and what to do about it."""
