"""What each job does. The command line does the same."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from sqlalchemy.orm import Session

import loyalty.models  # noqa: F401 (all tables)
from loyalty.attempts.service import AttemptService
from loyalty.audit_log.service import COMMAND_LINE
from loyalty.customer_sessions.service import CustomerSessionService
from loyalty.fills.models import FillState
from loyalty.fills.service import FillService
from loyalty.gifts.service import GiftService
from loyalty.http.idempotency.service import IdempotencyService
from loyalty.intake.service import IntakeService
from loyalty.kit.database import Database
from loyalty.kit.errors import Contradiction
from loyalty.kit.sessions import Limits
from loyalty.kit.settings import Settings
from loyalty.mqtt.service import DeviceMessageService
from loyalty.network.checking import Checker, Tally
from loyalty.network.client import network_client
from loyalty.network.sender import Sender
from loyalty.people.sign_in import SessionService
from loyalty.sales.models import Outcome
from loyalty.seasons.service import SeasonService
from loyalty.tiers.service import TierService
from loyalty.till_files.service import TillFileService
from loyalty.till_files.work import take_in_kept

_PIECE = 500
_MOST_STEPS = 1_000
"""A run of the safety net ends; the next one goes on."""


def send(settings: Settings) -> int:
    """Sends what is due, in case that no sender runs; how many steps that took."""
    database = Database(settings.database_url)
    try:
        with network_client(settings) as client:
            sender = Sender(database, client, settings)
            steps = 0
            while steps < _MOST_STEPS and sender.step():
                steps += 1
            return steps
    finally:
        database.close()


def check(settings: Settings) -> Tally:
    """Compares with the network what is new since the last check."""
    database = Database(settings.database_url)
    try:
        with network_client(settings) as client:
            return Checker(database, client).run()
    finally:
        database.close()


def review_tiers(settings: Settings) -> int:
    """Has every customer stand where they belong today; how many steps that took."""
    return _piece_by_piece(settings, lambda session, customer: TierService(session).review_after(customer))


def give_birthday_gifts(settings: Settings) -> int:
    """Gives gifts for birthdays of today and of the last days; how many steps that took."""
    return _piece_by_piece(settings, lambda session, customer: GiftService(session).birthdays_after(customer))


def _piece_by_piece(settings: Settings, step: Callable[[Session, str | None], str | None]) -> int:
    """Goes through customers, some in each transaction: `step` is given the last one of before, and says the last one of now."""
    database = Database(settings.database_url)
    try:
        steps, customer = 0, None
        while True:
            with database.session.begin() as session:
                customer = step(session, customer)
            if customer is None:
                return steps
            steps += 1
    finally:
        database.close()


def evaluate_again(settings: Settings) -> tuple[int, int]:
    """Evaluates what no rule set covered, each sale by itself: how many there were, and how many have earned now."""
    database = Database(settings.database_url)
    seen, earned, after = 0, 0, ""
    try:
        while True:
            with database.reading() as session:
                some = IntakeService(session).uncovered(after, _PIECE)
            if not some:
                return seen, earned
            for after in some:
                seen += 1
                with database.session.begin() as session:
                    try:
                        sale = IntakeService(session).evaluate_again(after, actor=COMMAND_LINE)
                    except Contradiction:  # corrected meanwhile
                        continue
                    earned += sale.outcome is Outcome.EARNED
    finally:
        database.close()


def close_fills(settings: Settings) -> int:
    """Closes the fills whose end was never told, each by itself; how many."""
    database = Database(settings.database_url)
    closed = 0
    try:
        while True:
            with database.reading() as session:
                overdue = FillService(session).overdue(_PIECE)
            if not overdue:
                return closed
            for fill in overdue:
                with database.session.begin() as session:
                    closed += FillService(session).close(fill).state is FillState.CLOSED
    finally:
        database.close()


def take_in_till_files(settings: Settings) -> int:
    """Takes in the till files that were sent over HTTP; how many. One that another process takes in is left to it."""
    database = Database(settings.database_url)
    taken: list[str] = []
    try:
        with database.reading() as session:
            waiting = TillFileService(session).waiting(_PIECE)
        for file in waiting:
            try:
                take_in_kept(database, file, settings.till_mappings)
            except Contradiction:
                continue
            taken.append(file)
    finally:
        database.close()
    return len(taken)


def count_station_days(settings: Settings) -> int:
    """Counts the days of stations of which something came since the last count; how many steps that took."""
    database = Database(settings.database_url)
    try:
        with database.reading() as session:
            since, newest = SeasonService(session).since(), SeasonService(session).newest()
        steps = 0
        last: tuple[str, date] | None = None
        while True:
            with database.session.begin() as session:
                seasons = SeasonService(session)
                last = seasons.count_after(since, last)
                if last is None:
                    seasons.finish(newest)
                    return steps
            steps += 1
    finally:
        database.close()


def clean_up(settings: Settings) -> int:
    """Forgets old idempotency keys, how many; and sessions, codes, attempts, files and events that nobody needs any more."""
    database = Database(settings.database_url)
    staff = Limits.of_seconds(settings.session_idle, settings.session_lifetime)
    customers = Limits.of_seconds(settings.customer_session_idle, settings.customer_session_lifetime)
    try:
        with database.session.begin() as session:
            SessionService(session, staff).clean_up()
            CustomerSessionService(session, customers).clean_up()
            AttemptService.clean_up(session)
            DeviceMessageService(session).clean_up()
            TillFileService(session).clean_up()
        _repeated(database, lambda session: FillService(session).clean_up(settings.progress_days))
        return _repeated(database, lambda session: IdempotencyService(session).clean_up(settings.idempotency_days))
    finally:
        database.close()


def _repeated(database: Database, step: Callable[[Session], int]) -> int:
    """Takes a step, each in a transaction of its own, until it finds nothing more to do; how much it has done."""
    total = 0
    while True:
        with database.session.begin() as session:
            done = step(session)
        total += done
        if not done:
            return total
