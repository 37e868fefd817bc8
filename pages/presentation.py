"""How one request wants things shown: its language, the network's zone and currency. Filters of templates and forms ask here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo


@dataclass(frozen=True, slots=True)
class Presentation:
    """What differs from one request to the next."""

    language: str = "zh"
    zone: tzinfo = UTC
    currency: str = "CNY"
    csrf_secret: str = ""
    """What the tokens of this request's forms are made of."""
    scheme: str = "auto"
    """Light, dark, or what the system prefers."""


_NOBODYS = Presentation()
_current: ContextVar[Presentation] = ContextVar("presentation", default=_NOBODYS)


def presentation() -> Presentation:
    """How the present request wants things shown."""
    return _current.get()


def local(at: datetime) -> datetime:
    """A moment in the network's zone; as it is, if it is too near the end of the calendar for that (9999-12-31)."""
    try:
        return at.astimezone(presentation().zone)
    except OverflowError:
        return at


def present(shown: Presentation) -> None:
    """Shows the rest of this request so."""
    _current.set(shown)


@contextmanager
def presented(shown: Presentation) -> Iterator[None]:
    """Shows everything within the block so."""
    token = _current.set(shown)
    try:
        yield
    finally:
        _current.reset(token)
