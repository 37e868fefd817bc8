"""What is typed about money: a booking, a bank's file, a credit limit."""

from __future__ import annotations

from console.asking import REASON
from pages.forms import Choice, Day, File, Form, Money, Text
from pages.translations import gettext as _
from pages.translations import lazy


class Booking(Form):
    """Money at the settlement bank. It is asked twice."""

    merchant = Choice(lazy("Merchant"))
    micros = Money(lazy("Amount"))
    bank_reference = Text(
        lazy("Reference of the bank"), longest=140, hint=lazy("As the bank's statement has it. It can be booked once.")
    )
    reason = REASON


class CreditLimit(Form):
    """How far below zero a position may go."""

    credit_limit_micros = Money(lazy("Credit limit"), least=0, hint=lazy("How far below zero the position may go."))
    reason = REASON


_COLUMN = lazy("The name of the column in the head of the table.")


class Upload(Form):
    """A bank's file, and what its columns mean if it is a table."""

    file = File(
        lazy("File of the bank"),
        accept=".xml,.csv,.txt",
        hint=lazy("An ISO 20022 statement (camt.053) or a table (CSV)."),
    )
    first_day = Day(lazy("From"), required=False, hint=lazy("Only these days of the file; by default all."))
    last_day = Day(lazy("Until"), required=False)
    day = Text(lazy("Day"), required=False, hint=_COLUMN)
    day_order = Choice(
        lazy("Order of a day"),
        required=False,
        options={"ymd": lazy("year, month, day"), "dmy": lazy("day, month, year"), "mdy": lazy("month, day, year")},
    )
    reference = Text(lazy("Reference of the bank"), required=False, hint=_COLUMN)
    incoming = Text(lazy("Money that came in"), required=False, hint=_COLUMN)
    outgoing = Text(lazy("Money that went out"), required=False, hint=_COLUMN)
    amount = Text(
        lazy("Amount with its sign"),
        required=False,
        hint=lazy("Instead of the two, if one column has both directions."),
    )
    decimal_sign = Choice(
        lazy("Decimal sign"), required=False, options={".": lazy("point: 1,234.50"), ",": lazy("comma: 1.234,50")}
    )
    name = Text(lazy("Name of the other side"), required=False, hint=_COLUMN)
    text = Text(lazy("Purpose"), required=False, hint=_COLUMN)
    currency = Text(lazy("Currency"), required=False, hint=_COLUMN)

    def check(self) -> None:
        """The days are in order."""
        first, last = self.values.get("first_day"), self.values.get("last_day")
        if first and last and first > last:
            self.refuse("last_day", _("The last day must not be before the first one."))

    def check_columns(self) -> bool:
        """Whether it is said which columns a table has. Refuses the fields that are missing."""
        values = self.values
        for name in ("day", "reference"):
            if not values.get(name):
                self.refuse(name, _("A table needs this column."))
        if not any(values.get(name) for name in ("amount", "incoming", "outgoing")):
            self.refuse("amount", _("A table needs a column with amounts."))
        if values.get("amount") and (values.get("incoming") or values.get("outgoing")):
            self.refuse("amount", _("Name either one column with signs, or those of both directions."))
        return self.is_valid


COLUMNS = (
    "day",
    "day_order",
    "reference",
    "incoming",
    "outgoing",
    "amount",
    "decimal_sign",
    "name",
    "text",
    "currency",
)


def usual_columns() -> dict[str, str]:
    """The columns of most Chinese banks, to begin with."""
    return {
        "day": "交易日期",
        "day_order": "ymd",
        "reference": "交易流水号",
        "incoming": "贷方发生额",
        "outgoing": "借方发生额",
        "decimal_sign": ".",
        "name": "对方户名",
        "text": "摘要",
    }
