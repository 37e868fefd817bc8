"""/healthz says that the gateway answers, and /readyz which parts of the network work."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text, update

from clearing.chain.calls.models import Call
from clearing.kit.clock import SYSTEM_CLOCK
from clearing.kit.database import newest_revision
from clearing.ledger.journal.models import Block
from clearing.oversight.health.service import MAX_WAIT_SECONDS
from clearing.pipeline.failures.repository import FailureRepository
from clearing.pipeline.leadership import Leadership, has_leader
from clearing.pipeline.models import Transaction
from clearing.pipeline.privileged_calls import SIGNING_ROLES, leadership_of
from clearing.pipeline.switches.repository import SEQUENCING, SwitchRepository
from gateway.app import THREADS
from scripts.dev.services import Anvil, Postgres
from tests.gateway.site import Site, until
from tests.support.silent_node import SilentNode

DAEMONS = ("sequencer", "projector", *map(leadership_of, SIGNING_ROLES))


@pytest.fixture
def connected(database_url: str, chain: Anvil, tmp_path: Path) -> Iterator[Site]:
    with Site(database_url, tmp_path, rpc_url=chain.url, chain_id=chain.chain_id) as site, _led(site):
        yield site


@contextmanager
def _led(site: Site, *names: str) -> Iterator[None]:
    """Takes the daemons' locks, as if they ran."""
    daemons = [Leadership(site.database, name) for name in names or DAEMONS]
    try:
        for daemon in daemons:
            until(daemon.acquire)
        yield
    finally:
        for daemon in daemons:
            daemon.release()
        # PostgreSQL ends a session, and with it the session's locks, some time after the client has disconnected.
        with site.database.reading() as session:
            until(lambda: not any(has_leader(session, daemon) for daemon in DAEMONS))


def _ready(site: Site) -> tuple[int, str, set[str]]:
    """Status, summary, and the parts that do not work."""
    response = site.http.get("/readyz")
    report = response.json()
    return response.status_code, report["status"], {name for name, check in report["checks"].items() if not check["ok"]}


def test_a_gateway_is_alive_whatever_else_is_not(site: Site) -> None:
    response = site.http.get("/healthz")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})
    assert site.http.get("/readyz").status_code == 503


def _at(site: Site, number: int) -> None:
    with site.database.session.begin() as session:
        now = int(site.database.clock.unix())
        session.merge(Block(number=number, hash=bytes(32), parent_hash=bytes(32), timestamp=now, day=0))


def test_a_network_whose_parts_all_work(connected: Site, chain: Anvil) -> None:
    _at(connected, int(chain.rpc("eth_blockNumber"), 16))
    assert _ready(connected) == (200, "ok", set())


def test_a_chain_that_does_not_answer(site: Site) -> None:
    with _led(site):
        assert _ready(site) == (503, "degraded", {"chain", "projector"})


def test_a_schema_of_another_version(connected: Site, chain: Anvil) -> None:
    _at(connected, int(chain.rpc("eth_blockNumber"), 16))
    with connected.database.session.begin() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    assert _ready(connected) == (503, "degraded", {"migrations"})
    detail = connected.http.get("/readyz").json()["checks"]["migrations"]["detail"]
    assert "clearing migrate" in detail


def test_a_database_that_does_not_answer(chain: Anvil, tmp_path: Path) -> None:
    with (
        Postgres() as own,
        Site(own.new_database("gone"), tmp_path, rpc_url=chain.url, chain_id=chain.chain_id) as site,
    ):
        with _led(site):
            _at(site, int(chain.rpc("eth_blockNumber"), 16))
            assert _ready(site) == (200, "ok", set())
        own.kill()
        assert _ready(site) == (
            503,
            "degraded",
            {"database", "migrations", "sequencer", "signer", "projector", "reconciliation"},
        )
        assert site.http.get("/healthz").status_code == 200
        own.start()
        with _led(site):
            assert _ready(site) == (200, "ok", set())


