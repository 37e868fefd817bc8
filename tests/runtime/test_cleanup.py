"""What nobody needs any more is removed, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from clearing.kit.idempotency.models import IdempotencyRecord
from clearing.kit.idempotency.repository import IdempotencyRepository
from clearing.ledger.availability.models import Hold, HoldState
from clearing.ledger.availability.repository import HoldRepository
from clearing.ordering.expiry.models import ExpiryReminder
from clearing.ordering.expiry.repository import ReminderRepository
from clearing.ordering.quotes.models import Quote
from clearing.ordering.quotes.repository import QuoteRepository
from clearing.parties.agreements.models import Agreement
from clearing.parties.codes.models import MemberCode, PresenterTries
from clearing.parties.codes.repository import MemberCodeRepository, PresenterTriesRepository
from clearing.parties.members.models import LinkCode
from clearing.parties.members.repository import LinkCodeRepository
from clearing.parties.merchants.models import Merchant
from clearing.runtime.jobs import cleanup
from tests.support.chainless import ChainlessNetwork

_REPOSITORIES = (
    QuoteRepository,
    LinkCodeRepository,
    MemberCodeRepository,
    PresenterTriesRepository,
    IdempotencyRepository,
    HoldRepository,
    ReminderRepository,
)


def test_cleaning_removes_what_is_over_and_nothing_else(
    chainless: ChainlessNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cleanup, "_ROWS", 2)
    old, fresh = datetime.now(UTC) - timedelta(days=40), datetime.now(UTC) + timedelta(days=1)
    member = chainless.member()
    with chainless.database.session.begin() as session:
        for number in range(5):
            at = old if number < 3 else fresh
            session.add(LinkCode(code_hash=bytes([number]) * 32, member_id=member, expires_at=at))
            session.add(_code(number, member, at))
            session.add(_presenter(session, 10 + number, at))
            record = IdempotencyRecord(principal="p", key=f"k{number}", fingerprint=bytes(32), status=200, body="")
            record.created_at = at
            session.add(record)
            session.add(_quote(session, number, at))
            session.add(_hold(number, member, at))
            session.add(ExpiryReminder(address="0x", program=1, expiry_day=number, days_ahead=1, created_at=at))
        session.add(_hold(5, member, None))
        session.add(_hold(6, member, old, drawing=True))
    before = datetime.now(UTC) - timedelta(days=1)
    for repository in _REPOSITORIES:
        assert cleanup.remove_expired(chainless.database, repository, before) == 3
        assert cleanup.remove_expired(chainless.database, repository, before) == 0
    with chainless.database.session.begin() as session:
        for table in (Quote, LinkCode, MemberCode, PresenterTries, IdempotencyRecord, ExpiryReminder):
            assert session.scalar(select(func.count()).select_from(table)) == 2
        held = session.scalars(select(Hold.id).order_by(Hold.id)).all()
        assert held == ["hld_3", "hld_4", "hld_5", "hld_6"]  # one has not ended, and one's order has not


def _code(number: int, member: str, at: datetime) -> MemberCode:
    return MemberCode(
        id=f"mcd_{number}",
        code_hash=bytes([number]) * 32,
        member_id=member,
        merchant_number=1,
        points=1,
        expires_at=at,
    )


def _hold(number: int, member: str, ended_at: datetime | None, *, drawing: bool = False) -> Hold:
    return Hold(
        id=f"hld_{number}",
        merchant_number=1,
        member_id=member,
        address="0x",
        program=1,
        points=1,
        state=HoldState.CAPTURED if ended_at else HoldState.PENDING,
        drawing=drawing,
        expires_at=datetime.now(UTC),
        ended_at=ended_at,
    )


def _presenter(session: Session, number: int, at: datetime) -> PresenterTries:
    session.add(Merchant(number=number, id=f"mer_{number}", name=str(number)))
    session.flush()
    return PresenterTries(merchant_number=number, since=at, wrong=1)


def _quote(session: Session, number: int, at: datetime) -> Quote:
    agreement = session.scalars(select(Agreement.id)).one()
    return Quote(
        id=f"quo_{number}",
        merchant_number=1,
        agreement_id=agreement,
        points=1,
        points_burnt=1,
        out=1,
        settled=1,
        fee=0,
        expires_at=at,
    )
