"""Types of fields that people write: strict whole numbers, clean text, ids. Requests of every wing use them.

They are pydantic annotations: a plain dataclass may carry them for documentation, and a pydantic model enforces them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from clearing.kit.json_values import compact
from clearing.kit.networks import canonical_network
from tongdui._canonical import LONGEST_TEXT, canonical, canonical_name

MAX_SAFE = 2**53 - 1
"""JavaScript cannot represent every larger whole number."""

_NOT_TEXT = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""Control characters and halves of surrogate pairs. JSON can express them, but neither the database nor the chain stores them."""
_NOT_STORABLE = re.compile(r"[\x00\ud800-\udfff]")
"""What no database stores, even within a text that may have line breaks."""
LARGEST_METADATA = 8_192
"""Bytes of a movement's metadata, as compact JSON."""
_DEEPEST_METADATA = 32
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True, slots=True)
class Form:
    """The form of a text: a pattern for programs, which the API's description shows, and words for people, which errors say."""

    pattern: str
    words: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Refuses other texts, in words."""
        matches = re.compile(self.pattern).search

        def check(text: str) -> str:
            if matches(text) is None:
                raise ValueError(self.words)
            return text

        return core_schema.no_info_after_validator_function(check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """The pattern, as pydantic's own would be."""
        return {**handler(schema), "pattern": self.pattern}


EXAMPLE_ULID = "01k0g4m5v6a7b8c9d0e1f2g3h4"
_ULID = "[0-9a-z]{26}"


def id_form(prefix: str, noun: str, source: str) -> Form:
    """The form of one kind of id. `noun` has its article; `source` says where such ids are shown."""
    words = f"must be {noun}'s id: {prefix}_ and 26 small letters and digits, such as {prefix}_{EXAMPLE_ULID}; {source} shows it"
    return Form(f"^{prefix}_{_ULID}$", words)


def _clean(text: str) -> str:
    if _NOT_TEXT.search(text):
        raise ValueError("contains characters that are not text")
    if text != text.strip():
        raise ValueError("must not begin or end with a space")
    return text


def _canonical_id(text: str) -> str:
    found = canonical(text)
    if not found:
        raise ValueError("is empty, or nothing but spaces, invisible characters and quotes: give the customer's number")
    return found


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


def _is_metadata(value: dict[str, Any]) -> dict[str, Any]:
    _refuse_unstorable(value, _DEEPEST_METADATA)
    try:
        size = len(compact(value).encode())
    except ValueError:
        raise ValueError("has a number that is none: infinity, or not a number") from None
    if size > LARGEST_METADATA:
        raise ValueError(f"has {size} bytes as compact JSON; at most {LARGEST_METADATA} are kept with a movement")
    return value


def _refuse_unstorable(value: Any, levels: int) -> None:
    if isinstance(value, str):
        if _NOT_STORABLE.search(value):
            raise ValueError("has a NUL character or half of a surrogate pair, which is no text")
        return
    if not isinstance(value, (dict, list)):
        return
    if levels == 0:
        raise ValueError(f"has more than {_DEEPEST_METADATA} levels of objects and lists")
    inner = [*value, *value.values()] if isinstance(value, dict) else value
    for one in inner:
        _refuse_unstorable(one, levels - 1)


Text = Annotated[str, AfterValidator(_clean)]
Metadata = Annotated[
    dict[str, Any],
    AfterValidator(_is_metadata),
    Field(
        description="a JSON object of your own, kept beside the movement and shown to you only; never on the chain. "
        f"At most {LARGEST_METADATA} bytes as compact JSON",
        examples=[{"till": "2", "cashier": "Li"}],
    ),
]
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
NetworkText = Annotated[str, AfterValidator(canonical_network)]
Day = Annotated[date, BeforeValidator(_is_day)]
MerchantId = Annotated[str, id_form("mer", "a merchant", "GET /v1/merchants")]
AgreementId = Annotated[str, id_form("agr", "an agreement", "GET /v1/agreements")]
QuoteId = Annotated[str, id_form("quo", "a quote", "the response to POST /v1/quotes")]
EventId = Annotated[str, id_form("evt", "an event", "GET /v1/events")]
MovementId = Annotated[
    str,
    Form(
        f"^[a-z]{{3}}_{_ULID}$",
        f"must be a movement's id, such as iss_{EXAMPLE_ULID}; the response that made it and every list of movements show it",
    ),
    Field(examples=["spd_" + EXAMPLE_ULID]),
]
ProgramCode = Annotated[
    str,
    Form("^[A-Z0-9]{2,12}$", "must be a code of 2 to 12 capital letters and digits, such as FUEL"),
    Field(examples=["FUEL"]),
]
ProgramName = Annotated[
    str,
    Form(
        f"^([A-Z0-9]{{2,12}}|prg_{_ULID})$",
        "must be a program's code of 2 to 12 capital letters and digits, such as FUEL, or its id, prg_...; "
        "GET /v1/programs shows both",
    ),
    Field(description="code or id", examples=["FUEL"]),
]
ExternalId = Annotated[
    str,
    AfterValidator(_canonical_id),
    AfterValidator(_clean),
    Field(min_length=1, max_length=LONGEST_TEXT, examples=["8620017"]),
]
"""A merchant's own number for a customer, made canonical: full-width digits, or a spreadsheet's guard, make no other customer."""
ExternalIdPrefix = Annotated[str, AfterValidator(canonical), AfterValidator(_clean), Field(max_length=LONGEST_TEXT)]
MemberName = Annotated[
    str,
    AfterValidator(canonical_name),
    AfterValidator(_clean),
    Form(
        f"^(mem_{_ULID}|external:.{{1,{LONGEST_TEXT}}})$",
        "must be a member's id, such as mem_" + EXAMPLE_ULID + ", or `external:` and your own number for the customer "
        f"(1 to {LONGEST_TEXT} characters), such as external:8620017",
    ),
    Field(
        description="`mem_...`, or `external:` and your own number for the customer",
        examples=["external:8620017"],
    ),
]
LookedUpMember = Annotated[str, AfterValidator(canonical_name)]
"""A member's name in a path: whether there is such a member, its service says."""
WantedMember = Annotated[LookedUpMember, AfterValidator(_clean)]
"""The same in a query."""
LookedUpExternalId = Annotated[str, AfterValidator(canonical)]
MemberOrAddress = Annotated[
    str,
    AfterValidator(canonical_name),
    AfterValidator(_clean),
    Form(
        f"^(mem_{_ULID}|external:.{{1,{LONGEST_TEXT}}}|0x[0-9a-fA-F]{{40}})$",
        "must be a member's id, `external:` and your own number for the customer, or an address as "
        "GET /v1/expirations/due shows it",
    ),
    Field(description="`mem_...`, `external:...`, or the address of a member that was merged or erased"),
]
MemberId = Annotated[str, id_form("mem", "a member", "GET /v1/members")]
Address = Annotated[str, Form("^0x[0-9a-fA-F]{40}$", "must be an address: 0x and 40 hexadecimal digits")]
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
Word = Annotated[
    str,
    Form("^0x[0-9a-fA-F]{64}$", "must be 32 bytes of hex: 0x and 64 digits"),
    Field(description="32 bytes of hex"),
]
Signature = Annotated[
    str,
    Form(
        "^0x([0-9a-fA-F]{128}|[0-9a-fA-F]{130})$",
        "must be a signature of 64 bytes (compact) or 65 bytes of hex: 0x and 128 or 130 digits",
    ),
    Field(description="64 (compact) or 65 bytes of hex"),
]
