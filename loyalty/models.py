"""All tables. Every entry point imports this, because foreign keys point from one to another."""

from __future__ import annotations

from loyalty.activity.models import CustomerDay
from loyalty.attempts.models import Attempt
from loyalty.audit_log.models import AuditEntry
from loyalty.awards.models import BookedAward, BookedTakeBack, CarriedRemainder
from loyalty.bonuses.models import Bonus
from loyalty.budgets.models import BudgetUse
from loyalty.corrections.models import Correction
from loyalty.customer_sessions.models import CustomerSession, SignInCode
from loyalty.customers.models import Address, Consent, Customer, Identifier, SeenDevice
from loyalty.devices.models import Device
from loyalty.fills.models import DeviceEvent, Fill
from loyalty.gifts.models import KeptGiftPlan
from loyalty.http.idempotency.models import IdempotencyRecord
from loyalty.messages.models import Delivery, HeardUntil, KeptKind, Message
from loyalty.mqtt.models import RefusedMessage
from loyalty.network.models import Check, Debt, Difference, Member, OutgoingOrder, SetOff, Wish
from loyalty.people.models import Person, RecoveryCode, StaffSession
from loyalty.referrals.models import KeptReferralScheme, Referral, ReferralCode
from loyalty.rule_sets.models import KeptRuleSet
from loyalty.sales.models import RecordedReturn, RecordedSale
from loyalty.seasons.models import StationDay, StationDayCount
from loyalty.staff.models import Key
from loyalty.stations.models import Station
from loyalty.tasks.models import KeptTask
from loyalty.tiers.models import KeptTierScheme, TierMove
from loyalty.till_files.models import TillFile, TillFileRefusal

TABLES = (
    Address,
    Attempt,
    AuditEntry,
    Bonus,
    BookedAward,
    BookedTakeBack,
    BudgetUse,
    CarriedRemainder,
    Check,
    Consent,
    Correction,
    Customer,
    CustomerDay,
    CustomerSession,
    Debt,
    Delivery,
    Device,
    DeviceEvent,
    Difference,
    Fill,
    HeardUntil,
    IdempotencyRecord,
    Identifier,
    Key,
    KeptGiftPlan,
    KeptKind,
    KeptReferralScheme,
    KeptRuleSet,
    KeptTask,
    KeptTierScheme,
    Member,
    Message,
    OutgoingOrder,
    Person,
    RecordedReturn,
    RecordedSale,
    Referral,
    ReferralCode,
    RecoveryCode,
    SeenDevice,
    SetOff,
    SignInCode,
    RefusedMessage,
    StaffSession,
    Station,
    StationDay,
    StationDayCount,
    TierMove,
    TillFile,
    TillFileRefusal,
    Wish,
)
