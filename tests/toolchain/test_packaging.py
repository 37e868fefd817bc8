"""Each process has a service, a unit and a workload in deploy/, with what it needs and nothing else (docs/decisions/0068).

What needs other programs is tried by `make packaging` (tests/packaging).
"""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from clearing.kit import config
from clearing.runtime.preflight.keys import NEEDS
from console import settings as of_console
from tests.support.deployment import DEPLOY, PROCESSES, Given, composed, needs_of

ROOT = DEPLOY.parent
UNITS = DEPLOY / "systemd"
TEXTS = sorted(path for path in DEPLOY.rglob("*") if path.is_file() and not path.is_symlink())
VARIABLES = {
    "DATABASE_PASSWORD": "x",
    "BROKER_PASSWORD": "x",
    "RPC_URL": "http://node:8545",
    "CHAIN_ID": "20260",
    "CONTRACT": "0x" + "1" * 40,
    "CONSOLE_URL": "https://console.example",
}


def services() -> dict[str, dict[str, Any]]:
    """Our own services of compose.yaml, without the migration."""
    found: dict[str, dict[str, Any]] = composed(VARIABLES)["services"]
    return {name: one for name, one in found.items() if "build" in one and name != "migrate"}


def unit(name: str) -> list[tuple[str, str]]:
    """The lines of a unit."""
    lines = (UNITS / f"tongdui-{name}.service").read_text().splitlines()
    return [(key, value) for line in lines if "=" in line for key, _, value in [line.partition("=")]]


# -------------------------------------------------------------------- every process is there


@pytest.mark.parametrize("page", ["docs/deploy.md", "docs/zh/deploy.md"])
def test_the_processes_of_the_docs_are_those_of_deploy(page: str) -> None:
    rows = re.findall(r"^\| `(?:clearing )?(\w+)` \| .* \| .* \|$", (ROOT / page).read_text(), re.MULTILINE)
    assert set(rows) == {process["process"] for process in PROCESSES.values()} - {"console"}
    assert set(rows) == {*NEEDS, "beat"}


def test_each_process_has_a_service_a_unit_and_a_workload() -> None:
    assert set(services()) == set(PROCESSES)
    assert {path.stem for path in UNITS.glob("*.service")} == {f"tongdui-{name}" for name in [*PROCESSES, "migrate"]}
    values = yaml.safe_load((DEPLOY / "helm" / "tongdui" / "values.yaml").read_text())
    assert set(values["processes"]) == set(PROCESSES)
    assert set(values["secrets"]) == {one for name in PROCESSES for one in needs_of(name)[1]}


# -------------------------------------------------------------------- each with what it needs


@pytest.mark.parametrize("name", PROCESSES)
def test_a_service_has_the_secrets_of_its_row(name: str) -> None:
    service = services()[name]
    files = {f"/run/secrets/{secret}" for secret in service.get("secrets", [])}
    Given(service["command"], service["environment"], files).check(name)


@pytest.mark.parametrize("name", PROCESSES)
def test_a_unit_has_the_secrets_of_its_row(name: str) -> None:
    lines = unit(name)
    (started,) = (value for key, value in lines if key == "ExecStart")
    credentials = {value.split(":")[0]: value.split(":")[1] for key, value in lines if key == "LoadCredential"}
    environment = dict(value.split("=", 1) for key, value in lines if key == "Environment")
    files = {value for key, value in lines if key == "EnvironmentFile"}
    environment |= {"TONGDUI_DATABASE_URL": ""} if "/etc/tongdui/network.env" in files else {}
    environment |= {"TONGDUI_BROKER_URL": ""} if "/etc/tongdui/broker.env" in files else {}
    own = {"console": {"/etc/tongdui/console.env"}, "worker": {"-/etc/tongdui/mail.env"}}
    assert files - {"/etc/tongdui/network.env", "/etc/tongdui/broker.env"} == own.get(name, set())
    command = started.removeprefix("/opt/tongdui/bin/").split()
    Given(command, environment, {f"%d/{credential}" for credential in credentials}).check(name)
    roles, passwords = needs_of(name)
    assert credentials == {one: f"/etc/tongdui/passwords/{one}" for one in passwords} | {
        f"{role}.json": f"/etc/tongdui/keys/{role}.json" for role in roles
    }


@pytest.mark.parametrize("name", PROCESSES)
def test_a_workload_asks_for_the_secrets_of_its_row(name: str) -> None:
    """What the chart makes of it is tried by `make packaging`."""
    process = PROCESSES[name]
    roles, passwords = needs_of(name)
    assert set(process.get("roles", [])) == roles
    assert {*process.get("roles", []), *process.get("secrets", [])} == passwords
    assert process.get("network", False) is ("database" in process.get("reaches", []))
    assert process.get("broker", False) is ("broker" in process.get("reaches", []))
    assert ("internet" in process.get("reaches", [])) is (name == "worker")


def test_no_service_may_write_to_its_file_system_or_has_rights() -> None:
    for service in [*services().values(), composed(VARIABLES)["services"]["migrate"]]:
        assert service["read_only"] is True
        assert service["user"] == "10001:10001"
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]


def test_only_the_proxy_can_be_reached_from_outside() -> None:
    found = composed(VARIABLES)
    assert [name for name, service in found["services"].items() if "ports" in service] == ["proxy"]
    on = {name: set(service["networks"]) for name, service in found["services"].items()}
    assert {name for name, networks in on.items() if "edge" in networks} == {"proxy", "gateway", "console"}
    assert {name for name, networks in on.items() if "jobs" in networks} == {"broker", "worker", "rounds", "beat"}
    assert on["console"] == {"edge"}
    assert on["beat"] == {"jobs"}
    assert {name for name in ("edge", "data", "jobs") if not found["networks"][name]["internal"]} == set()


