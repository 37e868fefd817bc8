"""Each process of a programme has a service and a unit in deploy/loyalty, with the secrets of its row in docs/loyalty-deploy.md.

What needs other programs is tried by `make packaging` (tests/packaging).
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from loyalty import commands
from loyalty.kit.metrics import Metrics
from loyalty.kit.settings import PREFIX, Settings
from tests.support.deployment import DEPLOY, composed
from tests.toolchain.test_packaging import locked

ROOT = DEPLOY.parent
PROGRAMME = DEPLOY / "loyalty"
UNITS = PROGRAMME / "systemd"
PAGES = ("docs/loyalty-deploy.md", "docs/zh/loyalty-deploy.md")
TEXTS = sorted(path for path in PROGRAMME.rglob("*") if path.is_file())
VARIABLES = {
    "DATABASE_PASSWORD": "x",
    "BROKER_PASSWORD": "x",
    "GATEWAY_URL": "https://api.example",
    "CONTRACT": "0x" + "1" * 40,
    "CHAIN_ID": "20260",
    "URL": "https://points.example",
}


def processes(page: str = PAGES[0]) -> dict[str, set[str]]:
    """The secrets of each process, as the docs have them."""
    rows = re.findall(
        r"^\| `loyalty (\w+)` \|[^|]*\|[^|]*\| (.+) \|$", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE
    )
    return {name: set(re.findall(r"`(\w+)`", secrets)) for name, secrets in rows}


def secrets(page: str = PAGES[0]) -> dict[str, tuple[str, str]]:
    """The file and the setting of each secret, as the docs have them."""
    rows = re.findall(
        r"^\| `(\w+)` \| `([\w.]+)` \| `(LOYALTY_\w+)` \|", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE
    )
    return {name: (file, setting) for name, file, setting in rows}


def services() -> dict[str, dict[str, Any]]:
    """Our own services of compose.yaml."""
    found: dict[str, dict[str, Any]] = composed(VARIABLES, "loyalty/docker")["services"]
    return {name: one for name, one in found.items() if "build" in one}


def unit(name: str) -> list[tuple[str, str]]:
    """The lines of a unit."""
    lines = (UNITS / f"loyalty-{name}.service").read_text().splitlines()
    return [(key, value) for line in lines if "=" in line for key, _, value in [line.partition("=")]]


def test_both_pages_say_the_same() -> None:
    assert processes(PAGES[0]) == processes(PAGES[1])
    assert secrets(PAGES[0]) == secrets(PAGES[1])


def test_each_process_that_does_not_end_has_a_service_and_a_unit() -> None:
    parser = commands._parser()
    (known,) = (action.choices for action in parser._actions if action.choices)
    assert known is not None
    lasting = {name for name, command in known.items() if "until SIGTERM" in (command.description or "")} - {"up"}
    assert set(processes()) == lasting
    assert set(services()) == {*lasting, "migrate"}
    assert {path.stem for path in UNITS.glob("*.service")} == {f"loyalty-{name}" for name in (*lasting, "migrate")}


@pytest.mark.parametrize("name", processes())
def test_a_service_has_the_secrets_of_its_row(name: str) -> None:
    service = services()[name]
    assert service["command"] == ["loyalty", name]
    assert set(service["secrets"]) == processes()[name]
    files = composed(VARIABLES, "loyalty/docker")["secrets"]
    for secret in service["secrets"]:
        file, setting = secrets()[secret]
        assert files[secret] == {"file": f"./secrets/{file}"}
        assert service["environment"][setting] == f"/run/secrets/{secret}"
    check_environment(name, service["environment"])


@pytest.mark.parametrize("name", processes())
def test_a_unit_has_the_secrets_of_its_row(name: str) -> None:
    lines = unit(name)
    assert [value for key, value in lines if key == "ExecStart"] == [f"/opt/loyalty/bin/loyalty {name}"]
    credentials = dict(value.split(":", 1) for key, value in lines if key == "LoadCredential")
    assert credentials == {one: f"/etc/loyalty/secrets/{secrets()[one][0]}" for one in processes()[name]}
    environment = dict(value.split("=", 1) for key, value in lines if key == "Environment")
    assert environment == {secrets()[one][1]: f"%d/{one}" for one in processes()[name]}
    own = {"worker": {"broker.env"}, "listen": {"devices.env"}}.get(name, set())
    files = {value for key, value in lines if key == "EnvironmentFile"}
    assert files == {f"/etc/loyalty/{file}" for file in {"programme.env"} | own}
    assert ("Restart", "always") in lines
    assert not [key for key, _ in lines if key == "User"], "each has a user of its own"


def check_environment(name: str, environment: dict[str, str]) -> None:
    """No other secret, and no broker for whoever needs none."""
    named = {setting for _, setting in secrets().values()} & set(environment)
    assert named == {secrets()[one][1] for one in processes()[name]}
    plain = {setting.removesuffix("_FILE") for setting in named} - {"LOYALTY_KEYSTORE", "LOYALTY_CHANNELS"}
    assert plain.isdisjoint(environment), "a secret in the environment"
    assert ("LOYALTY_BROKER_URL" in environment) is (name == "worker")
    assert ("LOYALTY_MQTT_URL" in environment) is (name == "listen")


def test_no_service_may_write_to_its_file_system_or_has_rights() -> None:
    for service in services().values():
        assert service["read_only"] is True
        assert service["user"] == "10001:10001"
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["build"]["args"] == {"PART": "programme"}


def test_only_the_proxy_can_be_reached_from_outside() -> None:
    found = composed(VARIABLES, "loyalty/docker")
    assert [name for name, service in found["services"].items() if "ports" in service] == ["proxy"]
    on = {name: set(service["networks"]) for name, service in found["services"].items()}
    assert {name for name, networks in on.items() if "edge" in networks} == {"proxy", "serve"}
    assert {name for name, networks in on.items() if "jobs" in networks} == {"broker", "worker"}
    assert on["migrate"] == on["database"] == {"data"}
    assert {name for name in ("edge", "data", "jobs") if not found["networks"][name]["internal"]} == set()


def test_the_units_are_as_hard_as_the_networks() -> None:
    def settings(path: Path) -> list[str]:
        return [line for line in path.read_text().splitlines() if not line.startswith("#")]

    network = DEPLOY / "systemd" / "tongdui-.service.d" / "hardening.conf"
    assert settings(UNITS / "loyalty-.service.d" / "hardening.conf") == settings(network)


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(PROGRAMME)))
def test_what_it_holds_can_be_read_and_names_settings_that_there_are(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if path.suffix in (".yaml", ".yml"):
        assert yaml.safe_load(text)
    assert "\t" not in text
    known = {f"{PREFIX}{field.upper()}" for field in Settings.model_fields}
    assert set(re.findall(r"\bLOYALTY_[A-Z_0-9]*[A-Z0-9]\b", text)) <= known


@pytest.mark.parametrize("page", PAGES)
def test_each_alert_is_shown_to_fire_asks_for_what_there_is_and_has_a_row(page: str) -> None:
    (group,) = yaml.safe_load((PROGRAMME / "prometheus" / "rules.yaml").read_text())["groups"]
    rules = {rule["alert"]: rule for rule in group["rules"]}
    tests = yaml.safe_load((PROGRAMME / "prometheus" / "rules.test.yaml").read_text())["tests"]
    assert [test["name"] for test in tests] == list(rules)
    rows = re.findall(r"^\| `(Loyalty\w+)` \| (\w+) \|", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)
    assert rows == [(name, rule["labels"]["severity"]) for name, rule in rules.items()]
    served = {sample.name for metric in Metrics().registry.collect() for sample in metric.samples}
    served |= {metric.name for metric in Metrics().registry.collect()} | {"loyalty_requests_total"}
    for name, rule in rules.items():
        assert set(re.findall(r"\bloyalty_\w+", rule["expr"])) <= served, name
        assert rule["annotations"]["runbook"] == "docs/loyalty-deploy.md#alerts"


def test_the_image_takes_all_that_the_programme_needs() -> None:
    taken = set(locked(DEPLOY / "docker" / "loyalty.lock"))
    asked = tomllib.loads((ROOT / "loyalty" / "pyproject.toml").read_text())["project"]["dependencies"]
    names = {canonicalize_name(Requirement(line).name) for line in asked} - {"tongdui"}
    assert names <= taken, "scripts/dev/packaging.sh lock"
    assert taken.isdisjoint({"pytest", "web3", "py-solc-x", "hypothesis"})
