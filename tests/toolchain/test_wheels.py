"""What is published works without a checkout: the wheels hold what they need, declare what they import, and run."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
import zipfile
from collections.abc import Iterable, Iterator
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

import httpx
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts.dev.services import free_port

ROOT = Path(__file__).resolve().parents[2]
SDK = ROOT / "sdk"
LOYALTY = ROOT / "loyalty"
OURS = {"tongdui", "tongdui-clearing", "tongdui-loyalty"}


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """All wheels, as they would be published, by the name of their package."""
    into = tmp_path_factory.mktemp("wheels")
    for project in (ROOT, SDK, LOYALTY):
        run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(into)], project)
    return {path.name.partition("-")[0].replace("_", "-"): path for path in into.glob("*.whl")}


@pytest.fixture(scope="module")
def installed(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` of a new environment that holds the wheels, what they declare, and nothing else. No network is needed."""
    return environment(tmp_path_factory.mktemp("clearing"), [wheels["tongdui"], wheels["tongdui-clearing"]])


def environment(directory: Path, packages: Iterable[Path], extras: Iterable[str] = ()) -> Path:
    """An environment with these wheels; what they require is linked from the project's own environment."""
    run([sys.executable, "-m", "venv", "--without-pip", str(directory)], ROOT)
    python = directory / "bin" / "python"
    uv = Path(sys.executable).parent / "uv"
    run(
        [str(uv), "pip", "install", "-q", "--offline", "--no-deps", "--python", str(python), *map(str, packages)],
        directory,
    )
    site = Path(sysconfig.get_path("purelib", vars={"base": str(directory), "platbase": str(directory)}))
    asked: list[str] = []
    for package in packages:
        asked += requirements(wheel_metadata(package), extras)
    for entry in sorted(files_of(closure(asked))):
        if not (site / entry.name).exists():
            (site / entry.name).symlink_to(entry)
    return python.parent


