"""The image's contents run as its user on a read-only file system: each command, and the whole of compose.yaml."""

from __future__ import annotations

import json
import os
import re
import secrets as random
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from scripts.dev.services import Anvil, Postgres, anvil, redis
from tests.packaging.composed import Composed, owned, secret_file
from tests.packaging.image import USER, Image
from tests.support.deployment import composed
from tests.support.production import eventually

pytestmark = pytest.mark.timeout(1_200)

WRITES = """
import json, os, sys
found = {}
for place in sys.argv[1:]:
    try:
        with open(os.path.join(place, "written"), "w") as file:
            file.write("x")
        found[place] = ""
    except OSError as error:
        found[place] = error.strerror
with open("/proc/self/status") as status:
    rights = {line.split(":")[0]: line.split()[1] for line in status if line.startswith(("CapEff", "CapPrm", "NoNewPrivs"))}
print(json.dumps([os.getuid(), os.getgid(), os.getgroups(), rights, found]))
"""


def test_it_runs_without_rights_and_writes_to_tmp_alone(image: Image) -> None:
    places = ["/", "/opt/tongdui", "/usr", "/etc", "/run", "/tmp", "/dev/shm"]
    done = image.run(["python", "-c", WRITES, *places])
    assert done.returncode == 0, done.stderr
    user, group, groups, rights, found = json.loads(done.stdout)
    assert (user, group, groups) == (USER, USER, [])
    assert rights == {"CapPrm": "0" * 16, "CapEff": "0" * 16, "NoNewPrivs": "1"}
    assert {place for place, error in found.items() if not error} == {"/tmp", "/dev/shm"}
    assert {error for error in found.values() if error} <= {"Read-only file system", "Permission denied"}


@pytest.mark.parametrize("command", ["gateway", "console", "clearing", "tongdui"])
def test_each_command_is_there(image: Image, command: str) -> None:
    done = image.run([command, "--help"])
    assert done.returncode == 0, done.stderr
    assert done.stdout.lower().lstrip().startswith("usage")


def test_what_it_holds_is_installed_whole_and_needs_no_tools(image: Image) -> None:
    done = image.run(
        ["python", "-c", "import importlib.metadata as m; print('\\n'.join(d.name for d in m.distributions()))"]
    )
    names = set(done.stdout.split())
    assert {"tongdui", "tongdui-clearing", "boto3"} <= names
    assert names.isdisjoint({"pip", "setuptools", "pytest", "hatchling", "slither-analyzer", "mypy"})
    assert not list(image.directory.rglob("*.solc")) + list(image.directory.rglob("forge"))


# -------------------------------------------------------------------- compose.yaml


@pytest.fixture
def chain() -> Iterator[Anvil]:
    with anvil() as node:
        yield node


def test_the_whole_of_compose_runs_with_the_secrets_of_each_service(
    image: Image, postgres_server: Postgres, chain: Anvil, tmp_path: Path
) -> None:
    passwords = tmp_path / "secrets"
    passwords.mkdir()
    names = ["sequencer", "operator", "treasury", "admin", "pauser"]
    names += ["managed_keys", "webhook_secrets", "staff_secrets", "mailed_links"]
    files = {name: secret_file(passwords / name, random.token_urlsafe(32)) for name in names}
    database = postgres_server.new_database(f"composed_{os.getpid()}")
    keys = tmp_path / "keys"
    keys.mkdir()
    os.chown(keys, USER, USER)
    with redis() as broker:
        variables = {
            "DATABASE_PASSWORD": "x", "BROKER_PASSWORD": "x", "RPC_URL": chain.url, "CONSOLE_URL": "https://console.example",
            "CHAIN_ID": str(int(chain.rpc("eth_chainId"), 16)), "CONTRACT": "0x" + "0" * 40,
        }  # fmt: skip
        hosts = {
            "postgresql+psycopg://tongdui:x@database:5432/tongdui": database,
            "redis://:x@broker:6379/0": broker.url,
            "0.0.0.0": "127.0.0.1",
        }
        site = Composed(image, tmp_path, composed(variables)["services"], hosts)
        try:
            site.start("migrate", files)
            assert site.processes.pop("migrate").wait(300) == 0, site.log("migrate")
            variables["CONTRACT"] = _deployed(site, keys, files)
            site.services = composed(variables)["services"]
            for role in ("sequencer", "operator", "treasury"):
                files[f"{role}_key"] = owned(keys / f"{role}.json")
            _run_all(site, files)
        finally:
            site.stop_all()


def _deployed(site: Composed, keys: Path, files: Mapping[str, Path]) -> str:
    """What the operator does once, with the admin's key, which no service has."""
    environment = {**site.environment("projector"), "TONGDUI_KEYSTORE_DIR": "/keys", "TONGDUI_CONTRACT": ""}
    roles = ["admin", "operator", "pauser", "sequencer", "treasury"]
    environment |= {f"TONGDUI_{role.upper()}_PASSWORD_FILE": f"/run/secrets/{role}" for role in roles}
    command = site.image.command(["clearing", "deploy"], environment, {role: files[role] for role in roles})
    at = command.index("--remount-ro")
    command[at:at] = ["--bind", str(keys), "/keys"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    found = re.search(r"TONGDUI_CONTRACT=(0x[0-9a-fA-F]{40})", done.stdout)
    assert found, done.stdout + done.stderr
    return found[1]


def _run_all(site: Composed, files: Mapping[str, Path]) -> None:
    ours = [name for name, service in site.services.items() if "user" in service and name != "migrate"]
    assert len(ours) == 9
    for name in ours:
        if name == "console":
            gateway = f"http://127.0.0.1:{site.ports['gateway TONGDUI_GATEWAY_PORT']}"
            site.hosts = {**site.hosts, "http://gateway:8080": gateway}
        site.start(name, files)
    eventually(lambda: _all_checks(gateway) == set(), f"not ready: {_checks(gateway)}")
    eventually(
        lambda: _is_ok(f"http://127.0.0.1:{site.ports['console TONGDUI_CONSOLE_PORT']}/sign-in"), site.log("console")
    )
    measured = {name: _metrics(site, name) for name in ours if f"{name} TONGDUI_METRICS_PORT" in site.ports}
    assert set(measured) == {*ours} - {"console", "beat"}
    eventually(lambda: "holds.tidy" in _metrics(site, "worker")(), "the worker does nothing: " + site.log("worker"))
    eventually(lambda: "members.merge_late" in _metrics(site, "rounds")(), "no rounds: " + site.log("rounds"))
    assert all("tongdui_" in ask() for ask in measured.values())
    for name in ours:
        assert "can open what it does not need" not in site.log(name), "a secret that it has for nothing"
        assert site.users_of(name) == {str(USER)}
    for name in ours:
        assert site.stop(name) in (0, 128 + signal.SIGTERM), f"{name} does not end in good order: {site.log(name)}"


def _checks(url: str) -> Any:
    try:
        return httpx.get(f"{url}/readyz", timeout=30).json()["checks"]
    except httpx.TransportError as error:
        return {"gateway": {"ok": False, "detail": repr(error)}}


def _all_checks(url: str) -> set[str]:
    """What is not well."""
    return {name for name, check in _checks(url).items() if not check["ok"]}


def _is_ok(url: str) -> bool:
    try:
        return httpx.get(url, timeout=30).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def _metrics(site: Composed, name: str) -> Callable[[], str]:
    url = f"http://127.0.0.1:{site.ports[f'{name} TONGDUI_METRICS_PORT']}/metrics"
    return lambda: httpx.get(url, timeout=30).text
