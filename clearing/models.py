"""Imports every model, so that the metadata is complete (migrations, tests)."""

from .access.models import ApiKey
from .accounts.models import Account
from .agreements.models import Agreement
from .chain.models import (
    Batch,
    Block,
    Call,
    ChainEvent,
    Entry,
    PoisonEvent,
    Rejection,
    Transaction,
    TransactionAttempt,
)
from .events.models import Event
from .holds.models import Hold
from .idempotency.models import IdempotencyRecord
from .liquidity.models import LiquidityLevel
from .lots.models import ExpiryMark, ExpiryReminder
from .members.models import LinkCode, Member, MemberLink
from .merchants.models import Merchant, SignerKey
from .operations.models import Switch
from .orders.models import Instruction, Order
from .programs.models import Program
from .quotes.models import Quote
from .settlement.models import BankMovement, Position
from .statements.models import Statement
from .webhooks.models import EventCursor, WebhookDelivery, WebhookEndpoint

__all__ = [
    "Account",
    "Agreement",
    "ApiKey",
    "BankMovement",
    "Batch",
    "Block",
    "Call",
    "ChainEvent",
    "Entry",
    "Event",
    "EventCursor",
    "ExpiryMark",
    "ExpiryReminder",
    "Hold",
    "IdempotencyRecord",
    "Instruction",
    "LinkCode",
    "LiquidityLevel",
    "Member",
    "MemberLink",
    "Merchant",
    "Order",
    "PoisonEvent",
    "Position",
    "Program",
    "Quote",
    "Rejection",
    "SignerKey",
    "Statement",
    "Switch",
    "Transaction",
    "TransactionAttempt",
    "WebhookDelivery",
    "WebhookEndpoint",
]