def test_units_share_what_hardens_them() -> None:
    text = (UNITS / "tongdui-.service.d" / "hardening.conf").read_text()
    for line in ("DynamicUser=yes", "CapabilityBoundingSet=", "PrivateDevices=yes", "SystemCallFilter=@system-service"):
        assert f"\n{line}\n" in text
    for name in PROCESSES:
        assert ("Restart", "always") in unit(name)
        assert not [key for key, _ in unit(name) if key == "User"], "each has a user of its own"


def test_metrics_are_asked_for_where_processes_serve_them() -> None:
    def ports(environment: dict[str, str]) -> str | None:
        return environment.get("TONGDUI_METRICS_PORT")

    of_units = {name: ports(dict(v.split("=", 1) for k, v in unit(name) if k == "Environment")) for name in PROCESSES}
    assert of_units == {name: ports(service["environment"]) for name, service in services().items()}
    jobs = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]
    asked = {
        (target["labels"]["process"], address.rpartition(":")[2])
        for target in jobs[0]["static_configs"]
        for address in target["targets"]
    }
    assert asked == {(PROCESSES[name]["process"], port) for name, port in of_units.items() if port}
    assert {process for process, _ in asked} == set(NEEDS)
    assert len(of_units.values()) - list(of_units.values()).count(None) == len({*of_units.values()} - {None})


# -------------------------------------------------------------------- what it names is there


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(DEPLOY)))
def test_a_setting_that_deploy_names_is_there(path: Path) -> None:
    named = set(re.findall(r"\bTONGDUI_[A-Z_0-9]*[A-Z0-9]\b", path.read_text(encoding="utf-8")))
    known = {config.variable(field) for field in config.Settings.model_fields} | {config.ENV_FILE}
    known |= {f"{of_console.PREFIX}{field.upper()}" for field in of_console.Settings.model_fields}
    assert named - known == set()


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(DEPLOY)))
def test_what_deploy_holds_can_be_read(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if path.suffix in (".yaml", ".yml") and path.parent.name != "templates":
        assert yaml.safe_load(text)
    elif path.suffix == ".json":
        assert json.loads(text)
    elif path.suffix == ".py":
        compile(text, path, "exec")
    assert "\t" not in text


def test_the_chart_has_the_version_of_the_package_and_its_alerts_and_dashboard_by_reference() -> None:
    chart = yaml.safe_load((DEPLOY / "helm" / "tongdui" / "Chart.yaml").read_text())
    assert chart["appVersion"] == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    for name, target in (("rules.yaml", "prometheus/rules.yaml"), ("dashboard.json", "grafana/tongdui.json")):
        link = DEPLOY / "helm" / "tongdui" / "files" / name
        assert link.is_symlink()
        assert link.resolve() == DEPLOY / target


# -------------------------------------------------------------------- image


def locked(path: Path) -> dict[str, str]:
    """What a lock file says of each package."""
    blocks = re.split(r"\n(?=\S)", path.read_text())
    return {canonicalize_name(block.partition("==")[0]): re.sub(r" ;.*", "", block).strip() for block in blocks}


@pytest.mark.parametrize("name", ["runtime.lock", "loyalty.lock", "build.lock"])
def test_the_image_takes_what_the_project_is_tested_with(name: str) -> None:
    everything, taken = locked(ROOT / "requirements.lock"), locked(DEPLOY / "docker" / name)
    assert set(taken) <= set(everything)
    for package, found in taken.items():
        version, *hashes = re.findall(r"==([^\s\\]+)|--hash=(\S+)", found)
        of_all = re.findall(r"==([^\s\\]+)|--hash=(\S+)", everything[package])
        assert version == of_all[0], f"{package}: scripts/dev/packaging.sh lock"
        assert set(hashes) == set(of_all[1:]), f"{package}: scripts/dev/packaging.sh lock"


def test_the_image_takes_all_that_the_packages_need() -> None:
    ours = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    sdk = tomllib.loads((ROOT / "sdk" / "pyproject.toml").read_text())["project"]
    asked = [*ours["dependencies"], *ours["optional-dependencies"]["aws"], *sdk["dependencies"]]
    asked += sdk["optional-dependencies"]["audit"] + sdk["optional-dependencies"]["cli"]
    asked += sdk["optional-dependencies"]["otel"]
    names = {canonicalize_name(Requirement(line).name) for line in asked} - {"tongdui"}
    taken = set(locked(DEPLOY / "docker" / "runtime.lock"))
    assert names <= taken, "scripts/dev/packaging.sh lock"
    assert taken.isdisjoint({"pytest", "mypy", "ruff", "slither-analyzer", "hypothesis"})


def test_the_last_stage_installs_nothing_and_is_nobody_special() -> None:
    text = (DEPLOY / "docker" / "Dockerfile").read_text()
    stages = re.split(r"^FROM ", text, flags=re.MULTILINE)[1:]
    assert [re.findall(r"AS (\w+)", stage.splitlines()[0]) for stage in stages] == [["pages"], ["build"], []]
    assert re.findall(r"^USER (.*)$", text, re.MULTILINE) == ["10001:10001"]
    assert not re.search(r"apt-get|pip|npm|curl", stages[-1])
