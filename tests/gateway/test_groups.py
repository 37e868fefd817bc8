"""Requests that are accepted together (docs/decisions/0037-group-acceptance.md): each has its own answer, order and record."""

from __future__ import annotations

import http.client
import json
import secrets
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import REGISTRY
from sqlalchemy import event, func, select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from clearing.kit.database import Database
from clearing.kit.idempotency import service as idempotency
from clearing.kit.idempotency.models import IdempotencyRecord
from clearing.ledger.settlement.models import Position
from clearing.ordering.orders.models import Order, OrderState
from clearing.ordering.orders.repository import OrderRepository
from gateway.http import groups
from scripts.dev.services import Postgres
from tests.gateway.own_key import OwnKey
from tests.gateway.site import Party, Site, agree, logged, together, until

Sending = Callable[[], httpx.Response]


class Gate:
    """Holds the gateway's groups back, so that a test decides who is in one, and in which order they arrive."""

    def __init__(self, site: Site, opener: Party) -> None:
        self._site = site
        self._opener = opener
        self._groups = site.app.state.gateway.groups
        self._open = threading.Event()
        self.sizes: list[int] = []
        """Of the groups that were worked on, but for the first one, which only keeps the thread busy."""

    @contextmanager
    def closed(self) -> Iterator[ThreadPoolExecutor]:
        """While the block runs, whoever comes waits for the next group."""
        work, sizes, before = self._groups._work, self.sizes, len(self.sizes)

        def gated(members: Sequence[Any]) -> Sequence[Any]:
            sizes.append(len(members))
            assert self._open.wait(60)
            return work(members)

        body = {"program": self._opener.program, "member": self._opener.member(), "points": 1}
        self._groups._work = gated
        self._open.clear()
        try:
            with ThreadPoolExecutor(120) as pool:
                first = pool.submit(self._site.call, "POST", "/v1/issuances", body, caller=self._opener.id)
                until(lambda: len(sizes) > before)
                try:
                    yield pool
                finally:
                    self._open.set()
                assert first.result(60).status_code == 202
        finally:
            self._groups._work = work
        del sizes[before]

    def open(self) -> None:
        """Lets the group run while the block goes on."""
        self._open.set()

    def arrive(self, pool: ThreadPoolExecutor, sending: Sending) -> Future[httpx.Response]:
        """Sends a request and returns when it waits for a group."""
        waiting = len(self._groups._waiting)
        future = pool.submit(sending)
        until(lambda: len(self._groups._waiting) > waiting or future.done())
        return future

    def group(self, *sendings: Sending) -> list[httpx.Response]:
        """Sends these requests, which arrive in this order, as one group; their responses."""
        with self.closed() as pool:
            futures = [self.arrive(pool, sending) for sending in sendings]
        return [future.result(60) for future in futures]


@pytest.fixture(scope="module")
def other(site: Site) -> Party:
    """A merchant with whom the tests' merchants share nothing."""
    return site.merchant("Other", program="OTHER")


@pytest.fixture
def gate(site: Site, other: Party) -> Gate:
    return Gate(site, other)


@pytest.fixture(scope="module")
def signer(site: Site) -> OwnKey:
    return OwnKey(site)


def send(party: Party, path: str, body: Any, key: str = "", **options: Any) -> Sending:
    """A POST by this merchant."""
    name = key or f"g-{secrets.token_hex(6)}"
    return lambda: party.site.call("POST", path, body, caller=party.id, key=name, **options)


def issue(member: str, points: int = 1, **fields: Any) -> dict[str, Any]:
    return {"program": "FUEL", "member": member, "points": points, **fields}


def code_of(response: httpx.Response) -> Any:
    """The state of a movement, or the code of a refusal."""
    return response.json().get("code") or response.json()["state"]


def count(site: Site, table: type[Any]) -> int:
    with site.database.session() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


# -------------------------------------------------------------------- each has its own answer


