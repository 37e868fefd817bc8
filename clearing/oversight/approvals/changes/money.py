"""Changes of what merchants can pay: money at the settlement bank, and credit."""

from __future__ import annotations

from abc import abstractmethod
from hashlib import sha256
from typing import ClassVar

from sqlalchemy.orm import Session

from clearing.ledger.settlement.models import BankMovement
from clearing.ledger.settlement.repository import PositionRepository
from clearing.ledger.settlement.service import SettlementService
from clearing.oversight.approvals.changes.base import Change, Effect, Surroundings
from clearing.oversight.approvals.models import ChangeKind
from clearing.parties.merchants.service import require_merchant


class _OfMerchant(Change):
    merchant: str

    def merchant_number(self, session: Session) -> int:
        """The merchant that it concerns."""
        return require_merchant(session, self.merchant).number


class _BankMovementChange(_OfMerchant):
    sign: ClassVar[int]
    micros: int
    bank_reference: str

    @property
    def claim(self) -> str:
        """What may be asked for only once at a time."""
        return f"bank:{sha256(self.bank_reference.encode()).hexdigest()}"

    def take_effect(self, surroundings: Surroundings, actor: str) -> Effect:
        """Does it."""
        booked = self._booked(SettlementService(surroundings.session), actor)
        position = PositionRepository(surroundings.session).get(booked.merchant_number).position
        return Effect(
            booked.id,
            before={"position_micros": position},
            after={"position_micros": position + self.sign * self.micros},
        )

    @abstractmethod
    def _booked(self, service: SettlementService, actor: str) -> BankMovement:
        """Books it."""


class Deposit(_BankMovementChange):
    """Money that arrived at the bank."""

    kind = ChangeKind.DEPOSIT
    sign = 1

    def _booked(self, service: SettlementService, actor: str) -> BankMovement:
        return service.deposit(
            merchant_id=self.merchant, micros=self.micros, bank_reference=self.bank_reference, actor=actor
        )


class Withdrawal(_BankMovementChange):
    """Money that leaves the bank."""

    kind = ChangeKind.WITHDRAWAL
    sign = -1

    def _booked(self, service: SettlementService, actor: str) -> BankMovement:
        return service.withdraw(
            merchant_id=self.merchant, micros=self.micros, bank_reference=self.bank_reference, actor=actor
        )


class CreditLimit(_OfMerchant):
    """How far below zero a merchant's position may go."""

    kind = ChangeKind.CREDIT_LIMIT
    credit_limit_micros: int

    @property
    def claim(self) -> str:
        """What may be asked for only once at a time."""
        return f"credit_limit:{self.merchant}"

    def take_effect(self, surroundings: Surroundings, actor: str) -> Effect:
        """Does it."""
        number = require_merchant(surroundings.session, self.merchant).number
        before = PositionRepository(surroundings.session).lock(number).credit_limit
        changed = SettlementService(surroundings.session).set_credit_limit(
            merchant_id=self.merchant, micros=self.credit_limit_micros, actor=actor
        )
        return Effect(
            changed.id,
            before={"credit_limit_micros": before},
            after={"credit_limit_micros": self.credit_limit_micros},
        )
