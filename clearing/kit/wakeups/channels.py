"""What can happen that somebody waits for, and how a transaction says that it has."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy.orm import Session

from clearing.kit.database import dialect_of


class Channel(StrEnum):
    """What has happened. The names are PostgreSQL's: it shares them among all that uses the same database."""

    REQUESTED = "tongdui_requested"
    """Something waits for the sequencer: an order, or a privileged call."""
    SENT = "tongdui_sent"
    """The node has got a transaction, so a block will contain it soon."""
    DECIDED = "tongdui_decided"
    """Something that was on its way to the chain is final."""


class Pause(NamedTuple):
    """How long somebody does nothing, and what ends that early."""

    seconds: float
    channels: Collection[Channel] = ()


def notify(session: Session, channel: Channel) -> None:
    """Wakes whoever listens to the channel as soon as the session's transaction is committed; if it never is, nobody.

    It carries nothing: PostgreSQL delivers equal notifications of one transaction once. SQLite needs none: its listeners watch
    the file.
    """
    if dialect_of(session) == "postgresql":
        session.connection().exec_driver_sql(f"NOTIFY {channel}")
