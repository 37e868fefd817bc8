"""Whatever is sent, the response is one that the API's description names, and never a 500 (schemathesis)."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from clearing.parties.access.models import Role
from gateway.http.auth import RULES
from tests.gateway.site import Site, agree
from tests.support.nightly import IS_NIGHTLY

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
)


CALLERS = (Role.MERCHANT, Role.OPERATOR, Role.TREASURY, Role.AUDITOR)


def own_routes(caller: Role) -> list[str]:
    """The routes that a caller may call and those before it may not. By day each route is tried by one caller, and what is wrong
    with a request is found in the same way whoever sends it; by night everybody tries everything."""
    before = set(CALLERS[: CALLERS.index(caller)])
    return [
        f"{method} {path}" for (method, path), rule in RULES.items() if caller in rule.roles and not before & rule.roles
    ]


def configured(directory: Path) -> list[str]:
    """By day each boundary value is tried on what writes alone: `test_parameters.py` has odd questions for each list."""
    if IS_NIGHTLY:
        return []
    (directory / "fuzz.toml").write_text(
        '[[operations]]\ninclude-method = "GET"\n[operations.phases]\ncoverage.enabled = false\n'
    )
    return ["--config-file", "fuzz.toml"]


@pytest.fixture
def peopled(tmp_path: Path) -> Iterator[Site]:
    """A network that contains what the description's examples name."""
    with Site(f"sqlite:///{tmp_path / 'tongdui.db'}", tmp_path, stream_seconds=0.5) as site:
        fuel = site.merchant("fuel", program="FUEL")
        agree(fuel, site.merchant(program="CINE"))
        site.give(fuel.member("8620017"), "FUEL", 10**6)
        site.keys["merchant"] = site.keys[fuel.id]
        yield site


@pytest.mark.slow
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("caller", CALLERS if IS_NIGHTLY else [role for role in CALLERS if own_routes(role)])
def test_every_response_is_described(peopled: Site, tmp_path: Path, caller: Role) -> None:
    program = shutil.which("schemathesis", path=str(Path(sys.executable).parent))
    assert program is not None
    description = tmp_path / "openapi.json"  # schemathesis would wait ten seconds for it, however busy the machine is
    description.write_bytes(peopled.http.get("/openapi.json").raise_for_status().content)
    command = [
        *(program, *configured(tmp_path), "run", description, "--url", str(peopled.http.base_url)),
        *("--header", f"Authorization: Bearer {peopled.keys[caller]}"),
        *("--exclude-path", "/readyz", "--checks", ",".join(CHECKS)),
        *([] if IS_NIGHTLY else [part for route in own_routes(caller) for part in ("--include-name", route)]),
        *("--phases", "examples,coverage,fuzzing", "--max-examples", "5", "--seed", "1"),
        *("--suppress-health-check", "all", "--workers", "1", "--request-timeout", "60", "--no-color"),
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=1_700, check=False)
    assert "No operations" not in done.stdout, done.stdout
    assert done.returncode == 0, done.stdout[-8_000:] + done.stderr[-2_000:]


def test_every_route_is_tried_by_somebody() -> None:
    assert sorted(route for caller in CALLERS for route in own_routes(caller)) == sorted(
        f"{method} {path}" for method, path in RULES
    )
