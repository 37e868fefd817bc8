"""Whatever is sent, the response is one that the API's description names, and never a 500 (schemathesis)."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gateway.site import Site, agree
from tests.support.nightly import IS_NIGHTLY

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
)


_ALL = "examples,coverage,fuzzing"
PHASES = {"merchant": _ALL, "operator": _ALL, "treasury": "examples,fuzzing", "auditor": "examples"}
"""What is tried by day; by night everybody tries everything. Merchant and operator together may call nearly every route, and what
is wrong with a request is found in the same way whoever sends it."""


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
@pytest.mark.parametrize("caller", ["merchant", "operator", "treasury", "auditor"])
def test_every_response_is_described(peopled: Site, tmp_path: Path, caller: str) -> None:
    program = shutil.which("schemathesis", path=str(Path(sys.executable).parent))
    assert program is not None
    command = [
        *(program, "run", f"{peopled.http.base_url}/openapi.json"),
        *("--header", f"Authorization: Bearer {peopled.keys[caller]}"),
        *("--exclude-path", "/readyz", "--checks", ",".join(CHECKS)),
        *("--phases", _ALL if IS_NIGHTLY else PHASES[caller], "--max-examples", "5", "--seed", "1"),
        *("--suppress-health-check", "all", "--workers", "1", "--request-timeout", "60", "--no-color"),
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=1_700, check=False)
    assert done.returncode == 0, done.stdout[-8_000:] + done.stderr[-2_000:]
