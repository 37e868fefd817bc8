"""Sales that are booked together are booked as if they had come one by one: the same awards, wishes, bonuses, tiers and budgets."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from loyalty.activity.models import CustomerDay
from loyalty.awards.models import BookedAward, BookedTakeBack, CarriedRemainder
from loyalty.bonuses.models import Bonus
from loyalty.budgets.models import BudgetUse
from loyalty.customers.models import Customer, IdentifierKind
from loyalty.customers.service import CustomerService, Shown
from loyalty.earning.rule_sets import write_rule_set
from loyalty.gifts.service import GiftPlanService
from loyalty.intake import service as intake
from loyalty.intake.documents import SentReturn, SentSale
from loyalty.intake.group import book
from loyalty.intake.service import IntakeService, Taken
from loyalty.kit.clock import ShiftedClock
from loyalty.kit.database import Database
from loyalty.kit.errors import Refusal
from loyalty.messages.models import Message
from loyalty.network.debts import DebtService
from loyalty.network.members import as_member
from loyalty.network.models import Debt, SetOff, Wish
from loyalty.network.wishes import IssueWish, ReverseWish, WishService
from loyalty.referrals.service import ReferralSchemeService, ReferralService
from loyalty.rule_sets.service import RuleSetService
from loyalty.sales.models import Document, RecordedReturn, RecordedSale
from loyalty.sales.types import Line, ReturnedLine, Weather
from loyalty.stations.service import StationService
from loyalty.tasks.service import TaskPlanService
from loyalty.tiers.models import TierMove
from loyalty.tiers.service import TierSchemeService
from tests.loyalty.clock import show
from tests.loyalty.earning.programmes import rule, rule_set
from tests.loyalty.gifts.test_gifts import plain as gifts
from tests.loyalty.referrals.written import plain as referrals
from tests.loyalty.tasks.written import BREADTH, FORTY_LITRES, HUNDRED_LITRES, THREE_DAYS
from tests.loyalty.tiers.schemes import plain as tiers
from tests.support.nightly import by_day

NOW = datetime(2026, 7, 20, 4, tzinfo=UTC)
FIRST = date(2026, 6, 28)
CARDS = [f"CARD{number}" for number in range(4)]
"""The first two are newcomers whom the last one has brought; nobody has the card of the last but one any more."""
RULES = rule_set(
    rule("litre", {"kind": "per_litre", "points": 5}, condition="line.category == 'fuel'", cap=300),
    rule(
        "yuan",
        {"kind": "per_yuan", "points": 1, "per": 7},
        carry=True,
        budget={"points_per_month": 60, "points_in_all": 90, "when_spent": "pay_part"},
    ),
    rule("welcome", {"kind": "fixed", "points": 50}, condition="customer.first_purchase"),
    rule("third", {"kind": "fixed", "points": 7}, condition="customer.sales_this_month == 2"),
    rule(
        "silver",
        {"kind": "fixed", "points": 9},
        condition="customer.tier == 'silver'",
        budget={"points_per_month": 20, "when_spent": "stop"},
    ),
    rule("tier", {"kind": "tier"}),
)


def owing(session: Session, customer: str, points: int) -> None:
    """Has a customer owe points."""
    wishes, names = WishService(session), (f"old:{customer}", f"back:{customer}")
    wishes.wish(IssueWish(reference=names[0], program="FUEL", member=as_member(customer), points=points))
    DebtService(session).book(wishes.wish(ReverseWish(reference=names[1], original=names[0], points=points)), 0)


def publish(service: Any, plan: dict[str, Any] | str, **more: Any) -> None:
    content = plan if isinstance(plan, str) else json.dumps(plan)
    service.publish(service.keep(content, actor="test", **more).id, actor="test", reason="a test")


def prepare(database: Database) -> None:
    """A programme that has everything: limits that are soon reached, tiers, tasks, referrals and gifts."""
    with database.session.begin() as session:
        for station in ("S17", "S18"):
            StationService(session).keep(station, name=station, region="north", time_zone="Asia/Shanghai", actor="test")
        publish(RuleSetService(session), write_rule_set(RULES), program="FUEL")
        publish(TierSchemeService(session), tiers())
        limited = HUNDRED_LITRES | {"budget": {"points_in_all": 30}, "tiers": ["bronze", "silver"]}
        for task in (THREE_DAYS, FORTY_LITRES, BREADTH, limited):
            publish(TaskPlanService(session), task, program="FUEL")
        publish(ReferralSchemeService(session), referrals(most_per_month=1), program="FUEL")
        gift = gifts(joining={"points": 20, "after": "first_sale"}, profile={"points": 5, "needs": ["card"]})
        publish(GiftPlanService(session), gift, program="FUEL")
        people = [
            CustomerService(session).add([Shown(IdentifierKind.CARD, card)], None, actor="test") for card in CARDS
        ]
        code = ReferralService(session).code_of(people[-1]).code
        for newcomer in people[:2]:
            ReferralService(session).register(newcomer, code, actor="test")
        for person, points in ((people[0], 130), (people[-1], 10)):
            owing(session, person.id, points)
        CustomerService(session).erase(people[-2].id, actor="test", reason="a test")


@contextmanager
def opened(path: Path) -> Iterator[Database]:
    """A copy of a prepared database, on a day in July."""
    clock = ShiftedClock()
    show(clock, NOW)
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory) / "programme.db"
        shutil.copy(path, copy)
        database = Database(f"sqlite:///{copy}", clock)
        yield database
        database.close()


@pytest.fixture(scope="module")
def prepared(programme_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with all that, and no sales."""
    path = tmp_path_factory.mktemp("prepared") / "programme.db"
    shutil.copy(programme_file, path)
    clock = ShiftedClock()
    show(clock, NOW)
    database = Database(f"sqlite:///{path}", clock)
    prepare(database)
    database.close()  # which brings all of it into the one file
    return path


