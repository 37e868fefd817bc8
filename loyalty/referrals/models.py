"""Tables of referral schemes, of customers' codes, and of who brought whom."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from loyalty.kit.database import Base, time_of_insert
from loyalty.plans.models import KeptPlan


class KeptReferralScheme(KeptPlan):
    """One version of a referral scheme."""

    __tablename__ = "referral_schemes"

    program: Mapped[str] = mapped_column(String(32))
    """The network's program whose points it gives."""


class ReferralCode(Base):
    """The code that a customer hands on."""

    __tablename__ = "referral_codes"

    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"), primary_key=True)
    code: Mapped[str] = mapped_column(String(12), unique=True)
    created_at: Mapped[datetime] = mapped_column(default=time_of_insert)


class Referral(Base):
    """One customer brought another one."""

    __tablename__ = "referrals"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    newcomer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"), unique=True)
    referrer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"), index=True)
    scheme: Mapped[str] = mapped_column(ForeignKey("referral_schemes.id"))
    """The version that was in force: what was promised then is given."""
    created_at: Mapped[datetime] = mapped_column(default=time_of_insert)
