"""Imports every model, so that the metadata is complete (migrations, tests)."""

from .access.models import ApiKey
from .accounts.models import Account
from .agreements.models import Agreement
from .chain.models import Batch, Block, Call, ChainEvent, Entry, Rejection, Transaction
from .events.models import Event
from .idempotency.models import IdempotencyRecord
from .members.models import LinkCode, Member, MemberLink
from .merchants.models import Merchant, SignerKey
from .orders.models import Instruction, Order
from .programs.models import Program
from .quotes.models import Quote
from .settlement.models import BankMovement, Position

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
    "IdempotencyRecord",
    "Instruction",
    "LinkCode",
    "Member",
    "MemberLink",
    "Merchant",
    "Order",
    "Position",
    "Program",
    "Quote",
    "Rejection",
    "SignerKey",
    "Transaction",
]
