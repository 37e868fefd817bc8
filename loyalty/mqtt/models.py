"""Table of what devices published and nobody can mean."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from hashlib import sha256

from sqlalchemy import Index, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from loyalty.kit.database import Base, chosen, time_of_insert


class RefusedState(StrEnum):
    """What a person has decided about a refused message."""

    OPEN = "open"
    """Nothing yet."""
    TAKEN = "taken"
    """It was taken after all."""
    PUT_ASIDE = "put_aside"
    """Nothing is to follow from it."""


class RefusedMessage(Base):
    """What came over MQTT and was refused. The same again is the same row."""

    __tablename__ = "refused_messages"
    __table_args__ = (
        Index("refused_messages_content_unique", "fingerprint", unique=True),
        Index("refused_messages_device_index", "device", "id"),
        Index("refused_messages_last_index", "last_at"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary(32))
    """Of topic and payload."""
    topic: Mapped[str] = mapped_column(String(300))
    device: Mapped[str | None] = mapped_column(String(40))
    """Whose topic it is; there need be no such device."""
    payload: Mapped[str] = mapped_column(Text)
    """Its beginning, as far as it is text."""
    code: Mapped[str] = mapped_column(String(40))
    field: Mapped[str] = mapped_column(String(200))
    """A JSON pointer to what is wrong, or ""."""
    detail: Mapped[str] = mapped_column(Text)
    times: Mapped[int] = mapped_column(default=1)
    """How often it came."""
    first_at: Mapped[datetime] = mapped_column(default=time_of_insert)
    last_at: Mapped[datetime] = mapped_column(default=time_of_insert)
    state: Mapped[RefusedState] = mapped_column(
        chosen(RefusedState), default=RefusedState.OPEN, server_default=RefusedState.OPEN.value
    )
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str | None] = mapped_column(String(40))
    reason: Mapped[str | None] = mapped_column(Text)
    """Why it was put aside."""

    @property
    def is_whole(self) -> bool:
        """Whether all of it is kept, so that it can be taken."""
        return fingerprint_of(self.topic, self.payload.encode()) == self.fingerprint


def fingerprint_of(topic: str, payload: bytes) -> bytes:
    """Which message it is."""
    return sha256(b"\0".join((topic.encode(), payload))).digest()
