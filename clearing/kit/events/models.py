"""Table of events."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, String
from sqlalchemy.orm import Mapped, mapped_column, object_session

from clearing.kit.clock import time_of_insert
from clearing.kit.database import Base, BigInt, partial_index
from clearing.kit.events.sources import make_data


class Event(Base):
    """Something that happened to `subject`. The merchant `merchant_number` may see it, and the network's own roles."""

    __tablename__ = "events"
    __table_args__ = (
        Index("events_merchant_page_index", "merchant_number", "seq"),
        Index("events_merchant_type_index", "merchant_number", "type", "seq"),
        Index("events_subject_index", "subject", "seq"),
        # PostgreSQL does not see that rows without a merchant are in the order of the index above.
        partial_index("events_network_type_index", "type", "seq", where="merchant_number IS NULL"),
        # Pages of the audit log, and of an actor, a type or a subject in it. Hardly any event is in them.
        *(
            partial_index(f"events_audit_{name}_index", *columns, "created_at", "seq", where="audited")
            for name, columns in (("page", ()), ("actor", ("actor",)), ("type", ("type",)), ("subject", ("subject",)))
        ),
    )

    seq: Mapped[int] = mapped_column(BigInt, primary_key=True)
    id: Mapped[str] = mapped_column(String(40), unique=True)
    type: Mapped[str] = mapped_column(String(64))
    """`source.action`, such as `order.settled`."""
    subject: Mapped[str] = mapped_column(String(66))
    actor: Mapped[str] = mapped_column(String(40))
    """Who caused it: an API key's id, or a process (`sequencer`, `projector`)."""
    merchant_number: Mapped[int | None] = mapped_column(default=None)
    stored: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """Its data; or, where it has a source, what cannot be found there any more later."""
    source: Mapped[str | None] = mapped_column(String(16), default=None)
    """What its data is made of when somebody reads it; None where it stands here."""
    created_at: Mapped[datetime] = mapped_column(default=time_of_insert)
    audited: Mapped[bool | None] = mapped_column(default=None)
    """True in the audit log. Of an event that concerns several merchants, one row is in it."""

    __allow_unmapped__ = True
    made: dict[str, Any] | None = None
    """The data that was made from the source."""

    @property
    def data(self) -> dict[str, Any]:
        """What there is to say. Where it has to be made, that is done for all events of the session together."""
        if self.source is None:
            return self.stored
        if self.made is None:
            session = object_session(self)
            assert session is not None, "whoever shows an event has it read its data before the session ends"
            make_data(session, [each for each in session.identity_map.values() if isinstance(each, Event)])
        return self.stored if self.made is None else self.made

    @data.setter
    def data(self, data: dict[str, Any]) -> None:
        self.stored, self.source = data, None


class EventCursor(Base):
    """How far a reader has read the events. `gaps` are numbers up to `seq` that were missing at the time: their transactions had
    not committed yet, or never will."""

    __tablename__ = "event_cursors"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInt, default=0)
    gaps: Mapped[list[list[int]]] = mapped_column(JSON, default=list)
    """[first, last, bound, Unix time of discovery]; transactions from `bound` on cannot have taken these numbers."""