@pytest.mark.parametrize(
    ("daemon", "part"), [("sequencer", "sequencer"), ("projector", "projector"), (leadership_of("treasury"), "signer")]
)
def test_a_daemon_that_does_not_get_on_says_why(connected: Site, chain: Anvil, daemon: str, part: str) -> None:
    _at(connected, int(chain.rpc("eth_blockNumber"), 16))
    with connected.database.session.begin() as session:
        FailureRepository(session).note([daemon], "eth_getLogs: no such luck (-32000)")
    assert _ready(connected)[0] == 200, "for a moment that is no fault"
    connected.clock.move(timedelta(seconds=MAX_WAIT_SECONDS + 1))
    assert _ready(connected)[2] == {part}
    assert "no such luck" in connected.http.get("/readyz").json()["checks"][part]["detail"]
    with connected.database.session.begin() as session:
        FailureRepository(session).clear([daemon])
    assert _ready(connected) == (200, "ok", set())


def test_a_chain_that_stands_still(database_url: str, chain: Anvil, tmp_path: Path) -> None:
    where = {"rpc_url": chain.url, "chain_id": chain.chain_id, "longest_block_time": 30}
    with Site(database_url, tmp_path, **where) as site, _led(site):
        chain.rpc("evm_setNextBlockTimestamp", int(site.clock.unix()) + 10)
        chain.rpc("evm_mine")
        _at(site, int(chain.rpc("eth_blockNumber"), 16))
        assert _ready(site) == (200, "ok", set())
        site.clock.move(timedelta(seconds=60))
        assert _ready(site) == (503, "degraded", {"chain"})
        assert "stands still" in site.http.get("/readyz").json()["checks"]["chain"]["detail"]


def test_a_paused_sequencer(connected: Site, chain: Anvil) -> None:
    _at(connected, int(chain.rpc("eth_blockNumber"), 16))
    with connected.database.session.begin() as session:
        SwitchRepository(session).turn_off(SEQUENCING, "operator", "moving the node")
    assert _ready(connected) == (503, "degraded", {"sequencer"})
    assert "moving the node" in connected.http.get("/readyz").json()["checks"]["sequencer"]["detail"]


def test_daemons_that_are_not_running(database_url: str, chain: Anvil, tmp_path: Path) -> None:
    with Site(database_url, tmp_path, rpc_url=chain.url, chain_id=chain.chain_id) as site:
        _at(site, int(chain.rpc("eth_blockNumber"), 16))
        assert _ready(site) == (503, "degraded", {"sequencer", "projector", "signer"})
        with _led(site, "projector", leadership_of("treasury")):
            assert _ready(site) == (503, "degraded", {"sequencer", "signer"})
            signer = site.http.get("/readyz").json()["checks"]["signer"]
            assert signer["detail"] == "not running for operator"
        with _led(site, "sequencer", "projector"):
            assert _ready(site) == (200, "ok", {"signer"}), "orders go on"
        with _led(site):
            assert _ready(site) == (200, "ok", set())


def test_the_wrong_chain(database_url: str, chain: Anvil, tmp_path: Path) -> None:
    with Site(database_url, tmp_path, rpc_url=chain.url, chain_id=chain.chain_id + 1) as site:
        status, _, bad = _ready(site)
        assert status == 503
        assert "chain" in bad


def test_a_projector_that_is_stuck(connected: Site, chain: Anvil) -> None:
    _at(connected, int(chain.rpc("eth_blockNumber"), 16))
    chain.rpc("anvil_mine", hex(100))
    assert _ready(connected) == (503, "degraded", {"projector"})


def test_a_signer_that_is_stuck(connected: Site, chain: Anvil) -> None:
    _at(connected, int(chain.rpc("eth_blockNumber"), 16))
    connected.post("/v1/merchants", {"name": "Waiting", "managed_key": True})
    assert _ready(connected) == (200, "ok", set())
    with connected.database.session.begin() as session:
        session.execute(update(Call).values(created_at=SYSTEM_CLOCK.now() - timedelta(minutes=1)))
    assert _ready(connected) == (200, "ok", {"signer"})
    assert "a call waits since" in connected.http.get("/readyz").json()["checks"]["signer"]["detail"]


