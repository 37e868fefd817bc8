"""What happens when somebody joins or says more of themselves: the customer, the referral and the gifts, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy.orm import Session

from loyalty.customers.models import Consent, Customer, Identifier
from loyalty.customers.service import CustomerService, Shown
from loyalty.gifts.service import GiftService
from loyalty.referrals.models import Referral
from loyalty.referrals.service import ReferralService

DoneT = TypeVar("DoneT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Joiner:
    """Somebody who joins.

    Attributes:
        shown: Cards, phones and plates.
        birthday: Month and day.
        referral_code: The code of whoever brought them.
        device: What their device calls itself.
    """

    shown: Sequence[Shown]
    birthday: tuple[int, int] | None = None
    referral_code: str | None = None
    device: str | None = None


class JoiningService:
    """Joining in one transaction."""

    def __init__(self, session: Session) -> None:
        self._customers = CustomerService(session)
        self._referrals = ReferralService(session)
        self._gifts = GiftService(session)

    def join(self, joiner: Joiner, *, actor: str) -> Customer:
        """Has somebody take part. A referral that is refused refuses all of it: they may join without the code."""
        customer = self._customers.add(joiner.shown, joiner.birthday, actor=actor)
        if joiner.device is not None:
            self._referrals.see(customer, joiner.device)
        if joiner.referral_code is not None:
            self._referrals.register(customer, joiner.referral_code, actor=actor, device=joiner.device)
        self._gifts.review(customer)
        return customer

    def refer(self, newcomer: str, code: str, *, actor: str, device: str | None = None) -> Referral:
        """Notes who brought somebody who has joined already."""
        customer = self._customers.living(newcomer)
        found = self._referrals.register(customer, code, actor=actor, device=device)
        if device is not None:
            self._referrals.see(customer, device)
        return found

    def link(self, customer: str, shown: Shown, *, actor: str) -> Identifier:
        """Lets a customer be known by one more card, phone or plate."""
        return self._then_review(customer, self._customers.link(customer, shown, actor=actor))

    def consent(self, customer: str, *, purpose: str, text_version: str, is_given: bool, actor: str) -> Consent:
        """Notes what a customer agrees to, or no longer does."""
        consent = self._customers.consent(
            customer, purpose=purpose, text_version=text_version, is_given=is_given, actor=actor
        )
        return self._then_review(customer, consent)

    def set_birthday(self, customer: str, birthday: tuple[int, int], *, actor: str) -> Customer:
        """Notes a customer's birthday, once."""
        return self._then_review(customer, self._customers.set_birthday(customer, birthday, actor=actor))

    def _then_review(self, customer: str, done: DoneT) -> DoneT:
        self._gifts.review(self._customers.get(customer, for_update=True))
        return done
