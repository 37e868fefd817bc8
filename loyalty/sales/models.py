"""Tables of sales and returns, as tills and devices have sent them."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from loyalty.kit.database import Base, chosen, partial_index, time_of_insert


class Document(NamedTuple):
    """The number of a till's document: the till gives it once a business day."""

    station: str
    business_day: date
    till: str
    number: str

    def __str__(self) -> str:
        return f"{self.station}:{self.business_day:%Y%m%d}:{self.till}:{self.number}"


class Outcome(StrEnum):
    """What became of a sale."""

    EARNED = "earned"
    """A rule set was applied; its awards may be none."""
    NOBODY = "nobody"
    """No customer was shown, or one whom nobody knows."""
    UNCOVERED = "uncovered"
    """No rule set was in force on that day. It is kept, and shown."""


class RecordedSale(Base):
    """A sale. Station, business day, till and number say which: sent again, it is the same one."""

    __tablename__ = "sales"
    __table_args__ = (
        Index("sales_document_unique", "station_id", "business_day", "till", "number", unique=True),
        Index("sales_customer_index", "customer_id", "business_day"),
        Index("sales_number_index", "station_id", "number"),
        partial_index("sales_uncovered_index", "id", where="outcome = 'uncovered'"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    station_id: Mapped[str] = mapped_column(ForeignKey("stations.id"))
    business_day: Mapped[date]
    till: Mapped[str] = mapped_column(String(12))
    number: Mapped[str] = mapped_column(String(32))
    sold_at: Mapped[datetime]
    customer_id: Mapped[str | None] = mapped_column(ForeignKey("customers.id"))
    shown: Mapped[str | None] = mapped_column(String(100))
    """What was shown that nobody is known by: `card:12345678`."""
    content: Mapped[dict[str, Any]] = mapped_column(JSON)
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary(32))
    """Of what was sent: the same document with other content is refused."""
    outcome: Mapped[Outcome] = mapped_column(chosen(Outcome))
    rule_set: Mapped[str | None] = mapped_column(ForeignKey("rule_sets.id"))
    """The version that was applied."""
    place: Mapped[str] = mapped_column(String(40))
    """Where it stands among the customer's sales: its own id, or the place of the sale that it corrects."""
    replaced_by: Mapped[str | None] = mapped_column(String(40))
    """The right sale, if this one was wrong: `corrections` says why."""
    received_at: Mapped[datetime] = mapped_column(default=time_of_insert)

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Its lines, as they are kept."""
        found: list[dict[str, Any]] = self.content["lines"]
        return found


class RecordedReturn(Base):
    """What came back of a sale, once. It may arrive before its sale, and waits for it then."""

    __tablename__ = "returns"
    __table_args__ = (
        Index("returns_document_unique", "station_id", "business_day", "till", "number", unique=True),
        Index("returns_sale_index", "station_id", "sale_day", "sale_till", "sale_number"),
        Index("returns_booked_index", "sale_id"),
        partial_index("returns_open_index", "id", where="sale_id IS NULL"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    station_id: Mapped[str] = mapped_column(ForeignKey("stations.id"))
    business_day: Mapped[date]
    till: Mapped[str] = mapped_column(String(12))
    number: Mapped[str] = mapped_column(String(32))
    sale_day: Mapped[date]
    sale_till: Mapped[str] = mapped_column(String(12))
    sale_number: Mapped[str] = mapped_column(String(32))
    sale_id: Mapped[str | None] = mapped_column(ForeignKey("sales.id"))
    """The sale, once it is here and the return was booked."""
    problem: Mapped[str | None] = mapped_column(String(500))
    """Why it cannot be booked although its sale is here."""
    content: Mapped[dict[str, Any]] = mapped_column(JSON)
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary(32))
    received_at: Mapped[datetime] = mapped_column(default=time_of_insert)

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Its lines, as they are kept."""
        found: list[dict[str, Any]] = self.content["lines"]
        return found
