"""A programme's image runs as its user on a read-only file system: the whole of its compose.yaml, beside a real network."""

from __future__ import annotations

import os
import secrets as random
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from clearing.runtime.embedded.network import EmbeddedNetwork
from loyalty.customers.models import IdentifierKind
from loyalty.customers.service import CustomerService, Shown
from loyalty.kit.database import Database
from loyalty.network.members import as_member
from loyalty.network.models import WishState
from loyalty.network.wish_repository import WishRepository
from loyalty.network.wishes import IssueWish, WishService
from scripts.dev.services import Postgres, mosquitto, redis
from tests.loyalty.network.station import PASSWORD, Station, station_on
from tests.packaging.composed import Composed, owned, secret_file
from tests.packaging.image import USER, Image
from tests.support.deployment import composed
from tests.support.production import eventually

pytestmark = pytest.mark.timeout(1_200)


def test_its_image_holds_the_programme_and_not_the_network(programme_image: Image) -> None:
    listing = "import importlib.metadata as m; print('\\n'.join(d.name for d in m.distributions()))"
    names = set(programme_image.run(["python", "-c", listing]).stdout.split())
    assert {"tongdui", "tongdui-loyalty"} <= names
    assert names.isdisjoint({"tongdui-clearing", "web3", "pip", "hatchling", "pytest"})
    done = programme_image.run(["loyalty", "--help"])
    assert (done.returncode, done.stdout[:6]) == (0, "usage:")


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Station]:
    """A merchant on a network."""
    with EmbeddedNetwork(tmp_path / "network", worker=False) as network:
        found = station_on(network, tmp_path)
        yield found
        for client in (found.operator, found.treasury, found.client):
            client.close()


def test_the_whole_of_compose_settles_points_with_the_secrets_of_each_service(
    programme_image: Image, postgres_server: Postgres, station: Station, tmp_path: Path
) -> None:
    directory = tmp_path / "secrets"
    directory.mkdir()
    contents = {
        "api_key": station.api_key,
        "key_password": PASSWORD,
        "staff_secret": random.token_hex(32),
        "customer_secret": random.token_hex(32),
        "channels": '[channels]\nsms = "console://"\n',
        "mqtt_password": random.token_hex(16),
    }
    files = {name: secret_file(directory / name, content) for name, content in contents.items()}
    files["key"] = owned(station.keystore)
    url = postgres_server.new_database(f"programme_{os.getpid()}")
    variables = {
        "DATABASE_PASSWORD": "x", "BROKER_PASSWORD": "x", "GATEWAY_URL": station.network.url, "CHAIN_ID": "31337",
        "CONTRACT": station.network.settings.contract, "RPC_URL": station.network.rpc_url, "URL": "https://points.example",
    }  # fmt: skip
    with redis() as broker, mosquitto() as devices, closing(Database(url)) as database:
        variables["MQTT_URL"] = devices.url
        hosts = {
            "postgresql+psycopg://loyalty:x@database:5432/loyalty": url,
            "redis://:x@broker:6379/0": broker.url,
            "0.0.0.0": "127.0.0.1",
        }
        site = Composed(programme_image, tmp_path, composed(variables, "loyalty/docker")["services"], hosts)
        try:
            site.start("migrate", files)
            assert site.processes.pop("migrate").wait(300) == 0, site.log("migrate")
            ours = [name for name, service in site.services.items() if "build" in service and name != "migrate"]
            for name in ours:
                site.start(name, files)
            _all_work(site, database, ours)
            for name in ours:
                assert site.users_of(name) == {str(USER)}
                assert site.stop(name) in (0, 128 + signal.SIGTERM), (
                    f"{name} does not end in good order: {site.log(name)}"
                )
        finally:
            site.stop_all()


def _all_work(site: Composed, database: Database, ours: list[str]) -> None:
    address = f"http://127.0.0.1:{site.ports['serve LOYALTY_PORT']}"
    eventually(lambda: _is_ok(f"{address}/readyz"), site.log("serve"))
    for page in ("/staff/sign-in", "/my/"):
        assert httpx.get(f"{address}{page}", follow_redirects=True, timeout=30).status_code == httpx.codes.OK
    with database.session.begin() as session:
        customer = CustomerService(session).add([Shown(IdentifierKind.CARD, "CARD1")], None, actor="test")
        wanted = IssueWish(reference="sale:1", program="FUEL", member=as_member(customer.id), points=7)
        WishService(session).wish(wanted)
    eventually(lambda: _state(database) is WishState.SETTLED, f"not settled: {site.log('send')}")
    eventually(lambda: "loyalty.send" in site.log("worker"), f"the worker does nothing: {site.log('worker')}")
    for name in ours:
        assert site.processes[name].poll() is None, f"{name} has ended: {site.log(name)}"


def _state(database: Database) -> WishState:
    with database.reading() as session:
        found = WishRepository(session).with_reference("sale:1")
    assert found is not None
    return found.state


def _is_ok(url: str) -> bool:
    try:
        return httpx.get(url, timeout=30).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
