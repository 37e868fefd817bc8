"""How messages and their kinds are written and shown."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time
from typing import Any, Self

from pydantic import BaseModel, Field

from loyalty.api.fields import Body, View
from loyalty.customers.models import ChannelName
from loyalty.messages.models import Delivery, DeliveryOutcome, Message, MessageState
from loyalty.messages.sending import Sending
from loyalty.messages.service import KindSetting
from loyalty.messages.templates import KINDS, LANGUAGES, LONGEST_BODY, LONGEST_TITLE, Text, render


class TextBody(Body):
    """A message in one language, with `{name}` where a value belongs."""

    title: str = Field(min_length=1, max_length=LONGEST_TITLE, examples=["Points expire"])
    body: str = Field(min_length=1, max_length=LONGEST_BODY, examples=["{points} points expire on {expires_on}."])

    def text(self) -> Text:
        """The text."""
        return Text(self.title, self.body)


class TextsBody(Body):
    """A message in both languages."""

    en: TextBody
    zh: TextBody


class KindBody(Body):
    """What shall be so of a kind of message."""

    is_on: bool
    texts: TextsBody | None = Field(description="null: those that the programme came with")


class TextView(View):
    """A message in one language."""

    title: str
    body: str


class KindView(BaseModel):
    """A kind of message as it is sent now.

    `names`: what its texts may name. `examples`: how a message reads.
    """

    kind: str
    is_on: bool
    is_default: bool
    names: list[str]
    texts: dict[str, TextView]
    examples: dict[str, TextView]

    @classmethod
    def of(cls, setting: KindSetting) -> Self:
        """The view of a kind."""
        example = KINDS[setting.kind].example
        return cls(
            kind=setting.kind,
            is_on=setting.is_on,
            is_default=setting.is_default,
            names=[*example],
            texts={language: TextView.of(setting.texts[language]) for language in LANGUAGES},
            examples={
                language: TextView.of(render(setting.kind, language, example, setting.texts)) for language in LANGUAGES
            },
        )


class ChannelView(BaseModel):
    """A channel, without what it is reached by."""

    channel: ChannelName
    service: str = Field(description="the kind of service, as Apprise calls it")


class SendingView(BaseModel):
    """How messages are sent, as the settings say it."""

    channels: list[ChannelView] = Field(description="in the order in which they are tried")
    problem: str | None = Field(description="why the channels cannot be told here")
    time_zone: str
    quiet_from: time
    quiet_until: time = Field(description="the same as `quiet_from`: there are no quiet hours")
    messages_a_day: int
    messages_a_week: int

    @classmethod
    def of(cls, sending: Sending) -> Self:
        """The view of what the settings say."""
        timing = sending.timing
        return cls(
            channels=[ChannelView(channel=name, service=service) for name, service in sending.services.items()],
            problem=sending.problem,
            time_zone=timing.zone.key,
            quiet_from=timing.quiet_from,
            quiet_until=timing.quiet_until,
            messages_a_day=timing.a_day,
            messages_a_week=timing.a_week,
        )


class DeliveryView(View):
    """A try to hand a message to a channel."""

    id: str
    channel: ChannelName
    language: str
    begun_at: datetime
    outcome: DeliveryOutcome
    detail: str | None


class MessageView(View):
    """Something that a customer is told."""

    COLUMNS = {"customer": "customer_id"}  # noqa: RUF012 (as `View` declares it)

    id: str
    customer: str
    kind: str
    matter: str
    values: dict[str, Any]
    good_until: date | None
    state: MessageState
    why: str | None
    due_at: datetime
    tries: int
    created_at: datetime
    ended_at: datetime | None


class MessageDetailView(MessageView):
    """The same, with each try to tell it."""

    deliveries: list[DeliveryView]

    @classmethod
    def whole(cls, message: Message, deliveries: Sequence[Delivery]) -> Self:
        """The view of a message and its tries."""
        return cls.of(message, deliveries=[DeliveryView.of(one) for one in deliveries])
