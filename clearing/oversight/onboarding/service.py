"""Takes a merchant on board in steps that can be repeated: each finds what is there, or makes what is missing.

A merchant is known by its name and its key, a program by its code, a deposit by its bank reference. A step that finds something
else than what was asked for refuses, so one program never gets two merchants.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from sqlalchemy.orm import Session

from clearing.kit.errors import Conflict, Refused
from clearing.kit.locks import lock_until_commit
from clearing.kit.signing.managed_keys import ManagedKeys
from clearing.ledger.settlement.models import BankMovement, BankMovementState, Position
from clearing.ledger.settlement.repository import BankMovementRepository, PositionRepository
from clearing.ledger.settlement.service import SettlementService
from clearing.oversight.onboarding.request import OnboardingRequest, differences
from clearing.parties.access.models import ApiKey
from clearing.parties.access.repository import ApiKeyRepository
from clearing.parties.access.service import AccessService
from clearing.parties.merchants.models import Merchant, MerchantStatus, SignerKey
from clearing.parties.merchants.repository import MerchantRepository
from clearing.parties.merchants.service import MerchantService, signer_of
from clearing.parties.programs.models import Program, ProgramStatus
from clearing.parties.programs.repository import ProgramRepository
from clearing.parties.programs.service import ProgramService
from tongdui import format_micros
from tongdui.encoding import keccak256

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Step(Generic[T]):
    """One part of an onboarding, and whether this run made it."""

    part: T
    made: bool


class OnboardingService:
    """The steps of one onboarding, each in a transaction of its own: the chain must confirm a step before the next one."""

    def __init__(self, session: Session, *, keyring: ManagedKeys, request: OnboardingRequest, actor: str) -> None:
        self._session = session
        self._keyring = keyring
        self._request = request
        self._actor = actor
        self._merchants = MerchantRepository(session)
        self._programs = ProgramRepository(session)

    # ---------------------------------------------------------------- steps

    def merchant(self) -> Step[Merchant]:
        """The merchant with this name and key, and the program's, if that is there."""
        self._one_at_a_time()
        merchant = self._known()
        self._check_program(merchant)
        if merchant is not None:
            return Step(merchant, made=False)
        request = self._request
        registered = MerchantService(self._session, keyring=self._keyring).register(
            name=request.name,
            signer_address=request.signer_address,
            credit_limit_micros=request.credit_limit or 0,
            actor=self._actor,
        )
        return Step(registered, made=True)

    def program(self, merchant: Merchant) -> Step[Program]:
        """The merchant's program with this code."""
        self._one_at_a_time()
        request = self._request
        assert request.program is not None
        known = self._check_program(merchant)
        if known is not None:
            return Step(known, made=False)
        registered = ProgramService(self._session).register(
            merchant_id=merchant.id,
            code=request.program,
            name=request.program_name or request.program,
            default_lifetime_days=request.lifetime_days,
            actor=self._actor,
        )
        return Step(registered, made=True)

    def deposit(self, merchant: Merchant) -> Step[BankMovement]:
        """The merchant's first deposit."""
        self._one_at_a_time()
        micros = self._request.deposit
        assert micros is not None
        reference = f"onboarding of {merchant.id}"
        known = BankMovementRepository(self._session).lock_by_bank_ref(keccak256(reference.encode()))
        if known is not None and known.state is not BankMovementState.FAILED:
            if known.micros != micros:
                raise Conflict(
                    f"the first deposit of {merchant.id} is {format_micros(known.micros)} and not {format_micros(micros)}; "
                    "leave it out, and book the next one with POST /v1/deposits"
                )
            return Step(known, made=False)
        booked = SettlementService(self._session).deposit(
            merchant_id=merchant.id, micros=micros, bank_reference=reference, actor=self._actor
        )
        return Step(booked, made=True)

    def api_key(self, merchant: Merchant) -> tuple[ApiKey, str | None]:
        """An API key with these scopes, and its token if it is new: the token of an older one is known to nobody."""
        self._one_at_a_time()
        scopes = self._request.scopes
        for key in ApiKeyRepository(self._session).live_of_merchant(merchant.number):
            if frozenset(key.scopes) == scopes and not self._request.another_api_key:
                return key, None
        return AccessService(self._session).create_first(merchant, scopes, actor=self._actor)

    # ---------------------------------------------------------------- what the chain has confirmed

    def is_registered(self, number: int) -> bool:
        """Whether the chain has the merchant with this number. Raises Refused if it will never have it."""
        merchant = self._merchants.get_one(number)
        if merchant.status is MerchantStatus.CLOSED:
            raise Refused(
                f"merchant {merchant.id} is closed: the chain did not take its key, which another merchant may have; "
                "take another key and run the command again"
            )
        return merchant.status is not MerchantStatus.PENDING

    def is_running(self, number: int) -> bool:
        """Whether the chain has the program with this number."""
        return self._programs.get_one(number).status is not ProgramStatus.PENDING

    def is_posted(self, deposit_id: str) -> bool:
        """Whether the chain has this deposit. Raises Refused if the contract did not take it."""
        deposit = BankMovementRepository(self._session).by_id(deposit_id)
        assert deposit is not None, deposit_id
        if deposit.state is BankMovementState.FAILED:
            raise Refused(f"the contract refused deposit {deposit.id}; run the command again to request it again")
        return deposit.state is BankMovementState.POSTED

    def signer(self, merchant: Merchant) -> SignerKey | None:
        """The key that signs for the merchant now."""
        return signer_of(self._session, merchant)

    def position(self, merchant: Merchant) -> Position:
        """The merchant's position, with its credit limit."""
        return PositionRepository(self._session).get(merchant.number)

    # ---------------------------------------------------------------- what is there

    def _one_at_a_time(self) -> None:
        """Two runs at once must not both find nothing."""
        lock_until_commit(self._session, "onboarding")

    def _known(self) -> Merchant | None:
        """The merchant that an earlier run registered. Refuses one with the same name or key that is not the same."""
        request = self._request
        address = request.signer_address
        owner = self._merchants.key(address) if address is not None else None
        if owner is not None:
            merchant = self._merchants.get_one(owner.merchant_number)
            if merchant.name != request.name:
                raise Conflict(
                    f"the key {address} belongs to merchant {merchant.id}, {merchant.name}; take another key"
                )
            return self._checked(merchant)
        named = [one for one in self._merchants.named(request.name) if one.status is not MerchantStatus.CLOSED]
        for merchant in named:
            key = signer_of(self._session, merchant)
            if address is not None or key is None or key.keystore is None:
                raise Conflict(
                    f"merchant {merchant.id} is called {merchant.name} too, and signs with another key; "
                    "take another name, or name that key's address"
                )
        if len(named) > 1:
            raise Conflict(f"{len(named)} merchants are called {request.name}; take another name")
        return self._checked(named[0]) if named else None

    def _checked(self, merchant: Merchant) -> Merchant:
        """The merchant, if it has the credit limit that is asked for."""
        wanted = self._request.credit_limit
        there = PositionRepository(self._session).get(merchant.number).credit_limit
        if wanted is not None and merchant.status is MerchantStatus.ACTIVE and wanted != there:
            different = differences([("credit limit", format_micros(there), format_micros(wanted))])
            raise Conflict(
                f"there is already merchant {merchant.id}, {merchant.name}; {different}: leave it out, and change it with "
                f"POST /v1/merchants/{merchant.id}/credit_limit"
            )
        return merchant

    def _check_program(self, merchant: Merchant | None) -> Program | None:
        """The program with this code, if it is there. Refuses one that is not what is asked for."""
        request = self._request
        program = None if request.program is None else self._programs.by_code_or_id(request.program)
        if program is None:
            return None
        owner = self._merchants.get_one(program.merchant_number)
        different = differences(
            [
                (
                    "merchant",
                    f"{owner.id} ({owner.name})",
                    f"{merchant.id} ({merchant.name})" if merchant else "a new one",
                ),
                ("name", program.name, request.program_name or program.name),
                (
                    "lifetime",
                    _days(program.default_lifetime_days),
                    _days(request.lifetime_days or program.default_lifetime_days),
                ),
            ]
        )
        if different:
            raise Conflict(f"there is already a program {program.code}, and {different}")
        return program


def _days(lifetime: int | None) -> str:
    return "endless" if lifetime is None else f"{lifetime} days"
