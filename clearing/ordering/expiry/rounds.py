"""The daily rounds: burning what has expired, and reminding of what soon will.

Both look at what is due, not at what was asked of them: running one twice, late, or never for a week does no harm. A round works in
transactions of some accounts of one merchant each; what these note is how far it has come.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import count

import structlog
from sqlalchemy.orm import Session

from clearing.kit.clock import clock_of
from clearing.kit.config import Settings
from clearing.kit.database import Database
from clearing.kit.errors import ClearingError
from clearing.kit.events.recorder import EventRecorder
from clearing.kit.identity import NetworkIdentity
from clearing.kit.ids import new_id
from clearing.kit.rollbacks import transact
from clearing.kit.signing.managed_keys import ManagedKeys
from clearing.ledger.accounts.models import AT_ONCE
from clearing.ledger.accounts.repository import AccountKey, AccountRepository, DuePlace
from clearing.ledger.availability.due import DueService, Look
from clearing.ledger.availability.models import Hold, HoldPurpose, HoldState
from clearing.ledger.availability.repository import HoldRepository
from clearing.ledger.availability.service import AvailabilityService
from clearing.ledger.lots.checkpoint_round import CheckpointRound
from clearing.ledger.lots.models import ExpiryMark
from clearing.ledger.lots.repository import ExpiryMarkRepository, LotRepository
from clearing.ledger.lots.service import LotService
from clearing.ordering.expiry.repository import ReminderRepository
from clearing.ordering.orders.kinds.expire import ExpireRequest
from clearing.ordering.orders.repository import OrderRepository
from clearing.ordering.orders.service import OrderService
from clearing.parties.members.models import Member
from clearing.parties.members.repository import MemberRepository
from clearing.parties.merchants.directory import merchants_in
from clearing.parties.merchants.models import Merchant
from clearing.parties.merchants.repository import MerchantRepository
from clearing.parties.programs.models import Program
from clearing.parties.programs.repository import ProgramRepository
from tongdui.orders import Kind

log = structlog.get_logger(__name__)

DAYS_AHEAD = (30, 7, 1)
ACTOR = "worker"
_UNTIL_BURNT = datetime(9999, 1, 1, tzinfo=UTC)
_CHUNK = 200
"""Accounts in a transaction; no more than fit into an order."""
_PAGE = 1_000
"""Accounts, or addresses, that are looked up at a time."""


@dataclass(frozen=True, slots=True)
class Due:
    """Points of an account whose day has come."""

    account: AccountKey
    program: Program
    member: Member | None
    points: int

    def data(self) -> dict[str, object]:
        """As events show it. An account that no id leads to any more is burnt by its address."""
        address, _ = self.account
        member = self.member.id if self.member and self.member.merged_into is None else None
        return {"member": member, "address": address, "program": self.program.code, "points": self.points}


class ExpiryRound:
    """Sets expired points aside. Burns them where the gateway signs for their merchant, and notifies the other merchants.

    The accounts themselves say which are due, so a round that is killed goes on where it was: whatever it had swept is due no more.
    """

    def __init__(self, database: Database, settings: Settings, keyring: ManagedKeys) -> None:
        self._database = database
        self._settings = settings
        self._keyring = keyring
        self._network = NetworkIdentity.of(settings)

    def run(self) -> int:
        """One round. Returns how many accounts it looked at."""
        looked_at = 0
        for some in self._pages():
            CheckpointRound(self._database).shorten({address for address, _ in some})
            with self._database.reading() as session:
                groups = list(_by_merchant(session, some))
            for merchant, accounts in groups:
                transact(self._database, partial(self._sweep, merchant_number=merchant, accounts=accounts))
                looked_at += len(accounts)
        return looked_at

    def _pages(self) -> Iterator[list[AccountKey]]:
        """The accounts to look at, some at a time. An account that stays due comes once: a round goes through them in order."""
        today = self._network.day_at(self._database.clock.unix())
        with self._database.reading() as session:
            lapsed = sorted(HoldRepository(session).accounts_with_lapsed(clock_of(session).now()))
        for start in range(0, len(lapsed), _PAGE):
            yield lapsed[start : start + _PAGE]
        places: list[DuePlace] = []
        while not places or len(places) == _PAGE:
            with self._database.reading() as session:
                places = AccountRepository(session).due(today, places[-1] if places else None, _PAGE)
            if not places:
                return
            yield [place.account for place in places]

    def _sweep(self, session: Session, merchant_number: int, accounts: list[AccountKey]) -> None:
        # As for every order: lock the merchant, who counts the nonces, then the accounts.
        orders = OrderService(session, network=self._network, keyring=self._keyring, settings=self._settings)
        merchant = MerchantRepository(session).lock(merchant_number)
        today = self._network.day_at(clock_of(session).unix())
        due, news = self._set_aside(session, accounts, today)
        if merchants_in(session).managed_key(merchant_number, clock_of(session).unix()) is not None:
            left = self._burn(session, orders, merchant, due)
            AccountRepository(session).set_due(dict.fromkeys(left, AT_ONCE))
        elif news:
            data = {"day": self._network.date_of(today).isoformat(), "due": [due.data() for due in news]}
            EventRecorder(session).record(
                "points.expiry_due", merchant.id, actor=ACTOR, merchants=[merchant_number], data=data
            )

    def _set_aside(self, session: Session, accounts: list[AccountKey], today: int) -> tuple[list[Due], list[Due]]:
        """Holds exactly what is due and not otherwise taken. Returns all that is due, and the part of it that is new."""
        availability = AvailabilityService(session, network=self._network)
        balances = availability.lock(accounts)
        looks = availability.due.look(accounts, balances)
        holds = HoldRepository(session).expiry_holds(accounts)
        members = MemberRepository(session).by_addresses(address for address, _ in accounts)
        programs = ProgramRepository(session).by_numbers({program for _, program in accounts})
        unexpired = availability.before_expiry(accounts, balances)
        due, news, next_days = [], [], {}
        for account in accounts:
            own = holds[account].points if account in holds else 0
            free = unexpired[account].available + own
            look = looks[account]
            here = Due(account, programs[account[1]], members.get(account[0]), max(min(look.points, free), 0))
            _adjust(session, here, holds.get(account))
            due += [here] if here.points else []
            news += [here] if here.points > own else []
            next_days[account] = _next_look(here, look, today)
        session.flush()
        AccountRepository(session).set_due(next_days)
        return due, news

    def _burn(
        self, session: Session, orders: OrderService, merchant: Merchant, due: list[Due]
    ) -> Collection[AccountKey]:
        """Burns what may be burnt now; the accounts in which something due is left."""
        left = {found.account: found.points for found in due}
        accounts = [found.account for found in due]
        taking_back = OrderRepository(session).taking_back(accounts)
        burnable = DueService(session, network=self._network).burnable(accounts, taking_back=taking_back)
        known = [found for found in due if found.account in burnable]
        references = self._references(session, merchant, [found.account for found in known])
        instructions = [
            ExpireRequest(
                member=found.account[0],
                points=min(found.points, burnable[found.account]),
                program=found.program.code,
                reference=references[found.account],
            )
            for found in known
        ]
        if not instructions:
            return left
        try:
            with session.begin_nested():
                orders.accept(merchant, instructions, authorization=None, actor=ACTOR)
        except ClearingError as error:
            # The program is paused, the merchant closed or the queue full: the hold stays, and the next round tries again.
            log.warning("expired points not burnt yet", merchant=merchant.id, code=error.code, detail=error.detail)
            return left
        for found, instruction in zip(known, instructions, strict=True):
            left[found.account] -= instruction.points
        return [account for account, points in left.items() if points]

    def _references(
        self, session: Session, merchant: Merchant, accounts: Sequence[AccountKey]
    ) -> dict[AccountKey, str]:
        """A free reference for each account: the day's first, or the next one where a hold freed more points after it was used."""
        today = self._network.day_at(clock_of(session).unix())
        found: dict[AccountKey, str] = {}
        for number in count(1):
            tried = {
                f"expiry:{today}:{address}:{program}" + (f":{number}" if number > 1 else ""): (address, program)
                for address, program in accounts
                if (address, program) not in found
            }
            if not tried:
                break
            keys = {(merchant.number, int(Kind.EXPIRE), reference): account for reference, account in tried.items()}
            taken = OrderRepository(session).live_references(keys.keys())
            found |= {account: key[2] for key, account in keys.items() if key not in taken}
        return found