# ---------------------------------------------------------------- what is sent


def sale(number: int, card: str | None = None, litres: int = 10, fen: int = 0, **more: Any) -> SentSale:
    """A sale as a till sends it."""
    day, category = more.pop("day", FIRST), more.pop("category", "snack")
    lines = [Line(1, "95", "fuel", litres * 1_000, "l", litres * 8_000_000)]
    if fen:
        lines.append(Line(2, category, category, 1_000, "piece", fen * 10_000))
    station = more.pop("station", "S17")
    return SentSale(
        document=Document(station, day, "1", str(number)),
        time=datetime(day.year, day.month, day.day, 4, tzinfo=UTC),
        lines=tuple(lines),
        weather=Weather(),
        shown=None if card is None else Shown(IdentifierKind.CARD, card),
        **more,
    )


def given_back(number: int, sold: SentSale, parts: int) -> SentReturn:
    """A return of some quarters of the first line of a sale."""
    first = sold.lines[0]
    line = ReturnedLine(1, first.quantity_milli * parts // 4, first.amount_micros * parts // 4)
    return SentReturn(replace_number(sold.document, f"R{number}"), sold.document, (line,))


def replace_number(document: Document, number: str) -> Document:
    return document._replace(number=number)


@st.composite
def documents(draw: st.DrawFn) -> list[SentSale | SentReturn]:
    """Sales of few customers on few days; some come again, some come back, before or after, and some are wrong."""
    sales = [
        sale(
            number,
            draw(st.sampled_from([*CARDS, *CARDS[:2], "9999", "x", None])),
            draw(st.sampled_from([5, 40, 60])),
            draw(st.sampled_from([0, 350, 1_250, 60_000])),
            category=draw(st.sampled_from(["snack", "oil"])),
            day=FIRST + timedelta(draw(st.integers(0, 5))),
            station=draw(st.sampled_from(["S17", "S17", "S18", "NOWHERE"])),
        )
        for number in range(draw(st.integers(1, 8)))
    ]
    found: list[SentSale | SentReturn] = list(sales)
    for number in range(draw(st.integers(0, 3))):
        sold = draw(st.sampled_from(sales))
        found.append(given_back(number, sold, draw(st.sampled_from([1, 2, 4, 5]))))
    for one in draw(st.lists(st.sampled_from(sales), max_size=2)):
        found.append(one)
        if draw(st.booleans()):
            found.append(replace(one, weather=Weather(rain=True)))
    return draw(st.permutations(found))


def one_by_one(database: Database, sent: Sequence[SentSale | SentReturn]) -> list[Taken]:
    """Each document in a transaction of its own."""
    taken: list[Taken] = []
    for one in sent:
        try:
            with database.session.begin() as session:
                service = IntakeService(session)
                taken.append(service.take_sale(one) if isinstance(one, SentSale) else service.take_return(one))
        except Refusal as refusal:
            taken.append(refusal)
    return taken


def together(database: Database, sent: Sequence[SentSale | SentReturn]) -> list[Taken]:
    """All documents in one transaction."""
    with database.session.begin() as session:
        return IntakeService(session).take_all(sent)


# ---------------------------------------------------------------- what it came to


def told(taken: Taken) -> object:
    """An outcome without ids."""
    if isinstance(taken, Refusal):
        return type(taken).__name__, taken.code, taken.detail, taken.pointer
    return type(taken).__name__, taken.business_day, taken.till, taken.number


def state(database: Database) -> dict[str, Any]:
    """All that sales change, without ids that are made anew."""
    with database.reading() as session:
        rows = {
            table: session.scalars(select(table).order_by(*table.__table__.primary_key)).all()
            for table in (
                *(RecordedSale, RecordedReturn, BookedAward, BookedTakeBack, CarriedRemainder),
                *(Bonus, TierMove, CustomerDay, BudgetUse, Customer, Wish, Message, Debt, SetOff),
            )
        }
    ids = {row.id: document(row) for row in (*rows[RecordedSale], *rows[RecordedReturn])}
    ids |= {row.id: f"{ids[row.sale_id]} {row.rule}" for row in rows[BookedAward]}
    ids |= {row.id: f"{row.customer_id} {row.cause} {row.key}" for row in rows[Bonus]}
    references = {row.reference: f"bonus {ids[row.id]}" for row in rows[Bonus]}
    references |= {row.revoked_by: f"revoked {ids[row.id]}" for row in rows[Bonus] if row.revoked_by}
    ids |= {row.id: references.get(row.reference, row.reference) for row in rows[Wish]}
    ids |= {f"bonus:{row.id}": references[row.reference] for row in rows[Bonus]}
    ids |= {f"tier:{row.id}": f"tier {row.to_tier}" for row in rows[TierMove]}
    made = {
        "id",
        "place",
        "received_at",
        "created_at",
        "moved_at",
        "settled_at",
        "revoked_at",
        "order_id",
        "due_at",
        "ended_at",
    }

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: plain(one) for name, one in value.items()}
        return ids.get(value, references.get(value, value)) if isinstance(value, str) else value

    def content(row: Any) -> str:
        columns = [column.key for column in row.__table__.columns if column.key not in made]
        return json.dumps({name: plain(getattr(row, name)) for name in columns}, default=str, sort_keys=True)

    return {
        table.__tablename__: (list if table is TierMove else sorted)(map(content, found))
        for table, found in rows.items()
    }


