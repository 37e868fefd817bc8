"""Types of fields that people write: strict whole numbers, clean text, ids. Requests of every wing use them.

They are pydantic annotations: a plain dataclass may carry them for documentation, and a pydantic model enforces them.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field

MAX_SAFE = 2**53 - 1
"""JavaScript cannot represent every larger whole number."""

_NOT_TEXT = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""Control characters and halves of surrogate pairs. JSON can express them, but neither the database nor the chain stores them."""
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def _clean(text: str) -> str:
    if _NOT_TEXT.search(text):
        raise ValueError("contains characters that are not text")
    if text != text.strip():
        raise ValueError("must not begin or end with a space")
    return text


def _is_text(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError('must be text in RFC 3339, such as "2026-01-31T08:00:00Z"')  # noqa: TRY004 (pydantic's way)
    return value


def _is_day(value: Any) -> Any:
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise ValueError('must be a day, such as "2026-01-31"')
    return value


def _to_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("must be within the years 1 to 9999 in UTC") from None


Text = Annotated[str, AfterValidator(_clean)]
Points = Annotated[int, Field(strict=True, ge=1, le=MAX_SAFE, description="whole points", examples=[250])]
PointsOrZero = Annotated[int, Field(strict=True, ge=0, le=MAX_SAFE)]
Micros = Annotated[
    int,
    Field(strict=True, ge=1, le=MAX_SAFE, description="millionths of the settlement currency", examples=[1_000_000]),
]
MicrosOrZero = Annotated[
    int,
    Field(strict=True, ge=0, le=MAX_SAFE, description="millionths of the settlement currency", examples=[1_000_000]),
]
Moment = Annotated[AwareDatetime, BeforeValidator(_is_text), AfterValidator(_to_utc)]
Day = Annotated[date, BeforeValidator(_is_day)]
Id = Annotated[str, Field(pattern=r"^[a-z]{3}_[0-9a-z]{26}$", max_length=40)]
ProgramName = Annotated[
    str, Field(pattern=r"^([A-Z0-9]{2,12}|prg_[0-9a-z]{26})$", description="code or id", examples=["FUEL"])
]
MemberName = Annotated[
    Text,
    Field(
        pattern=r"^(mem_[0-9a-z]{26}|external:.{1,128})$",
        description="`mem_...`, or `external:` and your own number for the customer",
        examples=["external:8620017"],
    ),
]
MemberCode = Annotated[
    Text,
    Field(
        min_length=1,
        max_length=64,
        description="the member's one-time code, as the member reads it out or as its QR code says",
        examples=["K7Q2M-9XD4R"],
    ),
]
Reference = Annotated[Text, Field(min_length=1, max_length=140, description="your document number; it has one effect")]
Word = Annotated[str, Field(pattern=r"^0x[0-9a-fA-F]{64}$", description="32 bytes of hex")]
Signature = Annotated[
    str, Field(pattern=r"^0x([0-9a-fA-F]{128}|[0-9a-fA-F]{130})$", description="64 (compact) or 65 bytes of hex")
]
