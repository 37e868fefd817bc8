"""Gives what the sales of a group earn for newcomers and for those who brought them.

Whoever calls holds the newcomers. What both have had is read at once; a sale that is alone is a group of one.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

from sqlalchemy.orm import Session

from loyalty.bonuses.models import Cause
from loyalty.bonuses.service import BonusGroup, BonusService, Grant
from loyalty.customers.models import Customer
from loyalty.customers.service import CustomerService
from loyalty.earning.reasons import Text
from loyalty.kit.database import clock_of, lock_all
from loyalty.referrals.models import KeptReferralScheme, Referral
from loyalty.referrals.repository import ReferralRepository
from loyalty.referrals.schemes import Part, ReferralScheme
from loyalty.referrals.service import ReferralSchemeService, first_day, scheme_of
from loyalty.sales.reading import Days, History

_REASONS = {
    Part.NEWCOMER: Text("welcome: a friend brought you", "欢迎：朋友带您来的"),
    Part.REFERRER: Text("you brought a friend", "您带来了一位朋友"),
    Part.AGAIN: Text("the friend whom you brought came back", "您带来的朋友又来了"),
}


class ReferralGroup:
    """Who brought the customers of a group, and what both have had for it."""

    def __init__(self, session: Session, customers: Collection[str], bonuses: BonusGroup) -> None:
        self._session = session
        self._bonuses = bonuses
        self._had = BonusService(session)
        referrals = {one.newcomer_id: one for one in ReferralRepository(session).of_newcomers(customers)}
        schemes = ReferralSchemeService(session)
        self._schemes = {one.scheme: schemes.get(one.scheme) for one in referrals.values()}
        both = {who for one in referrals.values() for who in (one.newcomer_id, one.referrer_id)}
        keys = {_key(one, part) for one in referrals.values() for part in Part}
        self._given = {key for _, _, key in self._had.keys(both, [Cause.REFERRAL], sorted(keys))}
        self._open = {
            newcomer: one
            for newcomer, one in referrals.items()
            if any(_key(one, part) not in self._given for part in self._parts(one))
        }
        self._customers = {
            one.id: one for one in CustomerService(session).named({one.referrer_id for one in self._open.values()})
        }
        self.wanted: list[Days] = [
            (newcomer, first_day(one, self._scheme(one)), date.max) for newcomer, one in self._open.items()
        ]
        """The days of whose sales the history has to know."""
        limited = {one.referrer_id for one in self._open.values() if self._scheme(one).most_per_month is not None}
        lock_all(session, (f"referrer:{one}" for one in limited))  # others' newcomers wait here for each other
        self._counts: dict[tuple[str, str], int] = {}

    @property
    def referrers(self) -> Collection[str]:
        """Those who may be given something for it."""
        return self._customers.keys()

    def reward(self, newcomer: Customer, history: History) -> None:
        """Gives what a newcomer's sales, which the history has by now, have earned for both."""
        referral = self._open.get(newcomer.id)
        if referral is None:
            return
        kept, scheme = self._kept(referral), self._scheme(referral)
        for part in sorted(scheme.earned(history.left(newcomer.id, first_day(referral, scheme), date.max))):
            key = _key(referral, part)
            customer = newcomer if part is Part.NEWCOMER else self._customers[referral.referrer_id]
            if key in self._given or customer.erased_at is not None:
                continue
            if part is Part.REFERRER and not self._may_have_more(customer.id, kept):
                continue
            self._given.add(key)
            self._bonuses.grant(
                customer.id,
                Grant(
                    cause=Cause.REFERRAL,
                    key=key,
                    program=kept.program,
                    points=scheme.points(part),
                    reason=_REASONS[part],
                    plan=kept.id,
                    facts={"referral": referral.id, "part": part.value},
                ),
            )

    def _parts(self, referral: Referral) -> Collection[Part]:
        """The parts that a referral may earn."""
        return {*Part} if self._scheme(referral).again is not None else {*Part} - {Part.AGAIN}

    def _kept(self, referral: Referral) -> KeptReferralScheme:
        return self._schemes[referral.scheme]

    def _scheme(self, referral: Referral) -> ReferralScheme:
        return scheme_of(self._kept(referral))

    def _may_have_more(self, referrer: str, kept: KeptReferralScheme) -> bool:
        """Whether the referrer has not had the most of this month; then one more is counted."""
        scheme = scheme_of(kept)
        if scheme.most_per_month is None:
            return True
        now = clock_of(self._session).now().astimezone(scheme.time_zone)
        first = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        place = referrer, str(scheme.time_zone)
        if place not in self._counts:
            self._counts[place] = self._had.count(referrer, Cause.REFERRAL, f":{Part.REFERRER}", first)
        if self._counts[place] >= scheme.most_per_month:
            return False
        self._counts[place] += 1
        return True


def _key(referral: Referral, part: Part) -> str:
    return f"{referral.id}:{part}"
