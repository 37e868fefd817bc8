"""What states and kinds are called on pages, and how urgent they look."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from loyalty.customers.models import ChannelName, IdentifierKind
from loyalty.devices.models import DeviceKind
from loyalty.earning.bounds import WHOLE
from loyalty.earning.reasons import decimal
from loyalty.fills.models import EventKind, FillState
from loyalty.messages.models import DeliveryOutcome, MessageState
from loyalty.mqtt.models import RefusedState
from loyalty.network.models import WishState
from loyalty.sales.models import Outcome
from loyalty.staff.models import Role
from loyalty.till_files.models import Fate, FileState
from pages.presentation import presentation
from pages.translations import Text, lazy

ROLE_NAMES: Final[Mapping[Role, Text]] = {
    Role.MANAGER: lazy("Manager"),
    Role.MARKETING: lazy("Marketing"),
    Role.CASHIER: lazy("Cashier"),
    Role.AUDITOR: lazy("Auditor"),
    Role.DEVICE: lazy("Device"),
}
KIND_NAMES: Final[Mapping[IdentifierKind, Text]] = {
    IdentifierKind.CARD: lazy("Card"),
    IdentifierKind.PHONE: lazy("Phone"),
    IdentifierKind.PLATE: lazy("Plate"),
}
OUTCOMES: Final[Mapping[Outcome, tuple[Text, str]]] = {
    Outcome.EARNED: (lazy("Earned"), "good"),
    Outcome.NOBODY: (lazy("Nobody known"), ""),
    Outcome.UNCOVERED: (lazy("No rules"), "warn"),
}
WISH_STATES: Final[Mapping[WishState, tuple[Text, str]]] = {
    WishState.WAITING: (lazy("Waiting"), "info"),
    WishState.SENDING: (lazy("Sending"), "info"),
    WishState.SETTLED: (lazy("On the chain"), "good"),
    WishState.REFUSED: (lazy("Refused"), "bad"),
    WishState.RETRIED: (lazy("Retried"), ""),
    WishState.WRITTEN_OFF: (lazy("Written off"), ""),
    WishState.SET_OFF: (lazy("Set off"), ""),
}
DIFFERENCES: Final[Mapping[str, Text]] = {
    "missing_there": lazy("Settled here, and the network does not know it"),
    "not_settled_there": lazy("Settled here, and not there"),
    "points_differ": lazy("Another number of points"),
    "leaf_differs": lazy("Another entry on the chain"),
    "unknown_here": lazy("The network has it, and the programme does not"),
    "refused_here": lazy("Carried out there, and refused here"),
}
UNITS: Final[Mapping[str, Text]] = {
    "l": lazy("L"),
    "kg": lazy("kg"),
    "kwh": lazy("kWh"),
    "piece": lazy("pieces"),
}
DEVICE_KINDS: Final[Mapping[DeviceKind, Text]] = {
    DeviceKind.PUMP: lazy("Pump"),
    DeviceKind.WASH_BAY: lazy("Wash bay"),
    DeviceKind.PLATE_CAMERA: lazy("Plate camera"),
    DeviceKind.CARD_READER: lazy("Card reader"),
    DeviceKind.TILL: lazy("Till"),
}
EVENT_KINDS: Final[Mapping[EventKind, Text]] = {
    EventKind.PLATE_SEEN: lazy("Plate seen"),
    EventKind.CARD_SHOWN: lazy("Card shown"),
    EventKind.STARTED: lazy("Started"),
    EventKind.PROGRESS: lazy("Progress"),
    EventKind.DONE: lazy("Done"),
}
FILL_STATES: Final[Mapping[FillState, tuple[Text, str]]] = {
    FillState.RUNNING: (lazy("Running"), "info"),
    FillState.DONE: (lazy("Done"), "good"),
    FillState.CLOSED: (lazy("Closed without an end"), "warn"),
}
MESSAGE_KINDS: Final[Mapping[str, Text]] = {
    "points_expiring": lazy("Points expire"),
    "tier_reached": lazy("A tier is reached"),
    "tier_ending": lazy("A tier ends soon"),
    "task_done": lazy("A task is done"),
    "referral_rewarded": lazy("A referral has its bonus"),
    "gift_given": lazy("A gift was given"),
    "bonus_taken_back": lazy("A bonus was taken back"),
}
MESSAGE_STATES: Final[Mapping[MessageState, tuple[Text, str]]] = {
    MessageState.WAITING: (lazy("Waiting"), "info"),
    MessageState.SENDING: (lazy("Being sent"), "info"),
    MessageState.SENT: (lazy("Sent"), "good"),
    MessageState.WITHHELD: (lazy("Withheld"), ""),
    MessageState.FAILED: (lazy("Failed"), "bad"),
    MessageState.UNCLEAR: (lazy("Unclear"), "warn"),
}
DELIVERY_OUTCOMES: Final[Mapping[DeliveryOutcome, tuple[Text, str]]] = {
    DeliveryOutcome.BEGUN: (lazy("Being tried"), "info"),
    DeliveryOutcome.SENT: (lazy("Sent"), "good"),
    DeliveryOutcome.NOT_SENT: (lazy("Not taken"), "bad"),
    DeliveryOutcome.UNCLEAR: (lazy("Unclear"), "warn"),
}
WHY_NOT_SENT: Final[Mapping[str, Text]] = {
    "consent_withdrawn": lazy("The customer wants no messages"),
    "customer_erased": lazy("The customer was erased"),
    "kind_off": lazy("This kind of message is off"),
    "no_address": lazy("No channel has an address of the customer"),
    "no_longer_true": lazy("It is no longer true"),
    "too_late": lazy("It came too late to be of use"),
}
CHANNELS: Final[Mapping[ChannelName, Text]] = {
    ChannelName.APP: lazy("App"),
    ChannelName.SMS: lazy("SMS"),
    ChannelName.WECOM: lazy("WeCom"),
    ChannelName.DINGTALK: lazy("DingTalk"),
    ChannelName.MAIL: lazy("Mail"),
    ChannelName.WEBHOOK: lazy("Webhook"),
}
REFUSED_STATES: Final[Mapping[RefusedState, tuple[Text, str]]] = {
    RefusedState.OPEN: (lazy("To be decided"), "warn"),
    RefusedState.TAKEN: (lazy("Taken after all"), "good"),
    RefusedState.PUT_ASIDE: (lazy("Put aside"), ""),
}
LANGUAGES: Final[Mapping[str, str]] = {"en": "English", "zh": "中文"}
"""Each in its own words."""
FILE_STATES: Final[Mapping[FileState, tuple[Text, str]]] = {
    FileState.WAITING: (lazy("Waits for the worker"), "info"),
    FileState.DONE: (lazy("Taken in"), "good"),
    FileState.UNREADABLE: (lazy("Cannot be read"), "bad"),
}
FATES: Final[Mapping[Fate, tuple[Text, str]]] = {
    Fate.BOOKED: (lazy("Booked"), "good"),
    Fate.KNOWN: (lazy("Known already"), ""),
    Fate.DIFFERS: (lazy("Says something else"), "warn"),
    Fate.REFUSED: (lazy("Cannot be booked"), "bad"),
    Fate.NOT_BOOKED: (lazy("The programme failed"), "warn"),
}
WISH_KINDS: Final[Mapping[str, Text]] = {"issue": lazy("Issue"), "reverse": lazy("Takes back")}
ACTIONS: Final[Mapping[str, Text]] = {
    "birthday.noted": lazy("Birthday noted"),
    "consent.noted": lazy("Consent noted"),
    "customer.added": lazy("Customer added"),
    "customer.erased": lazy("Customer erased"),
    "customer.signed_in": lazy("Customer signed in"),
    "customer.signed_out": lazy("Customer signed out"),
    "customer.signed_out_everywhere": lazy("Customer signed out everywhere"),
    "debt.written_off": lazy("Debt written off"),
    "device.added": lazy("Device added"),
    "device.key_rotated": lazy("Device given a new key"),
    "device.revoked": lazy("Device revoked"),
    "difference.closed": lazy("Difference closed"),
    "gift_plan.added": lazy("Gift plan kept"),
    "gift_plan.published": lazy("Gift plan published"),
    "identifier.added": lazy("Identifier added"),
    "identifier.removed": lazy("Identifier removed"),
    "key.added": lazy("Key made"),
    "key.revoked": lazy("Key revoked"),
    "message.sent_again": lazy("Message sent again"),
    "message_kind.changed": lazy("Texts of messages changed"),
    "person.ended": lazy("Person let in no more"),
    "person.invited": lazy("Person invited"),
    "person.invited_again": lazy("Person invited again"),
    "person.joined": lazy("Person joined"),
    "person.password_changed": lazy("Password changed"),
    "person.recovery_codes_renewed": lazy("Recovery codes renewed"),
    "person.role_changed": lazy("Role changed"),
    "person.sign_in_failed": lazy("Sign-in failed"),
    "person.signed_in": lazy("Signed in"),
    "person.signed_out": lazy("Signed out"),
    "referral.added": lazy("Referral noted"),
    "referral_scheme.added": lazy("Referral scheme kept"),
    "referral_scheme.published": lazy("Referral scheme published"),
    "refused_message.put_aside": lazy("Refused message put aside"),
    "refused_message.taken": lazy("Refused message taken after all"),
    "rule_set.added": lazy("Draft kept"),
    "rule_set.published": lazy("Rules published"),
    "sale.corrected": lazy("Sale corrected"),
    "sale.evaluated": lazy("Sale evaluated again"),
    "sale.recognised": lazy("Sale recognised"),
    "station.added": lazy("Station added"),
    "station.changed": lazy("Station changed"),
    "task.added": lazy("Task kept"),
    "task.published": lazy("Task published"),
    "till_file.sent": lazy("Till file sent"),
    "till_file.taken_again": lazy("Till file taken in again"),
    "till_file.taken_in": lazy("Till file taken in"),
    "tier_scheme.added": lazy("Tier scheme kept"),
    "tier_scheme.published": lazy("Tier scheme published"),
    "wish.retried": lazy("Wish retried"),
    "wish.written_off": lazy("Wish written off"),
}


def role_name(role: Role) -> str:
    """A role, as people read it."""
    return str(ROLE_NAMES[role])


def quantity(milli: int, unit: str) -> str:
    """How much of a unit."""
    return f"{decimal(milli, WHOLE)} {UNITS[unit]}"


def said(text: Any) -> str:
    """A text that plans have in both languages, in the reader's."""
    return str(getattr(text, presentation().language))


