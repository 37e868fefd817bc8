"""`Prefer: wait`: one loop a process answers all requests that wait, woken by whoever decides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from sqlalchemy import select, text

from clearing.kit.wakeups.channels import Channel, notify
from clearing.ordering.orders.models import Order, OrderState
from gateway.http import waiting
from tests.gateway.site import Party, Site, until
from tests.kit.test_wakeups import end_listeners

_WAIT = {"Prefer": "wait=30"}
Ask = Callable[[], httpx.Response]


@pytest.fixture
def woken_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a wake-up nobody looks twice."""
    monkeypatch.setattr(waiting, "_SLOWEST", 3_600.0)


def _issuance(site: Site, party: Party, points: int) -> Ask:
    body = {"program": party.program, "member": party.member(), "points": points}
    return lambda: site.call("POST", "/v1/issuances", body, caller=party.id, headers=_WAIT)


def _order(site: Site, party: Party, points: int, *, prefer: str) -> Ask:
    instruction = {"kind": "issue", "program": party.program, "member": party.member(), "points": points}
    body = {"instructions": [instruction]}
    return lambda: site.call("POST", "/v1/orders", body, caller=party.id, headers={"Prefer": prefer})


def _decide(site: Site, *channels: Channel) -> None:
    """Rejects every order in one transaction, as a block may."""
    with site.database.session.begin() as session:
        for order in session.scalars(select(Order)):
            order.state, order.reason = OrderState.REJECTED, "network_paused"
        for channel in channels:
            notify(session, channel)


def _answers(site: Site, asks: Sequence[Ask], decide: Callable[[], None]) -> list[httpx.Response]:
    """The answers to requests that wait at the same time until something is decided."""
    with ThreadPoolExecutor(len(asks)) as pool:
        pending = [pool.submit(ask) for ask in asks]
        until(lambda: len(site.awaited()) == len(asks))
        until(lambda: not any(one.is_new for one in site.app.state.gateway.waiters._waiting))
        decide()
        return [one.result() for one in pending]


@pytest.mark.usefixtures("woken_only")
def test_a_wake_up_answers_all_who_wait(fresh_site: Site) -> None:
    gas, cine = fresh_site.merchant(program="GAS"), fresh_site.merchant(program="CINE")
    asks = [_issuance(fresh_site, party, 1 + place) for place, party in enumerate([gas, cine] * 4)]
    asks.append(_order(fresh_site, gas, 100, prefer="wait=30, return=minimal"))
    asks.append(_order(fresh_site, cine, 101, prefer="wait=30"))
    answers = _answers(fresh_site, asks, lambda: _decide(fresh_site, Channel.DECIDED))
    assert {(answer.status_code, answer.json()["state"]) for answer in answers} == {(201, "rejected")}
    assert [answer.json()["points"] for answer in answers[:8]] == list(range(1, 9)), "everybody gets its own"
    assert [answer.json()["merchant"] for answer in answers[:8]] == [gas.id, cine.id] * 4
    assert answers[8].json()["movements"] is None
    assert [movement["points"] for movement in answers[9].json()["movements"]] == [101]


@pytest.mark.usefixtures("woken_only")
def test_many_are_shown_with_as_many_statements_as_few(fresh_site: Site) -> None:
    gas = fresh_site.merchant(program="GAS")

    def statements(requests: int) -> int:
        with ExitStack() as counting:
            seen: list[tuple[str, Any]] = []

            def decide() -> None:
                nonlocal seen
                seen = counting.enter_context(fresh_site.statements())
                _decide(fresh_site, Channel.DECIDED)

            _answers(fresh_site, [_issuance(fresh_site, gas, 1) for _ in range(requests)], decide)
            return sum("LEFT OUTER JOIN entries" in statement for statement, _ in seen)

    assert statements(2) == statements(12) == 1


def test_a_lost_wake_up_costs_one_slow_look(fresh_site: Site) -> None:
    gas = fresh_site.merchant(program="GAS")
    (answer,) = _answers(fresh_site, [_issuance(fresh_site, gas, 5)], lambda: _decide(fresh_site))
    assert answer.json()["state"] == "rejected"


@pytest.mark.usefixtures("woken_only")
def test_a_request_is_answered_although_the_listening_connection_dies(fresh_site: Site) -> None:
    if fresh_site.database.is_sqlite:
        pytest.skip("SQLite has no connection that somebody could end")
    gas = fresh_site.merchant(program="GAS")

    def decide() -> None:
        _decide(fresh_site)  # nobody says so
        assert end_listeners(fresh_site.database) == 1

    (answer,) = _answers(fresh_site, [_issuance(fresh_site, gas, 5)], decide)
    assert answer.json()["state"] == "rejected", "it looks once when it listens again"


@pytest.mark.usefixtures("woken_only")
def test_what_cannot_be_shown_takes_no_answer_from_the_others(fresh_site: Site) -> None:
    gas = fresh_site.merchant(program="GAS")
    asks = [_issuance(fresh_site, gas, points) for points in (1, 2, 3)]

    def decide() -> None:
        with fresh_site.database.session.begin() as session:
            gone = "SELECT order_seq FROM instructions WHERE points = 2"
            for order in session.scalars(select(Order)):
                order.state, order.reason = OrderState.REJECTED, "network_paused"
            session.flush()
            seq = session.scalar(text(gone))
            session.execute(text("DELETE FROM instructions WHERE order_seq = :seq"), {"seq": seq})
            notify(session, Channel.DECIDED)

    answers = _answers(fresh_site, asks, decide)
    assert [answer.status_code for answer in answers] == [201, 404, 201]
