"""Daily totals over HTTP: what each side sees of a trade, partners, the position day by day, and points in circulation."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.orm import Session

from clearing.ledger.activity.recorder import ActivityRecorder
from clearing.ledger.activity.repository import ActivityRepository
from clearing.ledger.activity.totals import totals_of
from clearing.ledger.journal.service import JournalService
from clearing.ledger.settlement.repository import PositionRepository
from clearing.parties.agreements.directory import agreements_in
from tests.gateway.site import Party, Site
from tongdui.encoding import ZERO_WORD
from tongdui.orders import Kind
from tongdui.receipts import Entry


class Trade:
    """FUEL's and CINE's trade over three days, as the projector would have written it."""

    def __init__(self, site: Site, fuel: Party, cine: Party, agreement: str) -> None:
        self.site, self.fuel, self.cine = site, fuel, cine
        self.network = site.app.state.gateway.network
        self.today = self.network.day_at(site.clock.unix())
        self.agreement = site.get(f"/v1/agreements/{agreement}")["number"]
        programs = {program["code"]: program["number"] for program in site.get("/v1/programs")["data"]}
        self.program = programs["FUEL"]

    def date(self, ago: int) -> str:
        """A day as the API writes it."""
        return str(self.network.date_of(self.today - ago))

    def run(self) -> None:
        with self.site.database.session.begin() as session:
            issue = self._entry(Kind.ISSUE, points=1_000)
            exchange = self._entry(
                Kind.EXCHANGE, points=100, out=90, settled=900_000, fee=4_500, agreement=self.agreement
            )
            self._post(session, [issue], ago=2)
            self._post(session, [exchange, self._entry(Kind.REDEEM, points=40)], ago=1)
            back = self._entry(
                Kind.REVERSE, points=10, out=9, settled=90_000, fee=450, agreement=self.agreement, link=exchange.leaf()
            )
            self._post(session, [exchange, exchange, back], ago=0, originals={exchange.leaf(): exchange})
            self._bank(session, self.fuel.number, 5_000_000, ago=1)

    def _entry(self, kind: Kind, **fields: Any) -> Entry:
        plain = {"merchant": self.fuel.number, "nonce": 0, "item": 0, "expiry_day": 0, "agreement": 0, "out": 0}
        plain |= {"settled": 0, "fee": 0, "ref": ZERO_WORD, "link": ZERO_WORD, "program": self.program}
        return Entry(batch=1, index=0, kind=kind, member="0x" + "ab" * 20, **{**plain, **fields})

    def _post(
        self, session: Session, entries: list[Entry], ago: int, originals: dict[bytes, Entry] | None = None
    ) -> None:
        ActivityRecorder(session).add(entries, self.today - ago, originals or {})
        effects = JournalService(session).effects_of(entries, self.today - ago, originals or {})
        PositionRepository(session).shift({merchant: (micros, 0) for merchant, micros in effects.micros.items()})

    def _bank(self, session: Session, merchant: int, micros: int, ago: int) -> None:
        arguments = {"merchant": merchant, "micros": micros}
        ActivityRecorder(session).add_bank_event("Deposited", arguments, self.today - ago)
        PositionRepository(session).shift({merchant: (micros, 0)})


@pytest.fixture(scope="module")
def trade(site: Site, fuel: Party, cine: Party, exchange_agreement: str) -> Trade:
    made = Trade(site, fuel, cine, exchange_agreement)
    made.run()
    return made


def _told(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    names = ("day", "program", "kind", "of", "direction", "count", "points", "micros", "fee_micros")
    return [tuple(row[name] for name in names) for row in rows]


def test_each_side_sees_its_own_side_of_a_day(trade: Trade, fuel: Party, cine: Party) -> None:
    today = f"from={trade.date(0)}&to={trade.date(0)}"
    assert _told(fuel.get(f"/v1/activity?{today}")["data"]) == [
        (trade.date(0), "FUEL", "reverse", "exchange", "in", 1, 10, 90_000, 450),
        (trade.date(0), "FUEL", "exchange", None, "out", 2, 200, 1_800_000, 9_000),
    ]
    assert _told(cine.get(f"/v1/activity?{today}")["data"]) == [
        (trade.date(0), "CINE", "reverse", "exchange", "out", 1, 9, 90_000, 450),
        (trade.date(0), "CINE", "exchange", None, "in", 2, 180, 1_800_000, 0),
    ]


def test_days_are_paged_newest_first_and_filtered(trade: Trade, site: Site, fuel: Party, cine: Party) -> None:
    whole = fuel.get("/v1/activity")["data"]
    assert [row["day"] for row in whole] == sorted((row["day"] for row in whole), reverse=True)
    assert (trade.date(1), None, "deposit", None, "in", 1, 0, 5_000_000, 0) in _told(whole)
    paged, cursor = [], ""
    while cursor is not None:
        page = fuel.get(f"/v1/activity?limit=2{cursor}")
        paged += page["data"]
        cursor = f"&cursor={page['next_cursor']}" if page["next_cursor"] else None
    assert paged == whole
    with_cine = fuel.get(f"/v1/activity?counterparty={cine.id}")["data"]
    assert {row["counterparty"] for row in with_cine} == {cine.id}
    assert {row["kind"] for row in with_cine} == {"exchange", "reverse"}
    assert fuel.get("/v1/activity?program=CINE")["data"] == []
    assert {row["program"] for row in fuel.get("/v1/activity?program=FUEL")["data"]} == {"FUEL"}
    assert site.get(f"/v1/activity?merchant={fuel.id}", caller="auditor")["data"] == whole
    fees = site.get("/v1/activity")["data"]
    assert [(row["day"], row["count"], row["fee_micros"]) for row in fees] == [
        (trade.date(0), 2, 9_000),
        (trade.date(1), 1, 4_500),
    ], "the operator's own"


def test_partners_show_who_owed_whom(trade: Trade, fuel: Party, cine: Party) -> None:
    (partner,) = fuel.get("/v1/partners")["data"]
    assert (partner["merchant"], partner["name"]) == (cine.id, "Cinema")
    assert partner["today"] == {
        "received_micros": 90_450,
        "paid_micros": 1_800_000,
        "net_micros": -1_709_550,
        "fee_micros": 9_000,
    }
    assert (partner["since"]["paid_micros"], partner["since"]["fee_micros"]) == (2_700_000, 13_500)
    (other,) = cine.get(f"/v1/partners?since={trade.date(0)}")["data"]
    assert other["since"] == other["today"]
    assert (other["since"]["received_micros"], other["since"]["paid_micros"]) == (1_800_000, 90_450)


def test_the_position_of_each_day_is_exact(trade: Trade, site: Site, fuel: Party) -> None:
    now = fuel.get(f"/v1/positions/{fuel.id}")["position_micros"]
    days = fuel.get(f"/v1/positions/{fuel.id}/history?days=4")["days"]
    assert [day["day"] for day in days] == [trade.date(ago) for ago in (3, 2, 1, 0)]
    assert [day["change_micros"] for day in days] == [0, 0, 5_000_000 - 904_500, 90_450 - 1_809_000]
    assert [day["position_micros"] for day in days] == [
        0,
        0,
        4_095_500,
        now,
    ]
    assert now == 4_095_500 + 90_450 - 1_809_000
    assert len(site.get(f"/v1/positions/{fuel.id}/history", caller="treasury")["days"]) == 30


def test_circulation_adds_up(trade: Trade, fuel: Party, cine: Party) -> None:
    seen = cine.get("/v1/programs/FUEL/circulation")
    assert (seen["issued"], seen["redeemed"], seen["exchanged_out"], seen["given_back"]) == (1_000, 40, 300, 10)
    assert seen["in_circulation"] == 1_000 - 40 - 300 + 10
    gained = fuel.get("/v1/programs/CINE/circulation")
    assert (gained["exchanged_in"], gained["taken_back"], gained["in_circulation"]) == (270, 9, 261)


def test_what_is_taken_back_leaves_no_row(trade: Trade, site: Site) -> None:
    with site.database.session() as session:
        entries = [trade._entry(Kind.ISSUE, points=7), trade._entry(Kind.EXPIRE, points=7)]
        recorder, repository = ActivityRecorder(session), ActivityRepository(session)
        before = repository.all_ever()
        recorder.add(entries, trade.today + 5, {})
        recorder.take_back(entries, trade.today + 5, {})
        assert repository.all_ever() == before
        assert not [key for key in repository.added_up() if key.day == trade.today + 5]
        routes = agreements_in(session).routes([trade.agreement])
        empty = totals_of([], trade.today, routes=routes, owners={}, originals={})
        assert empty == {}


@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        ("/v1/activity?from=yesterday", "from"),
        ("/v1/activity?counterparty=CINE", "counterparty"),
        ("/v1/activity?cursor=1_2", "cursor"),
        ("/v1/partners?since=2020-01-01", "since"),
        ("/v1/positions/{id}/history?days=0", "days"),
        ("/v1/positions/{id}/history?days=93", "days"),
    ],
)
def test_a_wrong_parameter_is_named(site: Site, fuel: Party, path: str, parameter: str) -> None:
    response = site.call("GET", path.format(id=fuel.id), caller=fuel.id)
    assert response.status_code == 422, response.text
    assert [error["parameter"] for error in response.json()["errors"]] == [parameter]
