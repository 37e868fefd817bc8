"""SDK of the Tongdui clearing network: typed clients, local signing of orders, receipts that anyone can verify.

Start with `Client` or `AsyncClient`. The wire protocol is in `tongdui.orders` and `tongdui.receipts`. `tongdui.till` imports
the exports of tills, `tongdui.bank` reads the files of banks, `tongdui.webhooks` verifies webhooks, and `tongdui.testing` starts a
network for your tests.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from . import encoding as encoding
    from . import orders as orders
    from . import rates as rates
    from . import receipts as receipts
    from . import till as till
    from ._activity import Activity as Activity
    from ._activity import Attention as Attention
    from ._activity import Attentions as Attentions
    from ._activity import Circulation as Circulation
    from ._activity import Partner as Partner
    from ._activity import PositionDay as PositionDay
    from ._activity import PositionHistory as PositionHistory
    from ._activity import Settled as Settled
    from ._amounts import Rate as Rate
    from ._amounts import format_micros as format_micros
    from ._amounts import yuan as yuan
    from ._approval import Approval as Approval
    from ._client import AsyncClient as AsyncClient
    from ._client import Client as Client
    from ._dry_run import DryRun as DryRun
    from ._dry_run import Outcome as Outcome
    from ._entry_export import AsyncEntryExport as AsyncEntryExport
    from ._entry_export import EntryExport as EntryExport
    from ._errors import AgreementError as AgreementError
    from ._errors import APIConnectionError as APIConnectionError
    from ._errors import APIError as APIError
    from ._errors import APITimeoutError as APITimeoutError
    from ._errors import AuthenticationError as AuthenticationError
    from ._errors import AuthorizationError as AuthorizationError
    from ._errors import BadRequestError as BadRequestError
    from ._errors import ConflictError as ConflictError
    from ._errors import DuplicateReferenceError as DuplicateReferenceError
    from ._errors import FieldError as FieldError
    from ._errors import ForbiddenError as ForbiddenError
    from ._errors import IdempotencyInFlightError as IdempotencyInFlightError
    from ._errors import IdempotencyKeyReusedError as IdempotencyKeyReusedError
    from ._errors import InsufficientLiquidityError as InsufficientLiquidityError
    from ._errors import InsufficientPointsError as InsufficientPointsError
    from ._errors import IssuanceCapError as IssuanceCapError
    from ._errors import MemberCodeError as MemberCodeError
    from ._errors import NonceUsedError as NonceUsedError
    from ._errors import NotFoundError as NotFoundError
    from ._errors import OutcomeUnknownError as OutcomeUnknownError
    from ._errors import PendingError as PendingError
    from ._errors import QuoteExpiredError as QuoteExpiredError
    from ._errors import RateLimitedError as RateLimitedError
    from ._errors import SecondFactorRequiredError as SecondFactorRequiredError
    from ._errors import ServerError as ServerError
    from ._errors import SigningError as SigningError
    from ._errors import TillError as TillError
    from ._errors import TongduiError as TongduiError
    from ._errors import UnavailableError as UnavailableError
    from ._errors import UnprocessableError as UnprocessableError
    from ._errors import ValidationError as ValidationError
    from ._errors import VerificationError as VerificationError
    from ._instruction import InstructionRequest as InstructionRequest
    from ._kinds.exchange import Exchange as Exchange
    from ._kinds.issue import Issue as Issue
    from ._kinds.redeem import Redeem as Redeem
    from ._kinds.reverse import Reverse as Reverse
    from ._kinds.spend import Spend as Spend
    from ._kinds.transfer import Transfer as Transfer
    from ._models import Account as Account
    from ._models import Agreement as Agreement
    from ._models import AgreementWarning as AgreementWarning
    from ._models import ApiKey as ApiKey
    from ._models import BankMovement as BankMovement
    from ._models import Check as Check
    from ._models import Closing as Closing
    from ._models import ClosingAccount as ClosingAccount
    from ._models import ClosingPosition as ClosingPosition
    from ._models import DuePoints as DuePoints
    from ._models import Entry as Entry
    from ._models import Erasure as Erasure
    from ._models import Event as Event
    from ._models import Expanded as Expanded
    from ._models import Forfeit as Forfeit
    from ._models import Health as Health
    from ._models import Hold as Hold
    from ._models import Invitation as Invitation
    from ._models import InvitationMail as InvitationMail
    from ._models import InvitationOffer as InvitationOffer
    from ._models import Issuer as Issuer
    from ._models import Issuers as Issuers
    from ._models import LinkCode as LinkCode
    from ._models import Member as Member
    from ._models import MemberCode as MemberCode
    from ._models import MemberFreeze as MemberFreeze
    from ._models import Merchant as Merchant
    from ._models import MerchantSigner as MerchantSigner
    from ._models import Merge as Merge
    from ._models import MergeAccount as MergeAccount
    from ._models import Movement as Movement
    from ._models import MovementEntry as MovementEntry
    from ._models import Network as Network
    from ._models import NonceBlock as NonceBlock
    from ._models import OidcAuthorization as OidcAuthorization
    from ._models import Order as Order
    from ._models import Person as Person
    from ._models import Position as Position
    from ._models import Profile as Profile
    from ._models import Program as Program
    from ._models import Quote as Quote
    from ._models import RecoveryCodes as RecoveryCodes
    from ._models import RejectedError as RejectedError
    from ._models import Seat as Seat
    from ._models import SecondFactor as SecondFactor
    from ._models import Session as Session
    from ._models import SignedIn as SignedIn
    from ._models import StaffMember as StaffMember
    from ._models import StaffPerson as StaffPerson
    from ._models import Totp as Totp
    from ._models import UpcomingPoints as UpcomingPoints
    from ._models import WebhookDelivery as WebhookDelivery
    from ._models import WebhookDeliveryDetail as WebhookDeliveryDetail
    from ._models import WebhookEndpoint as WebhookEndpoint
    from ._models import WebhookReplay as WebhookReplay
    from ._models import WebhookTry as WebhookTry
    from ._movement_filters import MovementFilters as MovementFilters
    from ._operations import Actor as Actor
    from ._operations import AuditEntry as AuditEntry
    from ._operations import Batch as Batch
    from ._operations import InFlight as InFlight
    from ._operations import Node as Node
    from ._operations import Operations as Operations
    from ._operations import Pause as Pause
    from ._operations import Projector as Projector
    from ._operations import QuarantinedEvent as QuarantinedEvent
    from ._operations import QuarantineRetry as QuarantineRetry
    from ._operations import Queue as Queue
    from ._operations import Reconciliation as Reconciliation
    from ._operations import Sequencing as Sequencing
    from ._operations import WaitingOrder as WaitingOrder
    from ._pagination import AsyncPages as AsyncPages
    from ._pagination import Page as Page
    from ._pagination import Pages as Pages
    from ._prepared import PreparedOrder as PreparedOrder
    from ._rates import AgreementPreview as AgreementPreview
    from ._rates import AgreementUse as AgreementUse
    from ._rates import Conversion as Conversion
    from ._rates import RateCycle as RateCycle
    from ._rates import RateEdge as RateEdge
    from ._rates import RateNode as RateNode
    from ._rates import Rates as Rates
    from ._receipt import Receipt as Receipt
    from ._receipt import ReceiptEntry as ReceiptEntry
    from ._receipt import ReceiptNames as ReceiptNames
    from ._signing import LocalSigner as LocalSigner
    from ._signing import Signer as Signer
    from ._statement import Lot as Lot
    from ._statement import Statement as Statement
    from ._statement import StatementLine as StatementLine
    from ._stream import AsyncEventStream as AsyncEventStream
    from ._stream import EventStream as EventStream

# The server imports `tongdui.orders` at every start, and with it this file. The client behind it needs httpx and pydantic,
# which take longer to load than the rest of a small command, so each name loads its module when it is first used.
_NAMES = {
    "_activity": (
        "Activity",
        "Attention",
        "Attentions",
        "Circulation",
        "Partner",
        "PositionDay",
        "PositionHistory",
        "Settled",
    ),
    "_amounts": (
        "Rate",
        "format_micros",
        "yuan",
    ),
    "_approval": ("Approval",),
    "_client": (
        "AsyncClient",
        "Client",
    ),
    "_dry_run": (
        "DryRun",
        "Outcome",
    ),
    "_entry_export": (
        "AsyncEntryExport",
        "EntryExport",
    ),
    "_errors": (
        "APIConnectionError",
        "APIError",
        "APITimeoutError",
        "AgreementError",
        "AuthenticationError",
        "AuthorizationError",
        "BadRequestError",
        "ConflictError",
        "DuplicateReferenceError",
        "FieldError",
        "ForbiddenError",
        "IdempotencyInFlightError",
        "IdempotencyKeyReusedError",
        "InsufficientLiquidityError",
        "InsufficientPointsError",
        "IssuanceCapError",
        "MemberCodeError",
        "NonceUsedError",
        "NotFoundError",
        "OutcomeUnknownError",
        "PendingError",
        "QuoteExpiredError",
        "RateLimitedError",
        "SecondFactorRequiredError",
        "ServerError",
        "SigningError",
        "TillError",
        "TongduiError",
        "UnavailableError",
        "UnprocessableError",
        "ValidationError",
        "VerificationError",
    ),
    "_instruction": ("InstructionRequest",),
    "_kinds.exchange": ("Exchange",),
    "_kinds.issue": ("Issue",),
    "_kinds.redeem": ("Redeem",),
    "_kinds.reverse": ("Reverse",),
    "_kinds.spend": ("Spend",),
    "_kinds.transfer": ("Transfer",),
    "_models": (
        "Account",
        "Agreement",
        "AgreementWarning",
        "ApiKey",
        "BankMovement",
        "Check",
        "Closing",
        "ClosingAccount",
        "ClosingPosition",
        "DuePoints",
        "Entry",
        "Erasure",
        "Event",
        "Expanded",
        "Forfeit",
        "Health",
        "Hold",
        "Invitation",
        "InvitationMail",
        "InvitationOffer",
        "Issuer",
        "Issuers",
        "LinkCode",
        "Member",
        "MemberCode",
        "MemberFreeze",
        "Merchant",
        "MerchantSigner",
        "Merge",
        "MergeAccount",
        "Movement",
        "MovementEntry",
        "Network",
        "NonceBlock",
        "OidcAuthorization",
        "Order",
        "Person",
        "Position",
        "Profile",
        "Program",
        "Quote",
        "RecoveryCodes",
        "RejectedError",
        "Seat",
        "SecondFactor",
        "Session",
        "SignedIn",
        "StaffMember",
        "StaffPerson",
        "Totp",
        "UpcomingPoints",
        "WebhookDelivery",
        "WebhookDeliveryDetail",
        "WebhookEndpoint",
        "WebhookReplay",
        "WebhookTry",
    ),
    "_movement_filters": ("MovementFilters",),
    "_operations": (
        "Actor",
        "AuditEntry",
        "Batch",
        "InFlight",
        "Node",
        "Operations",
        "Pause",
        "Projector",
        "QuarantineRetry",
        "QuarantinedEvent",
        "Queue",
        "Reconciliation",
        "Sequencing",
        "WaitingOrder",
    ),
    "_pagination": (
        "AsyncPages",
        "Page",
        "Pages",
    ),
    "_prepared": ("PreparedOrder",),
    "_rates": (
        "AgreementPreview",
        "AgreementUse",
        "Conversion",
        "RateCycle",
        "RateEdge",
        "RateNode",
        "Rates",
    ),
    "_receipt": (
        "Receipt",
        "ReceiptEntry",
        "ReceiptNames",
    ),
    "_signing": (
        "LocalSigner",
        "Signer",
    ),
    "_stream": (
        "AsyncEventStream",
        "EventStream",
    ),
    "_statement": (
        "Lot",
        "Statement",
        "StatementLine",
    ),
}
_SUBMODULES = ("encoding", "orders", "rates", "receipts", "till")
_HOMES = {name: module for module, names in _NAMES.items() for name in names}

__all__ = list(_HOMES)


def __getattr__(name: str) -> object:
    if name in _SUBMODULES:
        return import_module(f".{name}", __name__)
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_SUBMODULES})
