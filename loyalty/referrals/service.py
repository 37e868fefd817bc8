"""Rules of referrals: who may bring whom, and when a reward is taken back; `group` gives it. A newcomer has one referrer, for ever.

Whoever rewards holds the newcomer. Bonuses of a referral are given and taken back in the newcomer's transactions alone, so the
referrer need not be held, and nobody waits for a chain of them.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Final

from sqlalchemy.orm import Session

from loyalty.audit_log.service import AuditLog
from loyalty.bonuses.models import Bonus, Cause
from loyalty.bonuses.service import BonusService
from loyalty.customers.models import Customer
from loyalty.customers.service import CustomerService
from loyalty.kit.database import clock_of, lock
from loyalty.kit.errors import Contradiction, Unknown
from loyalty.kit.ids import new_id
from loyalty.plans.service import PlanService
from loyalty.referrals.models import KeptReferralScheme, Referral, ReferralCode
from loyalty.referrals.repository import ReferralRepository
from loyalty.referrals.schemes import Part, ReferralScheme, read_referral_scheme, write_referral_scheme
from loyalty.sales.reading import SalesReader

_ALPHABET: Final = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
"""Without what people mistake for something else when they read it out."""
_LENGTH: Final = 8
_LONGEST_CHAIN: Final = 1_000


class ReferralSchemeService(PlanService[KeptReferralScheme, ReferralScheme]):
    """Referral schemes in one transaction."""

    ROW = KeptReferralScheme
    PREFIX = "rfs"
    KIND = "referral_scheme"
    FIELD = "/scheme"
    read = staticmethod(read_referral_scheme)
    write = staticmethod(write_referral_scheme)


class ReferralService:
    """Referrals in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._referrals = ReferralRepository(session)
        self._schemes = ReferralSchemeService(session)
        self._customers = CustomerService(session)
        self._bonuses = BonusService(session)
        self._sales = SalesReader(session)
        self._log = AuditLog(session)

    # ---------------------------------------------------------------- who brought whom

    def code_of(self, customer: Customer) -> ReferralCode:
        """The code that a customer hands on; the same one each time."""
        lock(self._session, f"referral code:{customer.id}")
        found = self._referrals.code_of(customer.id)
        if found is None:
            if customer.erased_at is not None:
                raise Contradiction("customer_erased", f"{customer.id} was erased")
            code = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
            found = ReferralCode(customer_id=customer.id, code=code)
            self._referrals.add(found)
        return found

    def see(self, customer: Customer, device: str) -> None:
        """Notes on which device a customer is."""
        self._customers.see(customer, device)

    def register(self, newcomer: Customer, code: str, *, actor: str, device: str | None = None) -> Referral:
        """Notes who brought a newcomer. The same again is harmless.

        Raises:
            Unknown: There is no such code.
            Contradiction: No scheme is in force, the newcomer is not new, somebody else brought them, or both are the same
                person by all that is known; the code says which.
        """
        lock(self._session, "referrals")  # rare, and a ring is seen from no single row
        referrer = self._owner(code)
        known = self._of(newcomer)
        if known is not None:
            if known.referrer_id != referrer.id:
                raise Contradiction("already_referred", f"{newcomer.id} was brought by somebody else", pointer="/code")
            return known
        now = clock_of(self._session).now()
        kept = self._schemes.in_force_at(now)
        if kept is None:
            raise Contradiction("no_referral_scheme", "no referral scheme is in force: publish one")
        scheme = scheme_of(kept)
        self._refuse_old(newcomer, scheme)
        self._refuse_same(newcomer, referrer, device)
        self._refuse_ring(newcomer, referrer)
        found = Referral(id=new_id("ref"), newcomer_id=newcomer.id, referrer_id=referrer.id, scheme=kept.id)
        self._referrals.add(found)
        self._log.note(actor, "referral.added", found.id, after={"newcomer": newcomer.id, "referrer": referrer.id})
        return found

    def _owner(self, code: str) -> Customer:
        found = self._referrals.code(code.strip().upper())
        if found is None:
            raise Unknown("unknown_referral_code", f"nobody has the code {code}: ask for it again", pointer="/code")
        owner = self._customers.get(found.customer_id)
        if owner.erased_at is not None:
            raise Unknown("unknown_referral_code", f"whoever had the code {code} has left", pointer="/code")
        return owner

    def _refuse_old(self, newcomer: Customer, scheme: ReferralScheme) -> None:
        latest = newcomer.created_at + timedelta(days=scheme.days_to_refer)
        if self._sales.has_bought(newcomer.id):
            raise Contradiction("not_new", f"{newcomer.id} has bought before", pointer="/newcomer")
        if clock_of(self._session).now() > latest:
            detail = f"{newcomer.id} joined more than {scheme.days_to_refer} days ago"
            raise Contradiction("not_new", detail, pointer="/newcomer")

    def _refuse_same(self, newcomer: Customer, referrer: Customer, device: str | None) -> None:
        if newcomer.id == referrer.id:
            raise Contradiction("self_referral", "nobody brings themselves", pointer="/code")
        # Each identifier is one customer's at a time; what both have had is a card or a plate that went from one to the other.
        if (kind := self._customers.shared_kind(newcomer, referrer)) is not None:
            raise Contradiction(f"same_{kind}", f"both have had the same {kind}", pointer="/code")
        if device is not None and self._customers.somebody_else_on(device, newcomer):
            raise Contradiction("same_device", "another customer was seen on this device", pointer="/device")
        if self._customers.share_a_device(newcomer, referrer):
            raise Contradiction("same_device", "both were seen on the same device", pointer="/code")

    def _refuse_ring(self, newcomer: Customer, referrer: Customer) -> None:
        above = referrer.id
        for _ in range(_LONGEST_CHAIN):
            found = self._referrals.of_newcomer(above)
            if found is None:
                return
            above = found.referrer_id
            if above == newcomer.id:
                break
        raise Contradiction(
            "ring", f"{newcomer.id} stands above {referrer.id} in a chain of referrals", pointer="/code"
        )

    # ---------------------------------------------------------------- rewards

    def revoke(self, newcomer: Customer, *, because: str) -> None:
        """Takes back what a newcomer's sales no longer earn, because something of them has come back."""
        referral = self._of(newcomer)
        if referral is None:
            return
        earned = self._earned(referral, scheme_of(self._schemes.get(referral.scheme)))
        for bonus in self._given(referral):
            if Part(bonus.key.rpartition(":")[2]) not in earned:
                self._bonuses.revoke(bonus, because=because)

    def _earned(self, referral: Referral, scheme: ReferralScheme) -> frozenset[Part]:
        return scheme.earned(self._sales.left(referral.newcomer_id, first_day(referral, scheme), date.max))

    def _given(self, referral: Referral) -> Sequence[Bonus]:
        both = referral.newcomer_id, referral.referrer_id
        return [bonus for one in both for bonus in self._bonuses.given(one, Cause.REFERRAL, f"{referral.id}:")]

    # ---------------------------------------------------------------- looking

    def is_code(self, code: str) -> bool:
        """Whether somebody who takes part hands on this code."""
        try:
            self._owner(code)
        except Unknown:
            return False
        return True

    def in_force(self) -> ReferralScheme | None:
        """What a referral is worth now; None if nothing."""
        kept = self._schemes.in_force_at(clock_of(self._session).now())
        return None if kept is None else scheme_of(kept)

    def given_to(self, referrer: str) -> Mapping[str, frozenset[Part]]:
        """What a customer was given for whom they brought, by the referral."""
        found: dict[str, frozenset[Part]] = {}
        for bonus in self._bonuses.given(referrer, Cause.REFERRAL, ""):
            referral, _, part = bonus.key.rpartition(":")
            found[referral] = found.get(referral, frozenset()) | {Part(part)}
        return found

    def page(self, referrer: str, cursor: str | None, limit: int) -> tuple[Sequence[Referral], str | None]:
        """Whom a customer has brought, the last one first."""
        return self._referrals.page(referrer, cursor, limit)

    def code_if_any(self, customer: Customer) -> str | None:
        """The code that a customer hands on, if they have one."""
        found = self._referrals.code_of(customer.id)
        return None if found is None else found.code

    def brought(self, newcomer: Customer) -> Referral | None:
        """Who brought a customer."""
        return self._of(newcomer)

    def _of(self, newcomer: Customer) -> Referral | None:
        return self._referrals.of_newcomer(newcomer.id)


def first_day(referral: Referral, scheme: ReferralScheme) -> date:
    """From which day on the newcomer's sales count."""
    return referral.created_at.astimezone(scheme.time_zone).date()


def scheme_of(kept: KeptReferralScheme) -> ReferralScheme:
    """The scheme, ready to be used."""
    return ReferralSchemeService.plan_of(kept)
