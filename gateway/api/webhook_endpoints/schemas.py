"""Webhook endpoints, and the deliveries of events to them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, StrictBool, model_validator

from clearing.kit.fields import EventId, Moment, Text
from clearing.notifications.webhooks.models import DeliveryState, EndpointState
from gateway.http.schemas import Body, View

Url = Annotated[Text, Field(min_length=9, max_length=2_048, examples=["https://partner.example/tongdui"])]
Types = Annotated[
    list[Annotated[str, Field(max_length=64)]],
    Field(max_length=50, description="`order.settled` or `order.*`; an empty list means all", examples=[["order.*"]]),
]
Description = Annotated[Text, Field(max_length=200)]


class WebhookEndpointCreate(Body):
    """A URL at which you want to be notified of your events."""

    url: Url
    types: Types = Field(default=[])
    description: Description = ""


class WebhookEndpointChange(Body):
    """Fields to change; those that are missing stay as they are."""

    url: Url | None = None
    types: Types | None = None
    description: Description | None = None
    enabled: StrictBool | None = None


class WebhookReplay(Body):
    """Events to send again: these, or all since a moment that the endpoint subscribes to."""

    events: list[EventId] = Field(default=[], max_length=500)
    since: Moment | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if bool(self.events) == (self.since is not None):
            raise ValueError("give either events or since")
        return self


class WebhookEndpointView(View):
    """Where a merchant is notified. Requests are signed according to Standard Webhooks; `secret` is shown once."""

    shown_once: ClassVar[frozenset[str]] = frozenset({"secret"})

    id: str
    merchant: str
    url: str
    types: list[str]
    description: str
    state: EndpointState
    reason: str | None = Field(description="why it is disabled")
    failing_since: datetime | None
    secret: str | None = Field(default=None, examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])
    created_at: datetime


class WebhookReplayView(View):
    """How many events will be sent again."""

    events: int


class WebhookDeliveryView(View):
    """The delivery of one event to an endpoint."""

    event: str
    type: str
    subject: str
    data: dict[str, Any]
    state: DeliveryState
    attempts: int
    next_attempt_at: datetime | None
    status: int | None = Field(description="HTTP status of the last response")
    answer: str | None = Field(description="beginning of the last response, or why there was none")
    attempted_at: datetime | None
    delivered_at: datetime | None


class WebhookTryView(View):
    """One try: when, how long it took, and what was answered."""

    at: datetime
    url: str
    request_headers: dict[str, str] = Field(description="as they were sent, without the signature")
    milliseconds: int
    status: int | None = Field(description="HTTP status of the response; null if there was none")
    response_headers: list[tuple[str, str]] = Field(description="the first 20, without cookies")
    response_body: str | None = Field(description="its first 2,048 bytes")
    error: str | None = Field(description="why there was no response")


class WebhookDeliveryDetailView(WebhookDeliveryView):
    """A delivery with the request, and the last three tries."""

    request_body: str = Field(description="as it is sent, byte for byte")
    tries: list[WebhookTryView] = Field(description="the newest last")
