"""How a customer is written and shown."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints

from loyalty.api.fields import Body, Decision, View
from loyalty.api.referrals.schemas import Device, ReferralCodeText
from loyalty.customers.models import Address, ChannelName, Consent, Customer, Identifier, IdentifierKind

_Word = Annotated[str, StringConstraints(min_length=1, max_length=40, pattern=r"^[A-Za-z0-9._-]+$")]


class IdentifierBody(Body):
    """A card, a phone or a plate."""

    kind: IdentifierKind
    value: str = Field(min_length=1, max_length=80, examples=["+8613800138000"])


class Birthday(Body):
    """A birthday. The year is nobody's business."""

    month: int = Field(ge=1, le=12)
    day: int = Field(ge=1, le=31)


class NewCustomer(Body):
    """Somebody who joins."""

    identifiers: list[IdentifierBody] = Field(min_length=1, max_length=20)
    birthday: Birthday | None = None
    referral_code: ReferralCodeText | None = Field(default=None, description="the code of whoever brought them")
    device: Device | None = Field(default=None, description="what their device calls itself; kept as a hash")


class ConsentBody(Body):
    """What a customer agrees to, or no longer does."""

    purpose: _Word = Field(examples=["marketing"])
    text_version: _Word = Field(description="the text that the customer has seen", examples=["2026-11"])
    is_given: bool


class LanguageBody(Body):
    """In which language a customer is told something."""

    language: Literal["en", "zh"]


class AddressBody(Body):
    """Where a customer is reached by a channel."""

    channel: ChannelName
    value: str = Field(min_length=1, max_length=200, examples=["lin.lan@mail.example"])


class Farewell(Decision):
    """Somebody leaves and is to be forgotten."""

    forfeit_points: Literal[True] = Field(description="the points that are left are given up: ask the customer first")


class IdentifierView(View):
    """A card, a phone or a plate of a customer."""

    id: str
    kind: IdentifierKind
    value: str
    added_at: datetime
    removed_at: datetime | None


class ConsentView(View):
    """The newest word on a purpose."""

    purpose: str
    text_version: str
    is_given: bool
    at: datetime


class AddressView(View):
    """Where a customer is reached by a channel."""

    channel: ChannelName
    value: str
    added_at: datetime


class CustomerView(BaseModel):
    """A customer. The network knows them as `external:` and this id."""

    id: str
    birthday: Birthday | None
    tier: str
    language: str
    created_at: datetime
    erased_at: datetime | None

    @classmethod
    def of(cls, customer: Customer) -> CustomerView:
        """The view of a row."""
        return cls(**_plain(customer))


class CustomerDetailView(CustomerView):
    """A customer with all that they are known by and have agreed to."""

    identifiers: list[IdentifierView]
    consents: list[ConsentView]
    addresses: list[AddressView]

    @classmethod
    def whole(
        cls,
        customer: Customer,
        identifiers: Sequence[Identifier],
        consents: Sequence[Consent],
        addresses: Sequence[Address],
    ) -> CustomerDetailView:
        """The view of a customer's rows."""
        return cls(
            **_plain(customer),
            identifiers=[IdentifierView.of(one) for one in identifiers],
            consents=[ConsentView.of(one) for one in consents],
            addresses=[AddressView.of(one) for one in addresses],
        )


def _plain(customer: Customer) -> dict[str, object]:
    month, day = customer.birth_month, customer.birth_day
    birthday = Birthday(month=month, day=day) if month is not None and day is not None else None
    return {
        "id": customer.id,
        "birthday": birthday,
        "tier": customer.tier,
        "language": customer.language,
        "created_at": customer.created_at,
        "erased_at": customer.erased_at,
    }