GLOBALS: Final[Mapping[str, Any]] = {
    "action_name": lambda action: str(ACTIONS.get(action, action)),
    "channel_name": lambda channel: str(CHANNELS[channel]),
    "delivery_name": lambda outcome: str(DELIVERY_OUTCOMES[outcome][0]),
    "delivery_tone": lambda outcome: DELIVERY_OUTCOMES[outcome][1],
    "device_kind": lambda kind: str(DEVICE_KINDS[kind]),
    "difference_name": lambda code: str(DIFFERENCES.get(code, code)),
    "event_kind": lambda kind: str(EVENT_KINDS[kind]),
    "fate_name": lambda fate: str(FATES[fate][0]),
    "fate_tone": lambda fate: FATES[fate][1],
    "file_name": lambda state: str(FILE_STATES[state][0]),
    "file_tone": lambda state: FILE_STATES[state][1],
    "fill_name": lambda state: str(FILL_STATES[state][0]),
    "fill_tone": lambda state: FILL_STATES[state][1],
    "in_words": lambda reason: str(reason[presentation().language]),
    "kind_name": lambda kind: str(KIND_NAMES[kind]),
    "language_name": lambda language: LANGUAGES[language],
    "message_kind": lambda kind: str(MESSAGE_KINDS[kind]),
    "message_name": lambda state: str(MESSAGE_STATES[state][0]),
    "message_tone": lambda state: MESSAGE_STATES[state][1],
    "outcome_name": lambda outcome: str(OUTCOMES[outcome][0]),
    "outcome_tone": lambda outcome: OUTCOMES[outcome][1],
    "quantity": quantity,
    "refused_name": lambda state: str(REFUSED_STATES[state][0]),
    "refused_tone": lambda state: REFUSED_STATES[state][1],
    "role_name": role_name,
    "said": said,
    "why_name": lambda code: str(WHY_NOT_SENT.get(code, code)),
    "wish_kind": lambda kind: str(WISH_KINDS.get(kind, kind)),
    "wish_name": lambda state: str(WISH_STATES[state][0]),
    "wish_tone": lambda state: WISH_STATES[state][1],
}
"""What every template may call."""
