"""The changes that need a second person: one class each, and this registry."""

from __future__ import annotations

from collections.abc import Mapping

from clearing.oversight.approvals.changes.access import Enabling, NetworkInvitation, NetworkKey
from clearing.oversight.approvals.changes.base import Change, Effect, Surroundings
from clearing.oversight.approvals.changes.money import CreditLimit, Deposit, Withdrawal
from clearing.oversight.approvals.models import ChangeKind

CHANGES: Mapping[ChangeKind, type[Change]] = {
    change.kind: change for change in (Deposit, Withdrawal, CreditLimit, NetworkKey, NetworkInvitation, Enabling)
}

__all__ = [
    "CHANGES",
    "Change",
    "CreditLimit",
    "Deposit",
    "Effect",
    "Enabling",
    "NetworkInvitation",
    "NetworkKey",
    "Surroundings",
    "Withdrawal",
]
