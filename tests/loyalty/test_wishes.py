"""What may be wished for, and what a person may decide about a refused wish."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from loyalty.audit_log.models import AuditEntry
from loyalty.kit.clock import ShiftedClock
from loyalty.kit.database import Database
from loyalty.kit.errors import Refusal
from loyalty.kit.metrics import Metrics
from loyalty.network.differences import DifferenceService
from loyalty.network.gauges import read_gauges
from loyalty.network.models import Wish, WishState
from loyalty.network.wishes import IssueWish, ReverseWish, WishService, refuse
from tests.loyalty.http_calls import Api, api_on

SALE = IssueWish(reference="sale:1", program="FUEL", member="external:1", points=100)


def wished(database: Database, *wanted: IssueWish | ReverseWish) -> Wish:
    """Writes wishes; returns the last one."""
    with database.session.begin() as session:
        return [WishService(session).wish(one) for one in wanted][-1]


def turned(database: Database, wish: Wish, state: WishState) -> None:
    """Brings a wish into a state, as the sender would."""
    with database.session.begin() as session:
        found = session.get_one(Wish, wish.id)
        found.state = state
        if state is WishState.REFUSED:
            refuse(found, "member_frozen", "the member is frozen")


def all_wishes(database: Database) -> Sequence[Wish]:
    with database.reading() as session:
        return session.scalars(select(Wish).order_by(Wish.id)).all()


def code_of(database: Database, wanted: IssueWish | ReverseWish) -> str:
    with pytest.raises(Refusal) as refusal:
        wished(database, wanted)
    return refusal.value.code


def test_the_same_wish_again_is_the_first_one(programme: Database) -> None:
    assert wished(programme, SALE).id == wished(programme, SALE).id
    assert code_of(programme, IssueWish(reference="sale:1", program="FUEL", member="external:1", points=99)) == (
        "duplicate_reference"
    )


def test_a_wish_is_undone_with_its_transaction(programme: Database) -> None:
    with programme.session() as session:
        WishService(session).wish(SALE)
        session.rollback()
    assert all_wishes(programme) == []


def test_twenty_at_once_are_one_wish(programme: Database) -> None:
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(wished(programme, SALE).id)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 20
    assert len(set(found)) == 1


@pytest.mark.parametrize("programme_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"points": 0}, "bad_points"),
        ({"points": 2**53}, "bad_points"),
        ({"points": 1.0}, "bad_points"),
        ({"points": True}, "bad_points"),
        ({"reference": ""}, "bad_reference"),
        ({"reference": "x" * 141}, "bad_reference"),
        ({"reference": "a\nb"}, "bad_reference"),
        ({"member": "FC-1"}, "bad_member"),
        ({"facts": {"litres": 1.5}}, "bad_facts"),
        ({"facts": {"deep": [{"litres": 1.5}]}}, "bad_facts"),
        ({"facts": {"long": "x" * 8_000}}, "bad_facts"),
    ],
)
def test_what_cannot_be_meant_is_refused_where_it_is_written(programme: Database, wrong: Any, code: str) -> None:
    given = {"reference": "r", "program": "FUEL", "member": "external:1", "points": 1, **wrong}
    assert code_of(programme, IssueWish(**given)) == code


def test_reversals_take_back_no_more_than_there_is(programme: Database) -> None:
    wished(programme, SALE, ReverseWish(reference="back:1", original="sale:1", points=60))
    assert code_of(programme, ReverseWish(reference="back:2", original="sale:1", points=41)) == "over_reversal"
    wished(programme, ReverseWish(reference="back:2", original="sale:1", points=40))
    assert code_of(programme, ReverseWish(reference="back:3", original="sale:1", points=1)) == "over_reversal"
    assert code_of(programme, ReverseWish(reference="back:3", original="back:1", points=1)) == "not_reversible"
    assert code_of(programme, ReverseWish(reference="back:3", original="sale:9", points=1)) == "unknown_wish"


def test_reversals_at_once_take_back_no_more_than_there_is(programme: Database) -> None:
    wished(programme, SALE)
    codes: list[str] = []

    def take_back(number: int) -> None:
        try:
            wished(programme, ReverseWish(reference=f"back:{number}", original="sale:1", points=30))
            codes.append("written")
        except Refusal as refusal:
            codes.append(refusal.code)

    threads = [threading.Thread(target=take_back, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == ["over_reversal"] * 5 + ["written"] * 3


def test_a_reversal_that_was_refused_takes_nothing_from_what_is_left(programme: Database) -> None:
    reversal = wished(programme, SALE, ReverseWish(reference="back:1", original="sale:1", points=60))
    turned(programme, reversal, WishState.REFUSED)
    wished(programme, ReverseWish(reference="back:2", original="sale:1", points=100))
    with pytest.raises(Refusal, match="0 points left"), programme.session.begin() as session:
        WishService(session).retry(reversal.id, actor="test", reason="a try")


# ---------------------------------------------------------------- decisions


@pytest.fixture
def api(programme: Database) -> Api:
    return api_on(programme)


REASON = {"reason": "the card has a new number"}


def test_a_retry_has_a_reference_of_its_own_and_reversals_follow_it(api: Api) -> None:
    programme = api.database
    wish = wished(programme, SALE)
    reversal = wished(programme, ReverseWish(reference="back:1", original="sale:1", points=60))
    turned(programme, wish, WishState.REFUSED)
    (shown,) = api.get("/v1/wishes", state="refused").json()["data"]
    assert (shown["id"], shown["refusal"], shown["points"]) == (wish.id, "member_frozen", 100)
    answer = api.post(f"/v1/wishes/{wish.id}/retry", REASON)
    assert answer.status_code == 201
    retry = answer.json()
    assert (retry["reference"], retry["retry_of"], retry["state"]) == ("sale:1~2", wish.id, "waiting")
    assert api.get(f"/v1/wishes/{wish.id}").json()["state"] == "retried"
    assert api.get(f"/v1/wishes/{reversal.id}").json()["original"] == retry["id"]
    later = wished(programme, ReverseWish(reference="back:2", original="sale:1", points=40))
    assert later.original_id == retry["id"]
    turned(programme, session_wish(programme, retry["id"]), WishState.REFUSED)
    assert api.post(f"/v1/wishes/{retry['id']}/retry", REASON).json()["reference"] == "sale:1~3"


def session_wish(database: Database, wish: str) -> Wish:
    with database.reading() as session:
        return session.get_one(Wish, wish)


def test_what_is_written_off_takes_its_reversals_along(api: Api) -> None:
    programme = api.database
    wish = wished(programme, SALE)
    reversal = wished(programme, ReverseWish(reference="back:1", original="sale:1", points=60))
    turned(programme, wish, WishState.REFUSED)
    assert api.post(f"/v1/wishes/{wish.id}/write-off", REASON).json()["state"] == "written_off"
    shown = api.get(f"/v1/wishes/{reversal.id}").json()
    assert (shown["state"], shown["refusal"]) == ("refused", "original_written_off")
    assert code_of(programme, ReverseWish(reference="back:2", original="sale:1", points=1)) == "original_written_off"


def test_a_decision_is_made_once_about_what_was_refused_and_is_audited(api: Api) -> None:
    wish = wished(api.database, SALE)
    assert api.post(f"/v1/wishes/{wish.id}/retry", REASON).json()["code"] == "not_refused"
    turned(api.database, wish, WishState.REFUSED)
    assert api.post(f"/v1/wishes/{wish.id}/retry", {"reason": " "}).json()["code"] == "validation_failed"
    first = api.post(f"/v1/wishes/{wish.id}/retry", REASON, key="same")
    again = api.post(f"/v1/wishes/{wish.id}/retry", REASON, key="same")
    assert first.json() == again.json()
    assert api.post(f"/v1/wishes/{wish.id}/write-off", REASON).json()["code"] == "not_refused"
    assert api.post("/v1/wishes/wsh_x/retry", REASON).json()["code"] == "unknown_wish"
    assert len(all_wishes(api.database)) == 2
    with api.database.reading() as session:
        (entry,) = session.scalars(select(AuditEntry).where(AuditEntry.subject == wish.id))
    assert (entry.action, entry.reason) == ("wish.retried", REASON["reason"])
    assert entry.before == {"state": "refused", "refusal": "member_frozen"}
    assert entry.after == {"state": "retried", "retried_as": first.json()["id"]}


def test_a_difference_is_shown_until_somebody_closes_it(api: Api) -> None:
    with api.database.session.begin() as session:
        assert DifferenceService(session).note("points_differ", "wsh_x", "sale:1", {"points": 1}, {"points": 2})
    with api.database.session.begin() as session:
        assert not DifferenceService(session).note("points_differ", "wsh_x", "sale:1", {"points": 1}, {"points": 2})
    (found,) = api.get("/v1/differences", open=True).json()["data"]
    assert (found["code"], found["here"], found["there"]) == ("points_differ", {"points": 1}, {"points": 2})
    assert api.post(f"/v1/differences/{found['id']}/close", REASON).json()["closed_at"]
    assert api.post(f"/v1/differences/{found['id']}/close", REASON).status_code == 200
    assert api.get("/v1/differences", open=True).json()["data"] == []
    assert len(api.get("/v1/differences", open=False).json()["data"]) == 1
    assert api.post("/v1/differences/dif_x/close", REASON).json()["code"] == "unknown_difference"
    actions = [entry["action"] for entry in api.get("/v1/audit-log", subject=found["id"]).json()["data"]]
    assert actions == ["difference.closed"]


def test_a_check_that_never_ran_is_as_old_as_the_first_wish(programme: Database, shifted: ShiftedClock) -> None:
    def seconds() -> float | None:
        metrics = Metrics()
        with programme.reading() as session:
            read_gauges(session, metrics)
        return metrics.registry.get_sample_value("loyalty_check_seconds")

    assert seconds() == 0  # there is nothing to compare
    wished(programme, SALE)
    shifted.ahead += timedelta(days=2)
    assert (seconds() or 0) >= timedelta(days=2).total_seconds()
