"""What a sale or a return consisted of, as the metadata of its movement say it, and read back from there.

The gateway keeps metadata beside the movement and shows them to its signer only; the chain has none of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, TypeAlias

from tongdui._models import Movement

from ._returns import Line, Return, gives_back, lines_of
from ._rows import Row
from ._sheet import Sale

LARGEST_METADATA = 8_192
"""Bytes of metadata that the gateway keeps, as compact JSON in UTF-8."""

_VERSION = 1

Back: TypeAlias = tuple[str, str, str, str]
"""Time, article, quantity and amount of a row that gives back."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a movement's metadata say of its sale or return.

    Attributes:
        till: The till.
        day: The business day.
        number: The number of the sale, or of the return.
        time: When it was.
        amount: What was paid.
        lines: What was bought, or what was taken back; None if that was too long to keep.
        digest: In place of lines that were too long.
        is_return: Whether it is a return.
        worth: What is left of the sale, if the movement is a reversal because the sale has changed.
        points: What a return takes back of the sale, with all instalments.
        customer: The customer's number in the file of the sale. A card may be retired since.
        back: The rows of the sale that give back, which its lines have in them already.
    """

    till: str
    day: date
    number: str
    time: datetime
    amount: Decimal
    lines: tuple[Line, ...] | None
    digest: str | None
    is_return: bool = False
    worth: int | None = None
    points: int | None = None
    customer: str | None = None
    back: frozenset[Back] = frozenset()


def back_of(row: Row) -> Back:
    """What tells a row that gives back from every other one of its sale's number."""
    time, quantity, amount = _moment(row.time), _shortest(row.quantity), _shortest(row.amount)
    return time, row.article, quantity, amount


def sale_metadata(sale: Sale, worth: int | None = None) -> dict[str, Any]:
    """The metadata of a sale's issuance; with `worth` those of a reversal that brings it down to so many points."""
    named: dict[str, Any] = {"sale": sale.number, "customer": sale.customer}
    if worth is not None:
        named["worth"] = worth
    if back := [list(back_of(row)) for row in sale.rows if gives_back(row)]:
        named["back"] = back
    return _metadata(sale, lines_of(sale.rows), named)


def return_metadata(returned: Return, lines: tuple[Line, ...], points: int) -> dict[str, Any]:
    """The metadata of a return's reversal.

    `lines` are what it takes from the reversed sale, with the signs of the sale; `points` are those of all instalments.
    """
    return _metadata(returned, lines, {"return": returned.number, "points": points})


def _metadata(source: Sale | Return, lines: tuple[Line, ...], named: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "v": _VERSION,
        "till": source.till,
        "day": source.day.isoformat(),
        **named,
        "time": _moment(source.time),
        "amount": format(source.amount, "f"),
        "lines": [
            [line.article, line.category, format(line.quantity, "f"), format(line.amount, "f")] for line in lines
        ],
    }
    metadata = {"till": found}
    if len(json.dumps(metadata, ensure_ascii=False, separators=(",", ":")).encode()) > LARGEST_METADATA:
        found.update(lines=None, digest=digest_of(lines))
        found.pop("back", None)
    return metadata


def _moment(time: datetime) -> str:
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def digest_of(lines: Iterable[Line]) -> str:
    """A digest of lines that are too long to keep. How a number is written, and in which order lines stand, makes no difference."""
    plain = sorted((line.article, line.category, *map(_shortest, (line.quantity, line.amount))) for line in lines)
    return hashlib.sha256(json.dumps(plain).encode()).hexdigest()


def _shortest(number: Decimal) -> str:
    text = format(number, "f")
    return (text.rstrip("0").rstrip(".") if "." in text else text) if number else "0"


def content_of(movement: Movement) -> Content | None:
    """What a movement's metadata say, or None if they say nothing that a till import wrote."""
    metadata = movement.metadata or {}
    found = metadata.get("till")
    if not isinstance(found, Mapping) or found.get("v") != _VERSION:
        return None
    try:
        return _content(found)
    except (KeyError, TypeError, ValueError, InvalidOperation):
        return None  # somebody else's, who uses the same name


def _content(found: Mapping[str, Any]) -> Content:
    is_return = "return" in found
    lines = found["lines"]
    return Content(
        till=found["till"],
        day=date.fromisoformat(found["day"]),
        number=found["return" if is_return else "sale"],
        time=datetime.fromisoformat(found["time"]),
        amount=Decimal(found["amount"]),
        lines=None if lines is None else tuple(_line(*line) for line in lines),
        digest=found.get("digest"),
        is_return=is_return,
        worth=found.get("worth"),
        points=found.get("points"),
        customer=found.get("customer"),
        back=frozenset((time, article, quantity, amount) for time, article, quantity, amount in found.get("back", ())),
    )


def _line(article: str, category: str, quantity: str, amount: str) -> Line:
    return Line(article, category, Decimal(quantity), Decimal(amount))