def run(command: list[str], directory: Path, **more: str) -> str:
    # Neither the checkout nor the packages of these tests may help.
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHONPATH", "TONGDUI_"))}
    done = subprocess.run(
        command, cwd=directory, env={**clean, **more}, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


# -------------------------------------------------------------------- what a package requires


def wheel_metadata(wheel: Path) -> list[str]:
    """The requirements of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return re.findall(r"^Requires-Dist: (.*)$", archive.read(name).decode(), re.MULTILINE)


def requirements(declared: Iterable[str], extras: Iterable[str] = ()) -> list[str]:
    """The requirements that apply here, with these extras: names, and their own extras in brackets."""
    found = []
    for requirement in map(Requirement, declared):
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            found.append(f"{canonicalize_name(requirement.name)}[{','.join(sorted(requirement.extras))}]")
    return found


def closure(asked: Iterable[str]) -> set[str]:
    """The names of all packages that these requirements bring, without our own."""
    waiting, seen = list(asked), set()
    while waiting:
        wanted = waiting.pop()
        name, _, extras = wanted.rstrip("]").partition("[")
        if wanted in seen or name in OURS:
            continue
        seen.add(wanted)
        waiting += requirements(distribution(name).requires or [], filter(None, extras.split(",")))
    return {wanted.partition("[")[0] for wanted in seen}


def files_of(packages: Iterable[str]) -> set[Path]:
    """The files and directories of these packages at the top of site-packages."""
    found = set()
    for package in packages:
        files = distribution(package).files
        assert files is not None, package
        tops = {Path(str(file)).parts[0] for file in files if not str(file).startswith(("..", "/"))}
        found |= {Path(str(distribution(package).locate_file(top))) for top in tops - {"__pycache__"}}
    return found


# -------------------------------------------------------------------- contents


def test_the_clearing_wheel_holds_contract_and_migrations_and_nothing_of_the_checkout(wheels: dict[str, Path]) -> None:
    names = zipfile.ZipFile(wheels["tongdui-clearing"]).namelist()
    for needed in (
        "clearing/chain/artifacts/ClearingHouse.json",
        "clearing/migrations/env.py",
        "clearing/migrations/versions/0001_initial.py",
        "gateway/__main__.py",
        "console/__main__.py",
        "console/home/templates/home.html",
        "console/home/zh.po",
        "pages/templates/pages/page.html",
        "pages/zh.po",
        "pages/static/dist/manifest.json",
    ):
        assert needed in names
    files = json.loads(zipfile.ZipFile(wheels["tongdui-clearing"]).read("pages/static/dist/manifest.json")).values()
    assert {f"pages/static/dist/{file}" for file in files} <= set(names)
    assert not any(name.startswith("pages/build/") for name in names)
    assert {name.partition("/")[0] for name in names if ".dist-info/" not in name} == {
        *("clearing", "console", "gateway", "pages"),
    }


def test_the_sdks_wheel_holds_its_types_and_all_that_is_no_code(wheels: dict[str, Path]) -> None:
    names = zipfile.ZipFile(wheels["tongdui"]).namelist()
    assert "tongdui/py.typed" in names
    files = {
        path for path in (SDK / "tongdui/audit").rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")
    }
    assert files
    assert {f"tongdui/{path.relative_to(SDK / 'tongdui').as_posix()}" for path in files} <= set(names)
    mappings = {f"tongdui/till/mappings/{path.name}" for path in (SDK / "tongdui/till/mappings").glob("*.toml")}
    assert mappings
    assert mappings <= set(names)


# -------------------------------------------------------------------- what the SDK needs

GUARDED = {
    **dict.fromkeys(("openpyxl", "rich", "typer", "click"), "cli"),
    **dict.fromkeys(("cbor2", "coincurve", "defusedxml", "jinja2", "markupsafe", "pygal", "rlp"), "audit"),
    "opentelemetry": "otel",
    "standardwebhooks": "webhooks",
}
"""Packages that only the parts of the SDK need for which an extra exists."""
TESTING = {"pytest", "clearing"}
"""What `tongdui.testing` needs, with the extra of that name."""


def test_the_sdk_requires_five_packages_and_imports_no_other(wheels: dict[str, Path]) -> None:
    declared = {wanted.partition("[")[0] for wanted in requirements(wheel_metadata(wheels["tongdui"]))}
    assert declared == {"eth-keyfile", "eth-keys", "httpx", "pydantic", "safe-pysha3"}
    packages = packages_distributions()
    used = set()
    for path in (SDK / "tongdui").rglob("*.py"):
        for module in imports_of(path):
            if module in TESTING and path.name == "testing.py":
                continue
            if module in GUARDED:
                extra = requirements(wheel_metadata(wheels["tongdui"]), [GUARDED[module]])
                assert {canonicalize_name(name) for name in packages[module]} & closure(extra), f"{path}: {module}"
                continue
            owners = {canonicalize_name(owner) for owner in packages.get(module, [])}
            assert owners & declared, f"{path} imports {module}, which pyproject.toml does not declare"
            used |= owners & declared
    assert used == declared, "pyproject.toml declares what nothing imports"


def imports_of(path: Path) -> Iterator[str]:
    """The top-level modules that a file of the SDK imports, without the standard library's and its own."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found = [node.module or ""]
        else:
            found = []
        for name in found:
            top = name.partition(".")[0]
            if top not in sys.stdlib_module_names and top not in ("tongdui", "__future__"):
                yield top


IMPORT_EVERYTHING = """
import importlib, pkgutil, sys, tongdui
assert "/site-packages/" in tongdui.__file__, tongdui.__file__
left = set(sys.argv[1:])
for module in pkgutil.walk_packages(tongdui.__path__, "tongdui.", lambda name: None):
    if not any(module.name == name or module.name.startswith(name + ".") for name in left):
        importlib.import_module(module.name)
tongdui.LocalSigner.generate().save_keystore("key.json", "secret")
print(tongdui.LocalSigner.from_keystore("key.json", "secret").address)
"""


def test_every_module_of_the_sdk_works_with_only_its_own_requirements(wheels: dict[str, Path], tmp_path: Path) -> None:
    python = environment(tmp_path / "sdk", [wheels["tongdui"]]) / "python"
    with_extras = [
        "tongdui.testing",
        "tongdui.webhooks",
        "tongdui._cli",
        "tongdui.till._report",
        "tongdui.audit",
        "tongdui.bank",
    ]
    printed = run([str(python), "-c", IMPORT_EVERYTHING, *with_extras], tmp_path)
    assert re.fullmatch("0x[0-9a-fA-F]{40}", printed.strip())


# -------------------------------------------------------------------- the network


def test_the_clearing_command_works_without_the_checkout(installed: Path, tmp_path: Path) -> None:
    where = "import clearing, gateway, tongdui; print(clearing.__file__, gateway.__file__, tongdui.__file__)"
    assert str(ROOT) not in run([str(installed / "python"), "-c", where], tmp_path)
    assert "run a whole network on this machine" in run([str(installed / "clearing"), "--help"], tmp_path)


def test_a_missing_chain_is_named_with_what_to_install(installed: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [str(installed / "clearing"), "up", "--port", "0"],
        cwd=tmp_path, env={"PATH": str(installed)}, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    for command in (
        "curl -L https://foundry.paradigm.xyz | bash",
        "npm install --global @foundry-rs/anvil",
        "TONGDUI_ANVIL",
    ):
        assert command in done.stderr
    done = subprocess.run(
        [str(installed / "clearing"), "up", "--port", "0"],
        cwd=tmp_path, env={"PATH": str(installed), "TONGDUI_ANVIL": "/opt/anvil"},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.strip() == "TONGDUI_ANVIL: there is no program /opt/anvil"


def test_a_network_runs_from_the_wheels_and_takes_a_merchant_on_board(installed: Path, tmp_path: Path) -> None:
    """Without Node or npm on PATH: anvil is named by the setting."""
    anvil = shutil.which("anvil")
    assert anvil is not None
    port, console = free_port(), free_port()
    clean = {"PATH": f"{installed}:/usr/bin:/bin", "HOME": str(tmp_path), "TONGDUI_ANVIL": anvil}
    with (tmp_path / "up.log").open("w") as log:
        up = subprocess.Popen(
            [str(installed / "clearing"), "up", "--port", str(port), "--console-port", str(console)],
            cwd=tmp_path, env=clean, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        wait_for(up, f"http://127.0.0.1:{port}/readyz", tmp_path / "up.log")
        wait_for(up, f"http://127.0.0.1:{console}/sign-in", tmp_path / "up.log")
        assert httpx.get(f"http://127.0.0.1:{port}/docs", timeout=60).status_code == 200
        pages = re.findall(r'(?:src|href)="(/[^"]+)"', httpx.get(f"http://127.0.0.1:{port}/docs", timeout=60).text)
        assert pages
        assert all(httpx.get(f"http://127.0.0.1:{port}{page}", timeout=60).status_code == 200 for page in pages)
        added = run(
            [str(installed / "clearing"), "merchant", "add", "My station", "--managed-key", "--program", "FUEL"],
            tmp_path,
        )
        assert f"tongdui login --url http://127.0.0.1:{port}" in added
    finally:
        up.send_signal(signal.SIGINT)
        code = up.wait(60)
    assert code == 0, (tmp_path / "up.log").read_text()
    assert "Stopped." in (tmp_path / "up.log").read_text()


# -------------------------------------------------------------------- the programme

IMPORT_THE_PROGRAMME = """
import importlib, pkgutil, loyalty
assert "/site-packages/" in loyalty.__file__, loyalty.__file__
for module in pkgutil.walk_packages(loyalty.__path__, "loyalty."):
    if not module.name.startswith("loyalty.migrations.env"):  # Alembic runs it
        importlib.import_module(module.name)
"""


def test_the_programme_works_with_only_its_own_requirements(wheels: dict[str, Path], tmp_path: Path) -> None:
    bin_ = environment(tmp_path / "loyalty", [wheels["tongdui"], wheels["tongdui-loyalty"]])
    run([str(bin_ / "python"), "-c", IMPORT_THE_PROGRAMME], tmp_path)
    assert run([str(bin_ / "loyalty"), "migrate"], tmp_path).startswith("the schema is 0")
    assert (tmp_path / "loyalty.db").exists()


def wait_for(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    with httpx.Client(transport=httpx.HTTPTransport(retries=0), timeout=60) as http:
        for _ in range(600):
            assert process.poll() is None, log.read_text()
            try:
                if http.get(url).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
    raise AssertionError(log.read_text())
