"""How a till file is shown, and what was not booked of it."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from loyalty.api.fields import View
from loyalty.till_files.models import Fate, FileState, TillFile, TillFileRefusal


class FatesView(BaseModel):
    """What became of the sales and returns of a till file, so far."""

    booked: int
    known: int = Field(description="here already, and the same")
    differs: int = Field(description="here already, and something else")
    refused: int
    not_booked: int = Field(description="the programme failed at them: take the file again")


class TillFileView(View):
    """A till file."""

    COLUMNS = {"station": "station_id"}  # noqa: RUF012

    id: str
    station: str
    name: str
    sha256: str
    mapping: str
    state: FileState = Field(description="`waiting`: not all of it has been taken in; `unreadable`: nothing of it was")
    problem: str | None = Field(description="why it cannot be read")
    is_kept: bool = Field(description="whether the file is kept, so that it can be taken in again")
    rows_read: int
    skipped: int = Field(description="rows that do not count by the mapping")
    fates: FatesView
    sent_by: str
    created_at: datetime
    finished_at: datetime | None

    @classmethod
    def seen(cls, file: TillFile) -> TillFileView:
        """The view of a row."""
        fates = FatesView(
            booked=file.booked, known=file.known, differs=file.differs, refused=file.refused, not_booked=file.not_booked
        )
        return cls.of(file, sha256=file.fingerprint.hex(), fates=fates)


class TillFileRefusalView(View):
    """A part of a till file that was not booked."""

    id: str
    fate: Fate
    line: int
    field: str = Field(description="the column, as the mapping or the file calls it; `sale` or `row` for all of it")
    till: str
    number: str = Field(description="of the sale or the return, as far as it can be read")
    detail: str = Field(description="what is wrong, and what to do about it")

    @classmethod
    def seen(cls, refusal: TillFileRefusal) -> TillFileRefusalView:
        """The view of a row."""
        return cls.of(refusal)
