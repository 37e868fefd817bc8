"""How a correction is written and shown."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from loyalty.api.fields import Decision, StationCode, View
from loyalty.api.sales.schemas import DocumentBody, SoldBody
from loyalty.corrections.service import SentCorrection
from loyalty.sales.models import Document


class CorrectionBody(Decision):
    """A sale that was wrong, and the right one. Both are the station's."""

    station: StationCode = Field(examples=["S17"])
    wrong: DocumentBody
    right: SoldBody = Field(description="the whole sale as it was, under a document number of its own")

    def sent(self) -> SentCorrection:
        """The correction. Raises Malformed."""
        wrong = self.wrong
        return SentCorrection(
            wrong=Document(self.station, wrong.business_day, wrong.till, wrong.number),
            right=self.right.sent_at(self.station, "/right"),
        )


class CorrectionView(View):
    """A correction. `GET /v1/sales/{sale}` shows both sales, with what was taken back of the wrong one."""

    COLUMNS = {"wrong": "wrong_id", "right": "right_id", "taken_back_by": "return_id"}  # noqa: RUF012

    id: str
    wrong: str = Field(description="the sale that was wrong")
    right: str = Field(description="the sale that is right")
    taken_back_by: str | None = Field(description="the return of all that was left of the wrong sale")
    actor: str
    reason: str
    created_at: datetime
