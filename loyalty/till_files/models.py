"""Tables of till files and of what was refused of them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, column_property, mapped_column

from loyalty.kit.database import Base, chosen, partial_index, time_of_insert


class FileState(StrEnum):
    """How far a till file is."""

    WAITING = "waiting"
    """Not all of it has been taken in."""
    DONE = "done"
    UNREADABLE = "unreadable"
    """Nothing of it was taken in: `problem` says why."""


class Fate(StrEnum):
    """What became of a sale or a return of a till file."""

    BOOKED = "booked"
    KNOWN = "known"
    """It was here already, and says the same."""
    DIFFERS = "differs"
    """It was here already, and says something else."""
    REFUSED = "refused"
    """It cannot be booked as it is."""
    NOT_BOOKED = "not_booked"
    """The programme failed at it, and its log says why: taken again, it may be booked."""


class TillFile(Base):
    """A till file. Its content says which it is: the same file of a station is the same row."""

    __tablename__ = "till_files"
    __table_args__ = (
        Index("till_files_content_unique", "station_id", "fingerprint", unique=True),
        partial_index("till_files_waiting_index", "id", where="state = 'waiting'"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    station_id: Mapped[str] = mapped_column(ForeignKey("stations.id"))
    name: Mapped[str] = mapped_column(String(200))
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary(32))
    """SHA-256 of the file."""
    mapping: Mapped[str] = mapped_column(String(200))
    """The name of the mapping, or its file."""
    mapping_fingerprint: Mapped[bytes] = mapped_column(LargeBinary(32))
    """Of what it says: with another mapping the file is taken in from its beginning."""
    content: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    """The file that was sent over HTTP, until all of it is booked."""
    is_kept: Mapped[bool] = column_property(content.is_not(None))
    state: Mapped[FileState] = mapped_column(chosen(FileState), default=FileState.WAITING)
    problem: Mapped[str | None] = mapped_column(Text)
    read_at: Mapped[datetime]
    """The moment by which a sale is in the future: the same after a crash."""
    position: Mapped[int] = mapped_column(default=0)
    """How many documents have been taken in: who goes on after a crash begins there."""
    rows_read: Mapped[int] = mapped_column(default=0)
    skipped: Mapped[int] = mapped_column(default=0)
    """Rows that do not count by the mapping."""
    booked: Mapped[int] = mapped_column(default=0)
    known: Mapped[int] = mapped_column(default=0)
    differs: Mapped[int] = mapped_column(default=0)
    refused: Mapped[int] = mapped_column(default=0)
    not_booked: Mapped[int] = mapped_column(default=0, server_default="0")
    sent_by: Mapped[str] = mapped_column(String(40))
    created_at: Mapped[datetime] = mapped_column(default=time_of_insert)
    finished_at: Mapped[datetime | None]


class TillFileRefusal(Base):
    """A part of a till file that was not booked: where it stands, which field is wrong, and what to do about it."""

    __tablename__ = "till_file_refusals"
    __table_args__ = (Index("till_file_refusals_file_index", "file_id", "id"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    file_id: Mapped[str] = mapped_column(ForeignKey("till_files.id"))
    fate: Mapped[Fate] = mapped_column(chosen(Fate))
    line: Mapped[int]
    field: Mapped[str] = mapped_column(String(200))
    till: Mapped[str] = mapped_column(String(200))
    number: Mapped[str] = mapped_column(String(200))
    """The document's, as far as it can be read."""
    detail: Mapped[str] = mapped_column(Text)
