"""How many sales are written together, and how the outcome of each is shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Final

from pydantic import BaseModel, Field, ModelWrapValidatorHandler, ValidationError, WrapValidator

from loyalty.api.fields import Body
from loyalty.api.sales.schemas import SaleBody
from loyalty.http.problems import Problem, refusal_document
from loyalty.intake.documents import SentSale
from loyalty.kit.errors import FieldFault, Malformed, Refusal
from loyalty.sales.models import Outcome, RecordedReturn, RecordedSale

MOST_SALES: Final = 500


def _each_by_itself(value: Any, read: ModelWrapValidatorHandler[SaleBody]) -> SaleBody | Malformed:
    """A sale, or why it is none: the others are read all the same."""
    try:
        return read(value)
    except ValidationError as error:
        faults = tuple(FieldFault("".join(f"/{part}" for part in one["loc"]), one["msg"]) for one in error.errors())
        return Malformed("validation_failed", f"{faults[0].pointer.lstrip('/')}: {faults[0].detail}", faults=faults)


class SalesBody(Body):
    """Sales as a till sends them. Each is judged by itself."""

    sales: list[Annotated[SaleBody, WrapValidator(_each_by_itself)]] = Field(min_length=1, max_length=MOST_SALES)

    def read(self, check: Callable[[str], None]) -> Sequence[SentSale | Refusal]:
        """Each sale, or why it is refused. `check` raises a refusal if nobody may send sales of that station."""
        return [_read(one, check) for one in self.sales]


def _read(sale: SaleBody | Malformed, check: Callable[[str], None]) -> SentSale | Refusal:
    if isinstance(sale, Malformed):
        return sale
    try:
        check(sale.station)
        return sale.sent()
    except Refusal as refusal:
        return refusal


class TakenView(BaseModel):
    """What became of one sale: it is booked, or there is a problem."""

    status: int = Field(description="what the sale would have been answered by itself: 201, or that of the problem")
    sale: str | None = Field(None, description="its id")
    outcome: Outcome | None = None
    points: int = Field(0, description="what it earned by itself; `GET /v1/sales/{sale}` says why")
    problem: Problem | None = None


class SalesView(BaseModel):
    """What became of each sale, in the order in which they were sent."""

    sales: list[TakenView]


def outcome_view(at: int, taken: RecordedSale | RecordedReturn | Refusal, points: Mapping[str, int]) -> TakenView:
    """What became of the sale at this place."""
    if isinstance(taken, Refusal):
        return TakenView(status=taken.status, problem=refusal_document(taken, within=f"/sales/{at}"))
    assert isinstance(taken, RecordedSale), "only sales were sent"
    return TakenView(status=201, sale=taken.id, outcome=taken.outcome, points=points.get(taken.id, 0))