def document(row: Any) -> str:
    return f"{type(row).__name__} {row.station_id} {row.business_day} {row.till} {row.number}"


# ---------------------------------------------------------------- the tests


@given(documents(), st.data())
@settings(max_examples=by_day(12, at_night=300), deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_documents_that_are_split_in_any_way_come_to_the_same(
    prepared: Path, sent: list[SentSale | SentReturn], data: st.DataObject
) -> None:
    with opened(prepared) as apart, opened(prepared) as joint:
        wanted = [told(one) for one in one_by_one(apart, sent)]
        found = []
        rest = sent
        while rest:
            size = data.draw(st.integers(1, len(rest)))
            found += [told(one) for one in together(joint, rest[:size])]
            rest = rest[size:]
        assert found == wanted
        assert state(joint) == state(apart)


@pytest.fixture
def database(programme: Database, shifted: ShiftedClock) -> Database:
    """The prepared programme on each kind of database."""
    show(shifted, NOW)
    prepare(programme)
    return programme


WEEK: list[SentSale | SentReturn] = [
    sale(at, CARDS[at % 2], 20 + at, 700 * at, day=FIRST + timedelta(at // 4)) for at in range(16)
]
"""Sales of two customers, which reach tiers, tasks and the ends of budgets."""


def test_a_group_comes_to_the_same_on_each_database(database: Database, prepared: Path) -> None:
    sent = [*WEEK[:3], given_back(1, sale(9, CARDS[1], 29, 6_300, day=FIRST + timedelta(2)), 2), *WEEK[3:]]
    with opened(prepared) as apart:
        wanted = [told(one) for one in one_by_one(apart, sent)]
        assert [told(one) for one in together(database, sent)] == wanted
        assert numbers(state(database)) == numbers(state(apart))


def numbers(found: dict[str, Any]) -> dict[str, list[Any]]:
    """Points and counts, whoever the customers are: their ids are those of each database."""
    names = (
        "points",
        "visits",
        "litres_milli",
        "tier",
        "to_tier",
        "key",
        "value",
        "rule",
        "outcome",
        "kind",
        "set_off",
        "owed",
    )
    told = {
        table: sorted(str({name: row[name] for name in names if name in row}) for row in map(json.loads, rows))
        for table, rows in found.items()
    }
    told["bonuses"] = [row for row in told["bonuses"] if "ref_" not in row]
    return told


def test_a_refusal_touches_no_other_sale(database: Database) -> None:
    bad = [sale(20, "x"), sale(21, CARDS[0], station="NOWHERE"), replace(sale(22), customer="cus_x")]
    twice = replace(sale(1, CARDS[1]), weather=Weather(rain=True))
    taken = together(database, [bad[0], sale(1, CARDS[0]), bad[1], twice, bad[2], sale(2, CARDS[1]), sale(1, CARDS[0])])
    codes = [one.code if isinstance(one, Refusal) else "booked" for one in taken]
    assert codes == [
        *("bad_identifier", "booked", "unknown_station", "document_differs", "unknown_customer", "booked", "booked")
    ]
    assert taken[1] is taken[6]


def test_a_group_that_fails_is_booked_one_by_one(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    groups: list[int] = []

    def fail(session: Any, new: Sequence[RecordedSale], visits: Any) -> None:
        groups.append(len(new))
        book(session, new, visits)
        if len(new) > 1 or new[0].number == "2":
            raise RuntimeError("it cannot be")

    monkeypatch.setattr(intake, "book", fail)
    taken = together(database, [sale(number, CARDS[0]) for number in range(4)])
    assert groups == [4, 1, 1, 1, 1]
    assert [one.code if isinstance(one, Refusal) else one.number for one in taken] == ["0", "1", "not_booked", "3"]
    monkeypatch.undo()
    with database.reading() as session:
        assert sorted(session.scalars(select(RecordedSale.number))) == ["0", "1", "3"]
    (again,) = together(database, [sale(2, CARDS[0])])
    assert isinstance(again, RecordedSale)


def test_a_large_group_takes_no_more_statements_than_a_small_one(database: Database) -> None:
    def statements(sent: Sequence[SentSale]) -> int:
        seen: list[str] = []

        def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            seen.append(statement)

        event.listen(database.engine, "before_cursor_execute", note)
        together(database, sent)
        event.remove(database.engine, "before_cursor_execute", note)
        return len(seen)

    together(database, [sale(number, card, 1) for number, card in enumerate(CARDS)])
    days = [FIRST + timedelta(at % 5) for at in range(60)]
    few = statements([sale(100 + at, CARDS[at % 4], 1, day=days[at]) for at in range(10)])
    many = statements([sale(200 + at, CARDS[at % 4], 1, day=days[at]) for at in range(60)])
    assert many <= few + 5 < 60
