"""A process may die between any two steps of signing in or of joining: no code works twice, and no session is nobody's."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest
from sqlalchemy import func, select

from loyalty.customer_sessions.models import CustomerSession, SignInCode
from loyalty.customers.models import Customer
from loyalty.referrals.models import Referral
from tests.loyalty.customer_pages.test_invitations import code_of
from tests.loyalty.customer_pages.world import CHEN, SECRET, Browser, World, plan
from tests.loyalty.nightly import on_postgresql_by_day
from tests.loyalty.referrals.written import plain as referral_scheme

WANG = "+8613600136000"
PATIENCE = 120
pytestmark = on_postgresql_by_day
WHEN = pytest.mark.parametrize("when", ["before", "after"])


def die(browser: Browser, when: str, path: str, typed: str) -> None:
    """Sends a form of this browser to a process that is killed."""
    arguments = [browser.world.database.url, SECRET, when, browser.secret(), path, typed]
    command = [sys.executable, "-m", "tests.loyalty.customer_pages.dying_sign_in", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr


def counted(world: World) -> tuple[int, int, int, int]:
    """How many customers, sessions with a customer, codes and referrals there are."""
    with world.database.reading() as session:
        owners = session.scalars(select(CustomerSession.customer_id)).all()
        assert all(session.get(Customer, owner) is not None for owner in owners)
        customers, codes, referrals = (
            session.scalar(select(func.count()).select_from(one)) or 0 for one in (Customer, SignInCode, Referral)
        )
    return customers, len(owners), codes, referrals


@WHEN
def test_a_process_that_dies_when_a_code_is_asked_for(world: World, when: str) -> None:
    browser = world.browser()
    die(browser, when, "/my/sign-in", CHEN)
    assert counted(world) == (2, 0, 0 if when == "before" else 1, 0)
    assert browser.ask(CHEN).status_code == 303
    assert browser.enter(world.sent.code()).status_code == 303
    assert counted(world) == (2, 1, 0, 0)


@WHEN
def test_a_process_that_dies_when_a_code_is_typed(world: World, when: str) -> None:
    browser = world.browser()
    browser.ask(CHEN)
    code = world.sent.code()
    die(browser, when, "/my/sign-in/code", code)
    assert counted(world) == ((2, 0, 1, 0) if when == "before" else (2, 1, 0, 0))
    again = browser.enter(code)
    assert again.status_code == (303 if when == "before" else 422), "it is good once"
    assert counted(world) == (2, 1, 0, 0)
    if when == "after":
        browser.ask(CHEN)
        assert browser.enter(world.sent.code()).status_code == 303


@WHEN
def test_a_process_that_dies_when_a_newcomer_joins(world: World, when: str) -> None:
    plan(world, "referral-schemes", {"program": "FUEL", "scheme": referral_scheme()})
    link = f"/my/invitation/{code_of(world, CHEN)}"
    browser = world.browser()
    browser.post(link, {"phone": WANG})
    code = world.sent.code()
    die(browser, when, f"{link}/join", code)
    assert counted(world) == ((2, 0, 1, 0) if when == "before" else (3, 1, 0, 1))
    again = browser.post(f"{link}/join", {"code": code})
    assert again.status_code == (303 if when == "before" else 422)
    assert counted(world) == (3, 1, 0, 1)
    if when == "after":  # the customer is there: another code signs in
        browser.ask(WANG)
        assert browser.enter(world.sent.code()).status_code == 303
        assert counted(world) == (3, 2, 0, 1)