class ReminderRound:
    """Reminds merchants of members whose points will expire in 30, 7 and 1 days."""

    NAME = ExpiryMarkRepository.REMINDERS

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._network = NetworkIdentity.of(settings)

    def run(self) -> int:
        """One round. Returns how many reminders it wrote. One that was killed goes on where it was."""
        today = self._network.day_at(self._database.clock.unix())
        mark = self._mark(today)
        parts = {
            f"{today}:{ahead}:{day}": (ahead, day)
            for ahead in DAYS_AHEAD
            # After days without a round, this one makes up for them.
            for day in range(max(mark.day + 1 + ahead, today + 1), today + ahead + 1)
        }
        if mark.day >= today:
            return 0
        names = list(parts)
        begin = names.index(mark.part) if mark.part in parts else 0
        written = 0
        for name in names[begin:]:
            after = mark.address if name == mark.part else None
            written += self._remind_of_day(*parts[name], name, after or "")
        with self._database.session.begin() as session:
            ExpiryMarkRepository(session).set(self.NAME, today)
        return written

    def _mark(self, today: int) -> ExpiryMark:
        """Where the round stands. The first one of all begins today."""
        with self._database.reading() as session:
            mark = ExpiryMarkRepository(session).get(self.NAME)
        if mark is None:
            with self._database.session.begin() as session:
                ExpiryMarkRepository(session).set(self.NAME, today - 1)
            mark = ExpiryMark(name=self.NAME, day=today - 1)
        return mark

    def _remind_of_day(self, ahead: int, day: int, name: str, after: str) -> int:
        """Goes through the members who got points of this day, in the order of their addresses."""
        written = 0
        while True:
            with self._database.reading() as session:
                addresses = LotRepository(session).addresses_given(day, after, _PAGE)
                if not addresses:
                    return written
                groups = list(_by_merchant(session, LotRepository(session).accounts_expiring(day, addresses)))
            for merchant, some in groups:
                written += transact(
                    self._database,
                    partial(self._remind_some, merchant=merchant, accounts=some, ahead=ahead, day=day),
                )
            after = addresses[-1]
            with self._database.session.begin() as session:
                ExpiryMarkRepository(session).set_place(self.NAME, name, after)

    def _remind_some(self, session: Session, merchant: int, accounts: list[AccountKey], ahead: int, day: int) -> int:
        members = MemberRepository(session).by_addresses(address for address, _ in accounts)
        lots = LotService(session, network=self._network).of_all(accounts)
        written = 0
        for key in accounts:
            points = sum(lot.points for lot in lots[key] if lot.expiry_day == day)
            if points and ReminderRepository(session).claim(key, day, ahead):
                self._record(session, merchant, key, members.get(key[0]), points, day)
                written += 1
        return written

    def _record(
        self, session: Session, merchant: int, key: AccountKey, member: Member | None, points: int, day: int
    ) -> None:
        data = {
            "member": member.id if member else None,
            "external_id": MemberRepository(session).external_id(merchant, member.id) if member else None,
            "address": key[0],
            "program": _code(session, key[1]),
            "points": points,
            "expires_on": self._network.date_of(day).isoformat(),
            "days": day - self._network.day_at(clock_of(session).unix()),
        }
        EventRecorder(session).record(
            "points.expiring", member.id if member else key[0], actor=ACTOR, merchants=[merchant], data=data
        )


def _code(session: Session, program: int) -> str:
    found = ProgramRepository(session).by_number(program)
    assert found is not None, "entries name registered programs"
    return found.code


def _by_merchant(session: Session, accounts: Iterable[AccountKey]) -> Iterator[tuple[int, list[AccountKey]]]:
    """The accounts in small groups of one merchant each."""
    owners = ProgramRepository(session).owners()
    by_merchant: dict[int, list[AccountKey]] = defaultdict(list)
    for account in sorted(accounts):
        by_merchant[owners[account[1]]].append(account)
    for merchant, some in sorted(by_merchant.items()):
        for start in range(0, len(some), _CHUNK):
            yield merchant, some[start : start + _CHUNK]


def _next_look(here: Due, look: Look, today: int) -> int:
    """The day on which the round looks at an account again that it has just looked at."""
    if here.points != look.points:
        return AT_ONCE  # something that does not know of the day has taken the rest for now
    # What is set aside until its merchant burns it is looked at once a day: it may have become less.
    return min(look.next_day, today + 1) if here.points else look.next_day


def _adjust(session: Session, due: Due, hold: Hold | None) -> None:
    """Makes the account's expiry hold exactly as large as what is due."""
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
        hold.ended_at = clock_of(session).now()
