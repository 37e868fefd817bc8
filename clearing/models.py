"""Imports every model, so that the metadata is complete (migrations, tests), and the sources of events' data."""

import clearing.ordering.orders.settled_movements  # noqa: F401 (events name it)
from clearing.chain.calls.models import Call
from clearing.kit.events.models import Event, EventCursor
from clearing.kit.idempotency.models import IdempotencyRecord
from clearing.kit.mail.models import Mail
from clearing.kit.reference.models import ReferenceVersion
from clearing.ledger.accounts.models import Account
from clearing.ledger.activity.models import DailyTotal
from clearing.ledger.availability.models import Hold
from clearing.ledger.journal.models import Batch, Block, ChainEvent, Entry, QuarantinedEvent, Rejection
from clearing.ledger.lots.models import CheckpointCursor, ExpiryMark, LotCheckpoint, LotDraw, TransferReversal
from clearing.ledger.settlement.models import BankMovement, Position
from clearing.notifications.webhooks.models import WebhookDelivery, WebhookEndpoint
from clearing.ordering.expiry.models import ExpiryReminder
from clearing.ordering.merges.models import Merge, MergeAccount
from clearing.ordering.orders.models import Instruction, MovementMetadata, Order
from clearing.ordering.quotes.models import Quote
from clearing.oversight.approvals.models import Approval
from clearing.oversight.liquidity.models import LiquidityLevel
from clearing.oversight.reconciliation.models import Reconciliation, ReconciliationAlarm
from clearing.oversight.statements.models import Statement
from clearing.parties.access.models import ApiKey, ApiKeyUse
from clearing.parties.agreements.models import Agreement
from clearing.parties.codes.models import MemberCode, PresenterTries
from clearing.parties.members.models import LinkCode, Member, MemberFreeze, MemberLink, RetiredLink
from clearing.parties.merchants.models import Merchant, SignerKey
from clearing.parties.programs.models import Program
from clearing.parties.staff.models import (
    Invitation,
    PasswordReset,
    Person,
    RecoveryCode,
    Seat,
    SignInTries,
    StaffSession,
)
from clearing.pipeline.failures.models import Failure
from clearing.pipeline.models import Transaction, TransactionAttempt
from clearing.pipeline.switches.models import Switch

__all__ = [
    "Account",
    "Agreement",
    "ApiKey",
    "ApiKeyUse",
    "Approval",
    "BankMovement",
    "Batch",
    "Block",
    "Call",
    "ChainEvent",
    "CheckpointCursor",
    "DailyTotal",
    "Entry",
    "Event",
    "EventCursor",
    "ExpiryMark",
    "ExpiryReminder",
    "Failure",
    "Hold",
    "IdempotencyRecord",
    "Instruction",
    "Invitation",
    "LinkCode",
    "LiquidityLevel",
    "LotCheckpoint",
    "LotDraw",
    "Mail",
    "Member",
    "MemberCode",
    "MemberFreeze",
    "MemberLink",
    "Merchant",
    "Merge",
    "MergeAccount",
    "MovementMetadata",
    "Order",
    "PasswordReset",
    "Person",
    "Position",
    "PresenterTries",
    "Program",
    "QuarantinedEvent",
    "Quote",
    "Reconciliation",
    "ReconciliationAlarm",
    "RecoveryCode",
    "ReferenceVersion",
    "Rejection",
    "RetiredLink",
    "Seat",
    "SignInTries",
    "SignerKey",
    "StaffSession",
    "Statement",
    "Switch",
    "Transaction",
    "TransactionAttempt",
    "TransferReversal",
    "WebhookDelivery",
    "WebhookEndpoint",
]
