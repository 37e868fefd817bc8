"""The messenger: it hands what is due to channels.

A try is written before it is made, so a messenger that dies leaves a message that may have been sent, or not: it is called
unclear and not sent again by itself, because nobody wants to be told twice. What a channel refuses is tried again, by the
customer's next channel, later and later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy.orm import Session

from loyalty.customers.models import ChannelName, Customer, IdentifierKind
from loyalty.customers.service import CustomerService
from loyalty.kit.database import Database, lock
from loyalty.kit.ids import new_id
from loyalty.kit.settings import Settings
from loyalty.messages.channels import Channels, NotSent, Unclear
from loyalty.messages.models import Delivery, DeliveryOutcome, Message, MessageState
from loyalty.messages.repository import MessageRepository
from loyalty.messages.service import KindSetting, MessageService
from loyalty.messages.templates import Text, render
from loyalty.messages.timing import Timing

log = structlog.get_logger(__name__)

PURPOSE: Final = "messages"
"""Whoever has withdrawn the consent to this is told nothing."""
MOST_TRIES: Final = 6
_AT_A_TIME: Final = 64
_TOGETHER: Final = 8
_LEASE: Final = timedelta(minutes=10)
"""Longer than a messenger takes for all that it has taken."""
_FIRST_PAUSE: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Parcel:
    """A message that is handed to a channel."""

    message: str
    delivery: str
    channel: ChannelName
    to: str
    text: Text


class Messenger:
    """Tells customers what is due. Several may run."""

    def __init__(self, database: Database, channels: Channels, settings: Settings) -> None:
        self._database = database
        self._channels = channels
        self._timing = Timing.of(settings)

    def step(self) -> bool:
        """Handles some of what is due. False if nothing is."""
        seen, parcels = self.take()
        if parcels:
            with ThreadPoolExecutor(_TOGETHER) as threads:
                list(threads.map(self._deliver, parcels))
        return seen

    # ---------------------------------------------------------------- deciding

    def take(self) -> tuple[bool, Sequence[Parcel]]:
        """Decides about some messages that are due: whether there were any, and those that are sent now."""
        now = self._database.clock.now()
        with self._database.session.begin() as session:
            lock(session, "messages")  # two messengers would count a customer's messages alike
            messages = MessageRepository(session)
            lost = messages.left_behind(now, _AT_A_TIME)
            for message in lost:
                _end(message, MessageState.UNCLEAR, now)
            due = messages.due(now, _AT_A_TIME)
            kinds = {setting.kind: setting for setting in MessageService(session).kinds()} if due else {}
            taken = [self._decide(session, message, kinds, now) for message in due]
            return bool(due or lost), [parcel for parcel in taken if parcel is not None]

    def _decide(
        self, session: Session, message: Message, kinds: Mapping[str, KindSetting], now: datetime
    ) -> Parcel | None:
        customers = CustomerService(session)
        customer = customers.get(message.customer_id)
        setting = kinds[message.kind]
        addresses = self._addresses(customers, customer)
        if why := self._why_not(customers, customer, message, setting, now) or ("" if addresses else "no_address"):
            message.why = why
            _end(message, MessageState.WITHHELD, now)
            return None
        if (until := self._wait_until(session, customer, now)) > now:
            message.due_at = until
            return None
        channel, to = addresses[message.tries % len(addresses)]
        delivery = Delivery(
            id=new_id("dlv"),
            message_id=message.id,
            customer_id=customer.id,
            channel=channel,
            language=customer.language,
            detail=None,
        )
        MessageRepository(session).add(delivery)
        message.state, message.leased_until = MessageState.SENDING, now + _LEASE
        message.tries += 1
        text = render(message.kind, customer.language, message.values, setting.texts)
        return Parcel(message.id, delivery.id, channel, to, text)

    def _why_not(
        self, customers: CustomerService, customer: Customer, message: Message, setting: KindSetting, now: datetime
    ) -> str | None:
        if customer.erased_at is not None:
            return "customer_erased"
        if not setting.is_on:
            return "kind_off"
        if any(one.purpose == PURPOSE and not one.is_given for one in customers.consents_of(customer)):
            return "consent_withdrawn"
        if message.good_until is not None and now.astimezone(self._timing.zone).date() > message.good_until:
            return "too_late"
        return None

    def _wait_until(self, session: Session, customer: Customer, now: datetime) -> datetime:
        """When the customer may be told something, which may be now."""
        messages, timing = MessageRepository(session), self._timing
        told = messages.sent_since(customer.id, timing.day_began(now))
        if told >= timing.a_day or messages.sent_since(customer.id, timing.week_began(now)) >= timing.a_week:
            return timing.next_day(now)
        return timing.awake(now)

    def _addresses(self, customers: CustomerService, customer: Customer) -> Sequence[tuple[ChannelName, str]]:
        """Where the customer is reached, in the order of the channels."""
        found = {address.channel: address.value for address in customers.addresses_of(customer)}
        for identifier in customers.identifiers_of(customer):
            if identifier.kind is IdentifierKind.PHONE:
                found[ChannelName.SMS] = identifier.value  # the one that was added last
        return [(channel, found[channel]) for channel in self._channels.names if channel in found]

    # ---------------------------------------------------------------- handing over

    def _deliver(self, parcel: Parcel) -> None:
        detail: str | None = None
        try:
            self._channels.send(parcel.channel, parcel.to, parcel.text)
            outcome = DeliveryOutcome.SENT
        except NotSent as error:
            outcome, detail = DeliveryOutcome.NOT_SENT, str(error)
        except Unclear as error:
            outcome, detail = DeliveryOutcome.UNCLEAR, str(error)
        self.book(parcel, outcome, detail)

    def book(self, parcel: Parcel, outcome: DeliveryOutcome, detail: str | None) -> None:
        """Keeps what became of a try."""
        now = self._database.clock.now()
        with self._database.session.begin() as session:
            messages = MessageRepository(session)
            message = messages.get(parcel.message, for_update=True)
            delivery = messages.delivery(parcel.delivery)
            assert message is not None, "messages are never deleted"
            assert delivery is not None, "nor are tries"
            delivery.outcome, delivery.detail = outcome, detail
            if (
                message.state is not MessageState.SENDING
            ):  # it took longer than the lease, and somebody has decided already
                return
            message.leased_until = None
            if outcome is DeliveryOutcome.SENT:
                _end(message, MessageState.SENT, now)
            elif outcome is DeliveryOutcome.UNCLEAR:
                _end(message, MessageState.UNCLEAR, now)
            elif message.tries >= MOST_TRIES:
                _end(message, MessageState.FAILED, now)
            else:
                message.state = MessageState.WAITING
                message.due_at = now + _FIRST_PAUSE * 2 ** (message.tries - 1)
        if outcome is not DeliveryOutcome.SENT:
            log.warning("a message was not sent", message=parcel.message, channel=parcel.channel.value, detail=detail)


def _end(message: Message, state: MessageState, now: datetime) -> None:
    message.state, message.leased_until, message.ended_at = state, None, now