def test_a_refusal_touches_nobody_else(
    site: Site,
    fuel: Party,
    cine: Party,
    signer: OwnKey,
    exchange_agreement: str,
    gate: Gate,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rich, poor, frozen = (fuel.member() for _ in range(3))
    for member in (rich, frozen):
        site.give(member, "FUEL", 5_000)
    fuel.post(f"/v1/members/{frozen}/freeze", {"reason": "lost"})
    fuel.post("/v1/issuances", issue(rich, reference="used"), key="repeated")
    monkeypatch.setattr(site.settings, "batch_max_gas", 700_000)
    exchange = {"source_program": "FUEL", "target_program": "CINE", "member": rich}
    forged = signer.body(signer.nonce(), key=secrets.token_bytes(32))
    late = signer.body(signer.nonce(), seconds=-1)
    good = signer.body(signer.nonce())
    large = {"instructions": [{"kind": "issue", **issue(rich)} for _ in range(60)]}
    cases: list[tuple[Party, str, Any, str, str]] = [
        (fuel, "/v1/issuances", issue(rich), "", "accepted"),
        (fuel, "/v1/issuances", issue("external:nobody"), "", "unknown_member"),
        (fuel, "/v1/redemptions", issue(poor, 3), "", "insufficient_points"),
        (fuel, "/v1/issuances", issue(rich, reference="used"), "", "duplicate_reference"),
        (fuel, "/v1/issuances", issue(rich, reference="new"), "", "accepted"),
        (fuel, "/v1/issuances", issue(rich, reference="new"), "", "duplicate_reference"),
        (signer.party, "/v1/issuances", forged, "", "wrong_signer"),
        (signer.party, "/v1/issuances", late, "", "deadline_passed"),
        (signer.party, "/v1/issuances", good, "", "accepted"),
        (fuel, "/v1/exchanges", exchange | {"points": 100_001}, "", "over_instruction_cap"),
        (fuel, "/v1/redemptions", issue(frozen), "", "member_frozen"),
        (fuel, "/v1/orders", large, "", "order_too_large"),
        (fuel, "/v1/issuances", issue(rich, reference="used"), "repeated", "accepted"),
        (fuel, "/v1/issuances", issue(rich, 2, reference="used"), "repeated-otherwise", "duplicate_reference"),
        (cine, "/v1/issuances", {**issue(rich), "program": "CINE"}, "", "unknown_member"),
        (fuel, "/v1/exchanges", exchange | {"points": 10}, "", "accepted"),
    ]
    keys = [key or f"mixed-{secrets.token_hex(6)}" for *_, key, _ in cases]
    orders, records = count(site, Order), count(site, IdempotencyRecord)
    sendings = [send(party, path, body, key) for (party, path, body, *_), key in zip(cases, keys, strict=True)]
    answers = gate.group(*sendings)
    assert [code_of(answer) for answer in answers] == [expected for *_, expected in cases]
    assert gate.sizes == [len(cases)], "they were one group"
    assert count(site, Order) == orders + 1 + 4  # the gate's, and what was accepted just now
    final = {"duplicate_reference", "unknown_member", "insufficient_points", "member_frozen", "over_instruction_cap"}
    final |= {"accepted"}
    assert count(site, IdempotencyRecord) - records == 2 + sum(  # the gate's order, and its member
        expected in final for *_, key, expected in cases if key != "repeated"
    )
    for sending, answer, (*_, expected) in zip(sendings, answers, cases, strict=True):
        again = sending()
        if expected in final:
            assert again.headers["Idempotent-Replayed"] == "true"
            assert (again.status_code, again.json()) == (answer.status_code, answer.json())
        else:
            assert code_of(again) == expected
            assert "Idempotent-Replayed" not in again.headers
    assert len({answer.json()["id"] for answer in answers if answer.status_code < 400}) == 5
    assert len({answer.headers["Request-Id"] for answer in answers}) == len(answers)


def test_a_key_is_for_one_request_in_a_group_too(site: Site, fuel: Party, member: str, gate: Gate) -> None:
    first, same, otherwise, third = gate.group(
        send(fuel, "/v1/issuances", issue(member, 3), "grouped"),
        send(fuel, "/v1/issuances", issue(member, 3), "grouped"),
        send(fuel, "/v1/issuances", issue(member, 4), "grouped"),
        send(fuel, "/v1/issuances", issue(member, 5), "ungrouped"),
    )
    assert [first.status_code, same.status_code, third.status_code] == [202, 202, 202]
    assert (otherwise.status_code, code_of(otherwise)) == (422, "idempotency_key_reused")
    assert same.json() == first.json()
    assert [answer.headers.get("Idempotent-Replayed") for answer in (first, same, third)] == [None, "true", None]
    assert gate.sizes == [2, 1, 1], "of two with one key the second waits for the first"


def test_twenty_requests_with_one_key_have_one_effect(site: Site, fuel: Party, member: str, gate: Gate) -> None:
    orders = count(site, Order)
    answers = gate.group(*[send(fuel, "/v1/issuances", issue(member, 9), "twenty")] * 20)
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    assert count(site, Order) == orders + 1 + 1


def test_a_key_that_was_revoked_on_the_way_in_is_refused(site: Site, fuel: Party, member: str, gate: Gate) -> None:
    made = fuel.post("/v1/api_keys", {"scopes": ["issue"]})
    orders = count(site, Order)
    with gate.closed() as pool:
        revoked = gate.arrive(pool, lambda: site.call("POST", "/v1/issuances", issue(member), caller=made["secret"]))
        good = gate.arrive(pool, send(fuel, "/v1/issuances", issue(member)))
        assert site.call("DELETE", f"/v1/api_keys/{made['id']}").status_code == 200
    assert (revoked.result().status_code, good.result().status_code) == (401, 202)
    assert gate.sizes == [2]
    assert count(site, Order) == orders + 2


def test_all_that_a_request_may_ask_for_it_may_ask_for_in_company(
    site: Site, fuel: Party, cine: Party, member: str, exchange_agreement: str, gate: Gate
) -> None:
    site.give(member, "FUEL", 1_000)
    settled = fuel.post("/v1/redemptions", issue(member, 5))
    site.finish(settled["order"], OrderState.SETTLED)
    code = fuel.post(f"/v1/members/{member}/codes", {"points": 10, "program": "FUEL"})["code"]
    exchange = {"source_program": "FUEL", "target_program": "CINE", "points": 10}
    items = [{"kind": "issue", **issue(member), "metadata": {"line": str(line)}} for line in range(3)]
    bulk = [{"kind": "issue", **issue(member)} for _ in range(groups.LARGEST + 1)]
    sendings = [
        send(fuel, "/v1/issuances", issue(member, metadata={"till": "7"})),
        send(fuel, "/v1/issuances?dry_run=true", issue(member, 8)),
        send(fuel, "/v1/exchanges", exchange | {"member_code": code}),
        send(fuel, "/v1/reversals", {"movement": settled["id"], "points": 2}),
        send(fuel, "/v1/orders", {"instructions": items}, headers={"Prefer": "return=minimal"}),
        send(fuel, "/v1/orders", {"instructions": bulk}),
        send(fuel, "/v1/issuances", issue(member, 7), headers={"Prefer": "wait=1"}),
        send(fuel, "/v1/expirations", issue(member)),
        send(fuel, "/v1/orders", {"instructions": items, "atomic": True}),
    ]
    single, dry, coded, reversal, minimal, large, waiting, expiration, atomic = gate.group(*sendings)
    assert (single.status_code, single.json()["metadata"]) == (202, {"till": "7"})
    assert (dry.status_code, dry.json()["result"]["points"]) == (200, 8)
    assert (coded.status_code, reversal.status_code) == (202, 202)
    assert minimal.json()["movements"] is None
    assert minimal.headers["Preference-Applied"] == "return=minimal"
    assert (minimal.json()["size"], large.json()["size"]) == (3, len(bulk))
    assert (waiting.status_code, waiting.headers["Preference-Applied"]) == (202, "wait=1")
    assert code_of(expiration) == "not_expired"
    assert [one["metadata"] for one in atomic.json()["movements"]] == [item["metadata"] for item in items]
    assert gate.sizes == [4], "what has to run alone, or is large, does"
    for answer in (single, coded, reversal, waiting):
        shown = fuel.get(answer.headers["Location"])
        assert shown == answer.json()


def test_a_placeholder_never_reaches_a_client_that_waits(site: Site, fuel: Party, member: str, gate: Gate) -> None:
    with gate.closed() as pool:
        first = gate.arrive(pool, send(fuel, "/v1/issuances", issue(member, 2), headers={"Prefer": "wait=30"}))
        refused = gate.arrive(
            pool, send(fuel, "/v1/issuances", issue("external:nobody"), headers={"Prefer": "wait=30"})
        )
        gate.open()
        assert code_of(refused.result(60)) == "unknown_member"
        (movement,) = until(site.awaited)
        site.finish(fuel.get(f"/v1/issuances/{movement}")["order"], OrderState.SETTLED)
    assert (first.result().status_code, first.result().json()["state"]) == (201, "settled")


def test_a_client_that_goes_away_harms_nobody(site: Site, fuel: Party, member: str, gate: Gate) -> None:
    headers = {
        "Authorization": f"Bearer {site.keys[fuel.id]}",
        "Idempotency-Key": "gone",
        "Content-Type": "application/json",
    }
    with gate.closed() as pool:
        impatient = http.client.HTTPConnection("127.0.0.1", site.settings.gateway_port)
        impatient.request("POST", "/v1/issuances", json.dumps(issue(member, 6)), headers)
        until(lambda: len(gate._groups._waiting) == 1)
        others = [gate.arrive(pool, send(fuel, "/v1/issuances", issue(member))) for _ in range(3)]
        impatient.close()
    assert [one.result().status_code for one in others] == [202] * 3
    replay = send(fuel, "/v1/issuances", issue(member, 6), "gone")()
    assert replay.headers["Idempotent-Replayed"] == "true"


def test_the_log_names_each_ones_order_and_metrics_count_groups(
    site: Site, fuel: Party, member: str, gate: Gate
) -> None:
    def observed() -> tuple[float, float]:
        names = ("tongdui_group_orders_count", "tongdui_group_orders_sum")
        return tuple(REGISTRY.get_sample_value(name) or 0 for name in names)  # type: ignore[return-value]

    before = observed()
    answers = gate.group(*[send(fuel, "/v1/issuances", issue(member)) for _ in range(5)])
    after = observed()
    assert (after[0] - before[0], after[1] - before[1]) == (2, 6)

    def lines() -> dict[str, Any]:
        return {line["request_id"]: line for line in logged() if line.get("event") == "request"}

    ids = [answer.headers["Request-Id"] for answer in answers]
    until(lambda: set(ids) <= set(lines()))
    for answer in answers:
        line = lines()[answer.headers["Request-Id"]]
        assert (line["order"], line["status"]) == (answer.json()["order"], 202)


# -------------------------------------------------------------------- who comes first


def test_who_comes_first_gets_the_last_points(site: Site, fuel: Party, gate: Gate) -> None:
    member = fuel.member()
    site.give(member, "FUEL", 10)
    answers = gate.group(*[send(fuel, "/v1/redemptions", issue(member, points)) for points in (4, 7, 5, 2, 1)])
    assert [code_of(answer) for answer in answers] == [
        "accepted",
        "insufficient_points",
        "accepted",
        "insufficient_points",
        "accepted",
    ]
    assert "1 points available" in answers[3].json()["detail"]


def test_who_comes_first_gets_the_last_liquidity_and_the_rest_of_the_cap(site: Site, gate: Gate) -> None:
    source, target = (site.merchant(program=f"C{secrets.randbelow(10**6)}") for _ in range(2))
    agree(source, target, max_points=40, daily_cap=50)
    member = source.member()
    site.give(member, str(source.program), 1_000)
    body = {"source_program": source.program, "target_program": target.program, "member": member}
    answers = gate.group(*[send(source, "/v1/exchanges", body | {"points": points}) for points in (30, 30, 20, 10)])
    assert [code_of(answer) for answer in answers] == ["accepted", "over_daily_cap", "accepted", "over_daily_cap"]

    payer, target = (site.merchant(program=f"L{secrets.randbelow(10**6)}") for _ in range(2))
    agree(payer, target)
    with site.database.session.begin() as session:
        session.get_one(Position, payer.number).credit_limit = 300_000
    member = payer.member()
    site.give(member, str(payer.program), 1_000)
    body = {"source_program": payer.program, "target_program": target.program, "member": member}
    answers = gate.group(*[send(payer, "/v1/exchanges", body | {"points": points}) for points in (20, 20, 10, 10)])
    short = "insufficient_liquidity"
    assert [code_of(answer) for answer in answers] == ["accepted", short, "accepted", short]


def test_who_comes_first_gets_the_reference_and_the_nonce(
    site: Site, fuel: Party, member: str, signer: OwnKey, gate: Gate
) -> None:
    nonce = signer.nonce()
    first, second, own, again, third = gate.group(
        send(fuel, "/v1/issuances", issue(member, 1, reference="once")),
        send(fuel, "/v1/issuances", issue(member, 2, reference="once")),
        send(signer.party, "/v1/issuances", signer.body(nonce, points=1)),
        send(signer.party, "/v1/issuances", signer.body(nonce, points=2)),
        send(fuel, "/v1/issuances", issue(member, 3, reference="twice")),
    )
    assert [code_of(one) for one in (first, second, own, again, third)] == [
        *("accepted", "duplicate_reference", "accepted", "nonce_used", "accepted")
    ]
    assert (first.json()["points"], own.json()["points"]) == (1, 1)


def test_orders_are_queued_in_order_of_arrival(site: Site, fuel: Party, member: str, gate: Gate) -> None:
    answers = gate.group(*[send(fuel, "/v1/issuances", issue(member, 1 + turn)) for turn in range(6)])
    ids = [answer.json()["order"] for answer in answers]
    with site.database.session() as session:
        rows = session.execute(select(Order.id, Order.nonce).where(Order.id.in_(ids)).order_by(Order.seq)).all()
    assert [row.id for row in rows] == ids
    assert [row.nonce for row in rows] == list(range(rows[0].nonce, rows[0].nonce + 6))


def test_a_crowd_shares_what_there_is(site: Site, fuel: Party, exchange_agreement: str) -> None:
    """Real concurrency, where chance makes the groups: only sums are certain."""
    member, missing = fuel.member(), "external:missing"
    site.give(member, "FUEL", 17)
    orders = count(site, Order)

    def one(turn: int) -> str:
        match turn % 4:
            case 0 | 1:
                return str(code_of(send(fuel, "/v1/redemptions", issue(member))()))
            case 2:
                return str(code_of(send(fuel, "/v1/issuances", issue(missing))()))
            case _:
                reference = f"crowd-{turn % 5}"
                return str(code_of(send(fuel, "/v1/issuances", issue(member, reference=reference))()))

    seen = Counter(together(40, one))
    assert seen == {
        "accepted": 17 + 5,
        "insufficient_points": 20 - 17,
        "unknown_member": 10,
        "duplicate_reference": 10 - 5,
    }
    assert count(site, Order) == orders + 22


# -------------------------------------------------------------------- when the transaction fails


@pytest.fixture
def neighbour(site: Site, tmp_path: Path) -> Iterator[Site]:
    """A second gateway process on the same database, which waits for nobody's lock but the database's."""
    if site.database.is_sqlite:
        pytest.skip("SQLite has one writer: nobody else can come between")
    with Site(site.settings.database_url, tmp_path) as found:
        found.keys = site.keys
        yield found


@pytest.mark.parametrize("taken", ["reference", "nonce"])
def test_a_group_that_cannot_be_stored_is_accepted_one_by_one(
    site: Site, neighbour: Site, fuel: Party, member: str, gate: Gate, monkeypatch: pytest.MonkeyPatch, taken: str
) -> None:
    signer = OwnKey(site)
    nonce, reference = signer.nonce(), f"stolen-{taken}"
    mine = signer.body(nonce) | {"reference": reference}
    theirs = signer.body(nonce if taken == "nonce" else signer.nonce(), points=5)
    theirs |= {"reference": reference} if taken == "reference" else {}
    orders, stored = count(site, Order), []
    add = OrderRepository.add

    def stealing(self: OrderRepository, rows: Any) -> None:
        stored.append(len(rows))
        if len(rows) == 3:
            neighbour.post("/v1/issuances", theirs, caller=signer.party.id)
        add(self, rows)

    monkeypatch.setattr(OrderRepository, "add", stealing)
    sendings = [
        send(fuel, "/v1/issuances", issue(member, 1)),
        send(signer.party, "/v1/issuances", mine, headers={"Prefer": "wait=30"}),
        send(fuel, "/v1/issuances", issue(member, 2)),
    ]
    answers = gate.group(*sendings)
    assert stored == [1, 3, 1, 1, 1], "the gate's, the group, theirs, and then those who still could"
    assert [code_of(answer) for answer in answers] == [
        *("accepted", "duplicate_reference" if taken == "reference" else "nonce_used", "accepted")
    ]
    assert count(site, Order) == orders + 4
    assert [code_of(sending()) for sending in sendings] == [code_of(answer) for answer in answers]
    assert count(site, Order) == orders + 4


def _deadlock(session: Session) -> None:
    session.execute(text("DO $$ BEGIN RAISE EXCEPTION 'a deadlock' USING ERRCODE = '40P01'; END $$"))


def _serialization_failure(session: Session) -> None:
    session.execute(text("DO $$ BEGIN RAISE EXCEPTION 'no order' USING ERRCODE = '40001'; END $$"))


def _killed(session: Session) -> None:
    pid = session.scalar(text("SELECT pg_backend_pid()"))
    url = session.get_bind().engine.url.render_as_string(hide_password=False)
    killer = Database(url)
    with killer.session.begin() as other_session:
        other_session.execute(text("SELECT pg_terminate_backend(:pid, 10000)"), {"pid": pid})
    killer.close()


def _bug(_: Session) -> None:
    raise ZeroDivisionError


@pytest.mark.parametrize("failure", [_deadlock, _serialization_failure, _killed, _bug])
def test_a_transaction_that_fails_for_a_reason_of_its_own_costs_nobody_anything(
    site: Site,
    fuel: Party,
    gate: Gate,
    monkeypatch: pytest.MonkeyPatch,
    failure: Callable[[Session], None],
) -> None:
    if site.database.is_sqlite and failure is not _bug:
        pytest.skip("SQLite knows no such failure")
    member = fuel.member()
    site.give(member, "FUEL", 10)
    orders = count(site, Order)
    add = OrderRepository.add
    failed: list[int] = []

    def failing(self: OrderRepository, rows: Any) -> None:
        if len(rows) == 3:
            failed.append(len(rows))
            failure(self._session)
        add(self, rows)

    monkeypatch.setattr(OrderRepository, "add", failing)
    keys = [f"failed-{secrets.token_hex(4)}" for _ in range(4)]
    sendings = [
        send(fuel, "/v1/redemptions", issue(member, points), key)
        for points, key in zip((6, 5, 3, 1), keys, strict=True)
    ]
    answers = gate.group(*sendings)
    attempts = 3 if failure in (_deadlock, _serialization_failure) else 1
    assert failed == [3] * attempts, "the group was about to store three orders"
    assert [code_of(answer) for answer in answers] == ["accepted", "insufficient_points", "accepted", "accepted"]
    assert all("Idempotent-Replayed" not in answer.headers for answer in answers)
    assert count(site, Order) == orders + 1 + 3
    assert [sending().json() for sending in sendings] == [answer.json() for answer in answers]


def test_a_group_whose_commit_got_no_answer_has_one_effect(
    site: Site, fuel: Party, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The transaction was committed, but nobody heard of it: one by one, each finds its own answer."""
    member = fuel.member()
    site.give(member, "FUEL", 10)
    orders = count(site, Order)
    lost: list[int] = []
    add = OrderRepository.add

    def noting(self: OrderRepository, rows: Any) -> None:
        self._session.info["stored"] = len(rows)
        add(self, rows)

    def lose(session: Session) -> None:
        if session.info.get("stored") == 2:
            lost.append(2)
            raise OperationalError("cut before the answer to COMMIT", None, Exception(), connection_invalidated=True)

    monkeypatch.setattr(OrderRepository, "add", noting)
    event.listen(site.database.session, "after_commit", lose)
    try:
        answers = gate.group(*[send(fuel, "/v1/redemptions", issue(member, points)) for points in (6, 5, 3)])
    finally:
        event.remove(site.database.session, "after_commit", lose)
    assert lost == [2]
    assert [code_of(answer) for answer in answers] == ["accepted", "insufficient_points", "accepted"]
    assert count(site, Order) == orders + 1 + 2


# -------------------------------------------------------------------- keys that others hold


def test_a_key_that_another_process_holds_delays_nobody_else(
    site: Site, fuel: Party, member: str, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    if site.database.is_sqlite:
        pytest.skip("SQLite has one writer: nobody else can hold a key")
    monkeypatch.setattr(idempotency, "PATIENCE_SECONDS", 60.0)
    body = issue(member, 8)
    elsewhere = Database(site.settings.database_url)
    with elsewhere.session.begin() as session:
        mark = idempotency.fingerprint("POST", "/v1/issuances", body)
        claim = idempotency.IdempotencyService(session).claim(f"merchant:{fuel.number}", "held", mark)
        with gate.closed() as pool:
            held = gate.arrive(pool, send(fuel, "/v1/issuances", body, "held"))
            others = [gate.arrive(pool, send(fuel, "/v1/issuances", issue(member))) for _ in range(3)]
            gate.open()
            assert [one.result(60).status_code for one in others] == [202] * 3
            assert not held.done()
            claim.record.status, claim.record.body = 404, '{"code": "unknown_member"}'
            session.commit()
            assert (held.result(60).status_code, held.result().headers["Idempotent-Replayed"]) == (404, "true")
    elsewhere.close()
    assert gate.sizes == [4]


def test_a_key_that_another_process_holds_for_long_is_in_flight(
    site: Site, fuel: Party, member: str, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    if site.database.is_sqlite:
        pytest.skip("SQLite has one writer: nobody else can hold a key")
    monkeypatch.setattr(idempotency, "PATIENCE_SECONDS", 0.1)
    body = issue(member, 8)
    elsewhere = Database(site.settings.database_url)
    with elsewhere.session.begin() as session:
        mark = idempotency.fingerprint("POST", "/v1/issuances", body)
        idempotency.IdempotencyService(session).claim(f"merchant:{fuel.number}", "held long", mark)
        held, other = gate.group(
            send(fuel, "/v1/issuances", body, "held-long"), send(fuel, "/v1/issuances", issue(member))
        )
        assert (held.status_code, other.status_code) == (202, 202), "a key is not another one"
        idempotency.IdempotencyService(session).claim(f"merchant:{fuel.number}", "long", mark)
        held, other = gate.group(send(fuel, "/v1/issuances", body, "long"), send(fuel, "/v1/issuances", issue(member)))
        assert (held.status_code, code_of(held), other.status_code) == (409, "idempotency_in_flight", 202)
        session.rollback()
    elsewhere.close()
    assert send(fuel, "/v1/issuances", body, "long")().status_code == 202


# -------------------------------------------------------------------- the database away


@pytest.mark.parametrize("waiting", [0, 30])
def test_nobody_hangs_while_the_database_is_away(tmp_path: Path, waiting: int) -> None:
    headers = {"Prefer": f"wait={waiting}"} if waiting else {}
    with Postgres() as server, Site(server.new_database("away"), tmp_path) as site:
        party = site.merchant(program="FUEL")
        member = party.member()
        sendings = [send(party, "/v1/issuances", issue(member), f"away-{turn}", headers=headers) for turn in range(20)]
        server.kill()
        answers = together(20, lambda turn: sendings[turn]())
        assert {(answer.status_code, code_of(answer)) for answer in answers} == {(503, "database_unavailable")}
        server.start()
        until(lambda: site.call("GET", "/v1/network").status_code == 200)
        if not waiting:
            again = together(20, lambda turn: sendings[turn]())
            assert {answer.status_code for answer in again} == {202}
            assert len({answer.json()["id"] for answer in again}) == 20
            assert count(site, Order) == 20


# -------------------------------------------------------------------- how much work it is


def test_the_number_of_statements_does_not_grow_with_the_group(
    site: Site, fuel: Party, cine: Party, exchange_agreement: str, gate: Gate
) -> None:
    members = [fuel.member() for _ in range(50)]
    for member in members:
        site.give(member, "FUEL", 1_000)
    body = {"source_program": "FUEL", "target_program": "CINE", "points": 10}

    def statements(size: int) -> int:
        sendings = [
            send(fuel, "/v1/exchanges", body | {"member": member, "metadata": {"till": "1"}})
            for member in members[:size]
        ]
        with gate.closed() as pool:
            futures = [gate.arrive(pool, sending) for sending in sendings]
            with site.statements() as seen:
                gate.open()
                assert {future.result(60).status_code for future in futures} == {202}
        del gate.sizes[:]
        return len([statement for statement, _ in seen if not statement.startswith("BEGIN")])

    few, some, many = statements(2), statements(10), statements(50)
    assert few == some == many, (few, some, many)
