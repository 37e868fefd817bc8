"""How tills and devices write sales and returns, and how these are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, TypeVar

from pydantic import AwareDatetime, BaseModel, Field

from loyalty.api.customers.schemas import IdentifierBody
from loyalty.api.debts.schemas import PaidView
from loyalty.api.fields import Body, Decision, Number, StationCode, Till, View
from loyalty.awards.models import BookedAward, BookedTakeBack
from loyalty.awards.service import award_of
from loyalty.customers.service import Shown
from loyalty.intake.documents import SentReturn, SentSale
from loyalty.kit.errors import Malformed
from loyalty.network.debts import PaidFor
from loyalty.sales.models import Document, Outcome, RecordedReturn, RecordedSale
from loyalty.sales.types import MOST_LINES, InvalidField, Line, ReturnedLine, Unit, Weather

LineT = TypeVar("LineT", Line, ReturnedLine)


class LineBody(Body):
    """One article of a sale, with its discounts taken off."""

    number: int = Field(ge=1, description="the line's number on the receipt")
    article: str = Field(examples=["95"])
    category: str = Field("", examples=["fuel"])
    quantity_milli: int = Field(ge=0, description="thousandths of the unit: 40 litres are 40000", examples=[40_000])
    unit: Unit
    amount_micros: int = Field(ge=0, description="what was paid, in micros", examples=[320_000_000])


class WeatherBody(Body):
    """The weather at the station. What nobody reported is false."""

    rain: bool = False
    snow: bool = False
    heat: bool = False
    frost: bool = False


class DocumentBody(Body):
    """The number that a till gave a document, once in a business day."""

    business_day: date
    till: Till = ""
    number: Number = Field(examples=["4711"])


class SoldBody(DocumentBody):
    """What was sold, and to whom: to a customer's id, to what was shown, or to neither."""

    time: AwareDatetime = Field(description="with its offset from UTC")
    lines: list[LineBody] = Field(min_length=1, max_length=MOST_LINES)
    weather: WeatherBody = WeatherBody()
    customer: str | None = None
    shown: IdentifierBody | None = Field(None, description="a card, a phone or a plate; it need not be anybody's")

    def sent_at(self, station: str, pointer: str = "") -> SentSale:
        """The sale at its station. `pointer` says where this body stands in a larger one. Raises Malformed."""
        if self.customer is not None and self.shown is not None:
            raise Malformed("two_customers", "send customer or shown, not both", pointer=f"{pointer}/shown")
        return SentSale(
            document=Document(station, self.business_day, self.till, self.number),
            time=self.time.astimezone(UTC),
            lines=tuple(_checked(f"{pointer}/lines/{at}", Line, line) for at, line in enumerate(self.lines)),
            weather=Weather(**self.weather.model_dump()),
            customer=self.customer,
            shown=None if self.shown is None else Shown(self.shown.kind, self.shown.value),
        )


class SaleBody(SoldBody):
    """A sale as a till or a device sends it."""

    station: StationCode

    def sent(self) -> SentSale:
        """The sale. Raises Malformed."""
        return self.sent_at(self.station)


class Recognition(Decision):
    """Whose a sale is that nobody was recognised at."""

    customer: str = Field(examples=["cus_..."])


class ReturnedLineBody(Body):
    """What came back of one line."""

    number: int = Field(ge=1, description="of the sale's line")
    quantity_milli: int = Field(ge=0)
    amount_micros: int = Field(ge=0)


class ReturnBody(DocumentBody):
    """A return: what came back of a sale, at the sale's station."""

    station: StationCode
    sale: DocumentBody
    lines: list[ReturnedLineBody] = Field(min_length=1, max_length=MOST_LINES)

    def sent(self) -> SentReturn:
        """The return. Raises Malformed."""
        sale = self.sale
        return SentReturn(
            document=Document(self.station, self.business_day, self.till, self.number),
            sale=Document(self.station, sale.business_day, sale.till, sale.number),
            lines=tuple(_checked(f"/lines/{at}", ReturnedLine, line) for at, line in enumerate(self.lines)),
        )


def _checked(pointer: str, made: type[LineT], line: Body) -> LineT:
    try:
        return made(**line.model_dump())
    except InvalidField as error:
        raise Malformed("bad_document", str(error), pointer=f"{pointer}/{error.field.partition('.')[2]}") from None


class AwardView(BaseModel):
    """What one rule gave for a sale, and why."""

    id: str
    sale: str
    rule: str
    points: int
    taken_back: int = Field(description="what returns took back of it")
    paid: list[PaidView] = Field(description="what of its points pays what the customer owed, and does not move")
    explanation: dict[str, str] = Field(description="in English and Chinese")
    reference: str | None = Field(description="the wish by which the points move; null for an award of no points")
    created_at: datetime

    @classmethod
    def of(cls, row: BookedAward, taken_back: int, paid: Mapping[str, Sequence[PaidFor]]) -> AwardView:
        """The view of a row. `paid` says what wishes pay, by reference."""
        award = award_of(row)
        return cls(
            id=row.id,
            sale=row.sale_id,
            rule=row.rule,
            points=row.points,
            taken_back=taken_back,
            paid=PaidView.by(row.reference, paid),
            explanation={"en": award.explain("en"), "zh": award.explain("zh")},
            reference=row.reference,
            created_at=row.created_at,
        )


class SaleView(View):
    """A sale as it was recorded."""

    COLUMNS = {"station": "station_id", "time": "sold_at", "customer": "customer_id"}  # noqa: RUF012

    id: str
    station: str
    business_day: date
    till: str
    number: str
    time: datetime
    customer: str | None
    shown: str | None = Field(description="what was shown that nobody is known by")
    outcome: Outcome
    rule_set: str | None = Field(description="the version that was applied")
    replaced_by: str | None = Field(description="the right sale, if this one was wrong")
    received_at: datetime


class ReturnView(View):
    """A return as it was recorded."""

    COLUMNS = {"station": "station_id", "sale": "sale_id"}  # noqa: RUF012

    id: str
    station: str
    business_day: date
    till: str
    number: str
    sale: str | None = Field(description="its sale; null while that is not here, or the return cannot be booked")
    problem: str | None = Field(description="why it cannot be booked although its sale is here")
    lines: list[dict[str, Any]]
    received_at: datetime


class SaleDetailView(SaleView):
    """A sale with its lines, what it earned and what came back of it."""

    lines: list[dict[str, Any]]
    awards: list[AwardView]
    returns: list[ReturnView]

    @classmethod
    def whole(
        cls,
        row: RecordedSale,
        awards: Sequence[BookedAward],
        take_backs: Sequence[BookedTakeBack],
        returns: Sequence[RecordedReturn],
        paid: Mapping[str, Sequence[PaidFor]],
    ) -> SaleDetailView:
        """The view of a sale's rows."""
        back: dict[str, int] = {}
        for one in take_backs:
            back[one.award_id] = back.get(one.award_id, 0) + one.points
        return cls.of(
            row,
            awards=[AwardView.of(award, back.get(award.id, 0), paid) for award in awards],
            returns=[ReturnView.of(one) for one in returns],
        )
