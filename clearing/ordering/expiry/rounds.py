"""The daily rounds: burning what has expired, and reminding of what soon will.

Both look at what is due, not at what was asked of them: running one twice, late, or never for a week does no harm. A round works in
transactions of some accounts of one merchant each, and notes only at its end how far it has come.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from clearing.kit.clock import now, unix_now
from clearing.kit.config import Settings
from clearing.kit.database import Database
from clearing.kit.errors import ClearingError
from clearing.kit.events.repository import EventRepository
from clearing.kit.identity import NetworkIdentity, day_at
from clearing.kit.ids import new_id
from clearing.kit.signing.keyring import Keyring
from clearing.kit.upsert import insert_for
from clearing.ledger.accounts.repository import AccountKey, AccountRepository
from clearing.ledger.journal.models import Entry
from clearing.ledger.journal.repository import BlockRepository
from clearing.ledger.lots.repository import LotRepository
from clearing.ledger.lots.service import LotService
from clearing.ordering.expiry.models import ExpiryMark, ExpiryReminder
from clearing.ordering.expiry.service import ROUND, ExpiryService
from clearing.ordering.holds.models import Hold, HoldPurpose, HoldState
from clearing.ordering.holds.repository import HoldRepository
from clearing.ordering.orders.repository import OrderRepository
from clearing.ordering.orders.requests import InstructionRequest
from clearing.ordering.orders.service import OrderService
from clearing.parties.members.models import Member
from clearing.parties.members.repository import MemberRepository
from clearing.parties.merchants.models import Merchant
from clearing.parties.merchants.repository import MerchantRepository
from clearing.parties.programs.models import Program
from tongdui.orders import Kind

log = structlog.get_logger(__name__)

DAYS_AHEAD = (30, 7, 1)
ACTOR = "worker"
_UNTIL_BURNT = datetime(9999, 1, 1, tzinfo=UTC)
_CHUNK = 200
_BATCHES_AGAIN = 64
"""Batches that are looked at once more: a reorganisation may have put others in their place."""
_REFUSED_DAYS = 30


@dataclass(frozen=True, slots=True)
class Due:
    """Points of an account whose day has come."""

    account: AccountKey
    program: Program
    member: Member | None
    points: int

    def data(self) -> dict[str, object]:
        """As events tell it."""
        address, _ = self.account
        member = self.member.id if self.member else None
        return {"member": member, "address": address, "program": self.program.code, "points": self.points}


class ExpiryRound:
    """Sets expired points aside, and burns them where the network signs for their merchant; the others are told."""

    NAME = ROUND

    def __init__(self, database: Database, settings: Settings, keyring: Keyring) -> None:
        self._database = database
        self._settings = settings
        self._keyring = keyring
        self._network = NetworkIdentity.of(settings)

    def run(self) -> int:
        """One round; how many accounts it looked at."""
        today = self._network.today()
        with self._database.reading() as session:
            mark = session.get(ExpiryMark, self.NAME)
            newest = session.scalar(select(func.max(Entry.batch))) or 0
            seen_day = self._chains_day(session)
            accounts = self._candidates(session, mark, today)
            groups = list(_by_merchant(session, accounts))
        for merchant, some in groups:
            with self._database.session.begin() as session:
                self._sweep(session, merchant, some)
        with self._database.session.begin() as session:
            set_mark(session, self.NAME, min(today, seen_day), newest)
        return len(accounts)

    def _chains_day(self, session: Session) -> int:
        """The day of the newest block that was projected: whatever expires on it or before was made in blocks that are here.

        On a later day the projector may only be behind, and still bring points that expire today.
        """
        newest = BlockRepository(session).last()
        return day_at(newest.timestamp, self._network.utc_offset_seconds) if newest else 0

    def _candidates(self, session: Session, mark: ExpiryMark | None, today: int) -> set[AccountKey]:
        lots = LotRepository(session)
        since = now() - timedelta(days=_REFUSED_DAYS)
        accounts = HoldRepository(session).accounts_with_expired_points()
        accounts |= ExpiryService(session, network=self._network).refused(since)
        accounts |= lots.accounts_given_back(mark.batch - _BATCHES_AGAIN if mark else 0)
        if mark is not None:
            accounts |= lots.accounts_given_late(mark.batch - _BATCHES_AGAIN, today)
        first = mark.day + 1 if mark else 1
        return accounts | lots.accounts_expiring(first, today) if first <= today else accounts

    def _sweep(self, session: Session, merchant_number: int, accounts: list[AccountKey]) -> None:
        # Like every order: first the merchant, whose nonces are counted, then the accounts.
        orders = OrderService(session, network=self._network, keyring=self._keyring, settings=self._settings)
        merchant = session.get_one(Merchant, merchant_number)
        orders.reserve_nonces(merchant, 0)
        due, news = self._set_aside(session, accounts)
        if MerchantRepository(session).managed_key(merchant_number, unix_now()) is not None:
            self._burn(session, orders, merchant, due)
        elif news:
            data = {"day": self._network.date_of(self._network.today()).isoformat(), "due": [d.data() for d in news]}
            EventRepository(session).add("points.expiry_due", merchant.id, ACTOR, merchant_number, data)

    def _set_aside(self, session: Session, accounts: list[AccountKey]) -> tuple[list[Due], list[Due]]:
        """Holds for exactly what is due and not otherwise reserved; all of that, and what of it is new."""
        rows = AccountRepository(session).lock(accounts)
        points = ExpiryService(session, network=self._network).due(accounts)
        repository = HoldRepository(session)
        held, holds = repository.held(accounts, now()), repository.expiry_holds(accounts)
        members = MemberRepository(session).by_addresses(address for address, _ in accounts)
        due, news = [], []
        for key in accounts:
            own = holds[key].points if key in holds else 0
            free = rows[key].available - held.get(key, 0) + own if key in rows else 0
            found = Due(
                key, session.get_one(Program, key[1]), members.get(key[0]), max(min(points.get(key, 0), free), 0)
            )
            _adjust(session, found, holds.get(key))
            due += [found] if found.points else []
            news += [found] if found.points > own else []
        session.flush()
        return due, news

    def _burn(self, session: Session, orders: OrderService, merchant: Merchant, due: list[Due]) -> None:
        today = self._network.today()
        requests = {
            f"expiry:{today}:{found.account[0]}:{found.account[1]}": found for found in due if found.member is not None
        }
        done = OrderRepository(session).live_references(merchant.number, Kind.EXPIRE, list(requests))
        instructions = [
            InstructionRequest(Kind.EXPIRE, found.member.id, found.points, found.program.code, reference=reference)
            for reference, found in requests.items()
            if reference not in done and found.member is not None
        ]
        if not instructions:
            return
        try:
            with session.begin_nested():
                orders.accept(merchant, instructions, atomic=False, authorization=None, actor=ACTOR)
        except ClearingError as error:
            # Paused, closed, or the queue is full: the points stay set aside, and the next round tries again.
            log.warning("expired points not burnt yet", merchant=merchant.id, code=error.code, detail=error.detail)


class ReminderRound:
    """Tells merchants of members whose points will expire in 30, 7 and 1 days."""

    NAME = "points.remind"

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._network = NetworkIdentity.of(settings)

    def run(self) -> int:
        """One round; how many reminders it wrote."""
        today = self._network.today()
        with self._database.reading() as session:
            mark = session.get(ExpiryMark, self.NAME)
        done_until = mark.day if mark else today - 1
        if done_until >= today:
            return 0
        written = 0
        for ahead in DAYS_AHEAD:
            # After some days without a round, the days that were left out are made up for.
            written += self._remind(ahead, max(done_until + 1 + ahead, today + 1), today + ahead)
        with self._database.session.begin() as session:
            set_mark(session, self.NAME, today, 0)
        return written

    def _remind(self, ahead: int, first: int, last: int) -> int:
        with self._database.reading() as session:
            groups = list(_by_merchant(session, LotRepository(session).accounts_expiring(first, last)))
        written = 0
        for merchant, some in groups:
            with self._database.session.begin() as session:
                written += self._remind_some(session, merchant, some, ahead, range(first, last + 1))
        return written

    def _remind_some(
        self, session: Session, merchant: int, accounts: list[AccountKey], ahead: int, days: Collection[int]
    ) -> int:
        members = MemberRepository(session).by_addresses(address for address, _ in accounts)
        lots = LotService(session, network=self._network).of_all(accounts)
        written = 0
        for key in accounts:
            by_day: dict[int, int] = defaultdict(int)
            for lot in lots[key]:
                by_day[lot.expiry_day] += lot.points
            for day in sorted(set(by_day) & set(days)):
                if _first_time(session, key, day, ahead):
                    self._tell(session, merchant, key, members.get(key[0]), by_day[day], day)
                    written += 1
        return written

    def _tell(
        self, session: Session, merchant: int, key: AccountKey, member: Member | None, points: int, day: int
    ) -> None:
        data = {
            "member": member.id if member else None,
            "external_id": MemberRepository(session).external_id(merchant, member.id) if member else None,
            "address": key[0],
            "program": session.get_one(Program, key[1]).code,
            "points": points,
            "expires_on": self._network.date_of(day).isoformat(),
            "days": day - self._network.today(),
        }
        EventRepository(session).add("points.expiring", member.id if member else key[0], ACTOR, merchant, data)


def set_mark(session: Session, name: str, day: int, batch: int) -> None:
    """Notes how far a round has come. Of two that run at the same time the farther one counts."""
    mark = session.get(ExpiryMark, name, with_for_update=True)
    if mark is None:
        values = {"name": name, "day": day, "batch": batch}
        session.execute(insert_for(session)(ExpiryMark).values(values).on_conflict_do_nothing())
        return
    mark.day = max(mark.day, day)
    mark.batch = batch


def _by_merchant(session: Session, accounts: Iterable[AccountKey]) -> Iterator[tuple[int, list[AccountKey]]]:
    """The accounts in groups of one merchant each, none of them large."""
    owners = dict(session.execute(select(Program.number, Program.merchant_number)).all())
    by_merchant: dict[int, list[AccountKey]] = defaultdict(list)
    for account in sorted(accounts):
        by_merchant[owners[account[1]]].append(account)
    for merchant, some in sorted(by_merchant.items()):
        for start in range(0, len(some), _CHUNK):
            yield merchant, some[start : start + _CHUNK]


def _adjust(session: Session, due: Due, hold: Hold | None) -> None:
    """Makes the account's expiry hold one of exactly the points that are due."""
    if hold is None and due.points:
        session.add(
            Hold(
                id=new_id("hld"),
                merchant_number=due.program.merchant_number,
                purpose=HoldPurpose.EXPIRY,
                member_id=due.member.id if due.member else None,
                address=due.account[0],
                program=due.account[1],
                points=due.points,
                expires_at=_UNTIL_BURNT,
            )
        )
    elif hold is not None and due.points:
        hold.points = due.points
    elif hold is not None:
        hold.state = HoldState.RELEASED
        hold.ended_at = now()


def _first_time(session: Session, key: AccountKey, day: int, ahead: int) -> bool:
    values = {"address": key[0], "program": key[1], "expiry_day": day, "days_ahead": ahead, "created_at": now()}
    statement = (
        insert_for(session)(ExpiryReminder).values(values).on_conflict_do_nothing().returning(ExpiryReminder.address)
    )
    return session.execute(statement).first() is not None