def test_a_chain_that_is_stuck(connected: Site, chain: Anvil) -> None:
    _at(connected, int(chain.rpc("eth_blockNumber"), 16))
    fields = {"sender": "0x" + "11" * 20, "nonce": 0, "raw": b"", "hash": bytes(32)}
    with connected.database.session.begin() as session:
        session.add(Transaction(**fields))
    assert _ready(connected) == (200, "ok", set())
    with connected.database.session.begin() as session:
        session.execute(update(Transaction).values(created_at=SYSTEM_CLOCK.now() - timedelta(minutes=6)))
    assert _ready(connected) == (503, "degraded", {"sequencer"})
    assert "in no block" in connected.http.get("/readyz").json()["checks"]["sequencer"]["detail"]


def test_a_node_that_is_behind_the_projector(connected: Site, chain: Anvil) -> None:
    _at(connected, int(chain.rpc("eth_blockNumber"), 16) + 100)
    assert _ready(connected) == (503, "degraded", {"projector"})


def test_a_network_that_was_not_reconciled_for_long_says_so_and_is_ready_all_the_same(
    connected: Site, chain: Anvil
) -> None:
    _at(connected, int(chain.rpc("eth_blockNumber"), 16))
    assert connected.http.get("/readyz").json()["checks"]["reconciliation"]["detail"].startswith("to be reconciled by")
    with connected.database.session.begin() as session:
        session.execute(update(Block).values(timestamp=1_700_000_000))
    response = connected.http.get("/readyz")
    said = response.json()["checks"]["reconciliation"]
    assert (response.status_code, said["ok"]) == (200, False)
    assert said["detail"] == "not reconciled since 2023-11-14 22:13 UTC"


# -------------------------------------------------------------------- a node that is silent


@pytest.fixture
def silent(database_url: str, tmp_path: Path) -> Iterator[tuple[Site, SilentNode]]:
    with SilentNode() as node, Site(database_url, tmp_path, rpc_url=node.url, health_timeout=600) as site:
        yield site, node


@pytest.mark.parametrize("path", ["/readyz", "/v1/operations"])
def test_a_silent_node_keeps_nobody_waiting_who_does_not_ask_for_it(silent: tuple[Site, SilentNode], path: str) -> None:
    """More ask how the node is than there are threads for requests. Somebody else is answered while all of them still wait."""
    site, node = silent
    headers = {"Authorization": f"Bearer {site.keys['operator']}"}
    many = THREADS + 13
    with ThreadPoolExecutor(many) as pool:
        limits = httpx.Limits(max_connections=many + 1)
        with httpx.Client(base_url=site.http.base_url, timeout=600, limits=limits, headers=headers) as http:
            asking = [pool.submit(http.get, path) for _ in range(many)]
            until(lambda: node.questions)
            until(lambda: _requests_in_progress(site, path) == many)
            assert site.get("/v1/merchants")["data"]
            assert (node.questions, [one for one in asking if one.done()]) == (1, [])
            node.hang_up()
            statuses = {one.result().status_code for one in asking}
    assert statuses == ({503} if path == "/readyz" else {200})
    assert node.questions == 1


def _requests_in_progress(site: Site, path: str) -> int:
    answer = {"/readyz": site.app.state.gateway.health, "/v1/operations": site.app.state.gateway.newest_block}[path]
    return int(answer.waiting)


def test_the_answer_is_kept_for_a_while(connected: Site, chain: Anvil) -> None:
    health = connected.app.state.gateway.health
    _at(connected, int(chain.rpc("eth_blockNumber"), 16))
    health.keep_seconds = 3_600
    assert _ready(connected) == (200, "ok", set())
    with connected.database.session.begin() as session:
        SwitchRepository(session).turn_off(SEQUENCING, "operator", "moving the node")
    assert _ready(connected) == (200, "ok", set())
    health.keep_seconds = 0
    assert _ready(connected) == (503, "degraded", {"sequencer"})


def test_a_schema_of_a_later_version_is_good_enough(site: Site) -> None:
    later = f"{int(newest_revision()) + 1:04d}"
    with site.database.session.begin() as session:
        session.execute(text("UPDATE alembic_version SET version_num = :later"), {"later": later})
    try:
        check = site.http.get("/readyz").json()["checks"]["migrations"]
    finally:
        with site.database.session.begin() as session:
            session.execute(text("UPDATE alembic_version SET version_num = :newest"), {"newest": newest_revision()})
    assert check["ok"]
    assert later in check["detail"]
