"""What customers owe: who is given less for it, what a return of that brings back, and what a person writes off."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from loyalty.audit_log.models import AuditEntry
from loyalty.kit.database import Database
from loyalty.kit.errors import Refusal
from loyalty.network.debts import DebtService
from loyalty.network.issues import IssueGroup
from loyalty.network.models import Debt, SetOff, Wish, WishState
from loyalty.network.wishes import IssueWish, ReverseWish, WishService, refuse
from loyalty.staff.models import Role
from tests.loyalty.http_calls import api_on
from tests.loyalty.intake.shop import Shop, done, fuel, refused

MEMBER = "external:1"


def issued(session: Session, name: str, points: int, program: str = "FUEL") -> Wish:
    """Points that a customer has earned."""
    issues = IssueGroup(session)
    issues.add(IssueWish(reference=name, program=program, member=MEMBER, points=points))
    issues.write()
    return WishService(session).latest([name])[name]


def taken_back(session: Session, name: str, original: str, points: int) -> Wish:
    return WishService(session).wish(ReverseWish(reference=name, original=original, points=points))


def settle(wish: Wish) -> None:
    """As if the network had carried it out."""
    if wish.state is WishState.WAITING:
        wish.state = WishState.SETTLED


# ---------------------------------------------------------------- whatever happens in whatever order


@dataclass
class Till:
    """A customer whose points are here, in place of the network: it has as many as moved, and takes back what is there."""

    database: Database
    held: int = 0
    spent: int = 0
    awards: dict[str, int] = field(default_factory=dict)
    """What is left of each: what was decided, less what was taken back."""
    numbers: count[int] = field(default_factory=count)

    def award(self, points: int) -> None:
        name = f"sale:{next(self.numbers)}"
        with self.database.session.begin() as session:
            issued(session, name, points)
        self.awards[name] = points

    def take_back(self, number: int, part: int) -> None:
        if not self.awards:
            return
        name = sorted(self.awards)[number % len(self.awards)]
        points = self.awards[name] * part // 4
        if points:
            with self.database.session.begin() as session:
                taken_back(session, f"return:{next(self.numbers)}", name, points)
            self.awards[name] -= points

    def spend(self, points: int) -> None:
        points = min(points, self.held)
        self.held, self.spent = self.held - points, self.spent + points

    def give_up(self, number: int) -> None:
        """Gives up an award that the network refuses, or a debt."""
        with self.database.session.begin() as session:
            waiting = session.scalars(select(Wish).where(Wish.state == WishState.WAITING, Wish.original_id.is_(None)))
            for wish in [one for one in waiting if one.reference in self.awards][number % 2 :][:1]:
                refuse(wish, "member_frozen", "it may have no points")
                session.flush()
                if number % 3:
                    WishService(session).write_off(wish.id, actor="test", reason="a test")
                    del self.awards[wish.reference]
                else:
                    WishService(session).retry(wish.id, actor="test", reason="a test")
            for debt in session.scalars(select(Debt).where(Debt.owed > 0)).all()[number % 2 :][:1]:
                DebtService(session).write_off(debt.id, actor="test", reason="a test")

    def send(self) -> None:
        """What the sender does: first what is given, then what is taken back of what has settled."""
        with self.database.session.begin() as session:
            for wish in session.scalars(
                select(Wish).where(Wish.state == WishState.WAITING, Wish.original_id.is_(None))
            ):
                self.held += wish.moving
                settle(wish)
            for wish in session.scalars(select(Wish).where(Wish.state == WishState.WAITING).order_by(Wish.id)):
                if wish.moving > self.held:
                    DebtService(session).book(wish, self.held)
                self.held -= wish.moving
                settle(wish)

    def check(self) -> None:
        with self.database.reading() as session:
            debts = session.scalars(select(Debt)).all()
            paid: dict[str, int] = {}
            for one in session.scalars(select(SetOff)):
                paid[one.debt_id] = paid.get(one.debt_id, 0) + one.points - one.undone
        for debt in debts:
            assert debt.points == debt.owed + debt.written_off + paid.get(debt.id, 0)
        forgiven = sum(debt.written_off for debt in debts)
        assert self.held - sum(debt.owed for debt in debts) == sum(self.awards.values()) - self.spent + forgiven


STEPS = st.one_of(
    st.tuples(st.just("award"), st.integers(1, 60)),
    st.tuples(st.just("take_back"), st.integers(0, 9), st.integers(1, 4)),
    st.tuples(st.just("spend"), st.integers(1, 100)),
    st.tuples(st.just("give_up"), st.integers(0, 9)),
    st.tuples(st.just("send")),
)


@contextmanager
def copied(path: Path) -> Iterator[Database]:
    with TemporaryDirectory() as directory:
        copy = Path(directory) / "programme.db"
        shutil.copy(path, copy)
        database = Database(f"sqlite:///{copy}")
        yield database
        database.close()


@given(st.lists(STEPS, min_size=4, max_size=24))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_points_held_less_points_owed_are_always_what_was_earned_and_not_spent(
    programme_file: Path, steps: list[tuple[str, int]]
) -> None:
    with copied(programme_file) as database:
        till = Till(database)
        for name, *values in steps:
            getattr(till, name)(*values)
        till.send()
        till.send()
        till.check()


# ---------------------------------------------------------------- one after the other


def owing(session: Session, points: int, name: str = "old", program: str = "FUEL") -> Debt:
    """A debt of the customer."""
    settle(WishService(session).wish(IssueWish(reference=name, program=program, member=MEMBER, points=500)))
    return DebtService(session).book(taken_back(session, f"{name}:back", name, points), 0)


def test_a_return_of_what_paid_a_debt_takes_points_first_and_then_brings_the_debt_back(programme: Database) -> None:
    with programme.session.begin() as session:
        debt = owing(session, 120)
        sale = issued(session, "sale", 300)
        assert (sale.points, sale.moving, debt.owed) == (300, 180, 0)
        (paid,) = WishService(session).set_off_by(["sale"])["sale"]
        assert (paid.debt, paid.points, paid.reason["en"]) == (debt.id, 120, "what old:back took back")
        settle(sale)
        first = taken_back(session, "return:1", "sale", 100)
        assert (first.moving, first.set_off, debt.owed) == (100, 0, 0)
        second = taken_back(session, "return:2", "sale", 130)
        assert (second.moving, second.set_off, debt.owed) == (80, 50, 50)
        third = taken_back(session, "return:3", "sale", 70)
        assert (third.moving, third.state, debt.owed) == (0, WishState.SET_OFF, 120)
        with pytest.raises(Refusal, match="0 points left"):
            taken_back(session, "return:4", "sale", 1)
        assert WishService(session).set_off_by(["sale"]) == {}


def test_the_same_reversal_again_brings_no_debt_back_twice(programme: Database) -> None:
    with programme.session.begin() as session:
        debt = owing(session, 120)
        settle(issued(session, "sale", 150))
        first = taken_back(session, "return", "sale", 150)
        assert taken_back(session, "return", "sale", 150) is first
        assert (first.moving, debt.owed) == (30, 120)


def test_points_of_one_program_pay_no_debt_of_another_one(programme: Database) -> None:
    with programme.session.begin() as session:
        debt = owing(session, 120, program="COFFEE")
        assert issued(session, "sale", 300).set_off == 0
        assert issued(session, "cup", 20, "COFFEE").set_off == 20
        assert debt.owed == 100


def test_the_oldest_debt_is_paid_first_and_an_award_pays_several(programme: Database) -> None:
    with programme.session.begin() as session:
        debts = [owing(session, points, f"old:{points}") for points in (30, 50, 70)]
        assert issued(session, "sale", 90).moving == 0
        assert [one.owed for one in debts] == [0, 0, 60]
        taken_back(session, "return", "sale", 20)
        assert [one.owed for one in debts] == [0, 10, 70], "the latest comes back first"


def test_an_award_that_is_given_up_has_paid_nothing(programme: Database) -> None:
    with programme.session.begin() as session:
        debt = owing(session, 120)
        sale = issued(session, "sale", 300)
        refuse(sale, "member_frozen", "it may have no points")
        again = WishService(session).retry(sale.id, actor="test", reason="a try")
        assert (again.moving, again.set_off, debt.owed) == (180, 120, 0)
        refuse(again, "member_frozen", "it may have no points")
        WishService(session).write_off(again.id, actor="test", reason="it is closed")
        assert debt.owed == 120


# ---------------------------------------------------------------- over the API


@pytest.fixture
def shop(programme: Database) -> Shop:
    found = Shop(api_on(programme))
    found.open()
    return found


def test_a_debt_is_shown_and_the_next_sale_pays_it(shop: Shop) -> None:
    customer = shop.customer()
    debt = shop.in_debt(customer)
    (shown,) = shop.api.get("/v1/debts", customer=customer).json()["data"]
    assert (shown["id"], shown["customer"], shown["points"], shown["owed"]) == (debt, customer, 200, 200)
    assert shown["reason"] == {
        "en": "the return of sale 2 of 2026-07-07",
        "zh": "2026-07-07 第 2 号销售的退货",
    }
    sale = shop.sell(fuel(60), customer=customer)
    (award,) = [one for one in sale["awards"] if one["points"]]
    assert (award["points"], award["paid"]) == (300, [{"debt": debt, "points": 200, "reason": shown["reason"]}])
    wish = shop.wish(award["reference"])
    assert wish is not None
    assert (wish.moving, wish.set_off) == (100, 200)
    assert shop.api.get("/v1/debts", open=True).json()["data"] == []
    assert 'loyalty_points_owed{program="FUEL"}' not in shop.api.http.get("/metrics").text


def test_a_manager_writes_a_debt_off_once_with_a_reason(shop: Shop) -> None:
    debt = shop.in_debt(shop.customer())
    assert 'loyalty_points_owed{program="FUEL"} 200.0' in shop.api.http.get("/metrics").text
    path, reason = f"/v1/debts/{debt}/write-off", {"reason": "a regular"}
    assert shop.api.post(path, reason, Role.CASHIER).status_code == 403
    assert shop.api.post(path, {"reason": " "}).json()["code"] == "validation_failed"
    shown = done(shop.api.post(path, reason))
    assert (shown["owed"], shown["written_off"], shown["points"]) == (0, 200, 200)
    refused(shop.api.post(path, reason), 409, "nothing_owed")
    refused(shop.api.post("/v1/debts/dbt_x/write-off", reason), 404, "unknown_debt")
    with shop.api.database.reading() as session:
        (entry,) = session.scalars(select(AuditEntry).where(AuditEntry.subject == debt))
    assert (entry.action, entry.reason) == ("debt.written_off", "a regular")
    assert (entry.before, entry.after) == ({"owed": 200, "written_off": 0}, {"owed": 0, "written_off": 200})


def test_who_leaves_owes_nothing(shop: Shop) -> None:
    customer = shop.customer()
    shop.in_debt(customer)
    done(shop.api.post(f"/v1/customers/{customer}/erase", {"reason": "asked", "forfeit_points": True}))
    (shown,) = shop.api.get("/v1/debts", customer=customer).json()["data"]
    assert (shown["owed"], shown["written_off"]) == (0, 200)


def test_sales_at_once_pay_a_debt_once(shop: Shop) -> None:
    customer = shop.customer()
    debt = shop.in_debt(customer)
    sales = [shop.sale(fuel(20 + number), customer=customer) for number in range(4)]
    codes: list[int] = []
    threads = [threading.Thread(target=lambda one=one: codes.append(shop.send(one).status_code)) for one in sales]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [201] * 4
    with shop.api.database.reading() as session:
        assert session.get_one(Debt, debt).owed == 0
        assert session.scalar(select(func.sum(SetOff.points))) == 200
        moved = session.scalar(select(func.sum(Wish.points - Wish.set_off)).where(Wish.state == WishState.WAITING))
    assert moved == 5 * (20 + 21 + 22 + 23) - 200
