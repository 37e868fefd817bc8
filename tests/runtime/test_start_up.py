"""Starting a command loads only what it needs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest

COMMANDS = [
    "up", "merchant", "agreement", "contract", "program", "role", "owner",
    "staff", "sequencer", "signer", "projector", "migrate", "deploy", "keys", "keystore", "worker", "rounds", "beat",
    "reconcile",
    "rebuild", "queue",
    "pause", "resume", "cancel", "quarantine", "freeze", "snapshot", "succeed",
]  # fmt: skip
HEAVY = {
    "alembic", "celery", "eth_abi", "eth_account", "fastapi", "gateway", "httpx", "prometheus_client", "psycopg", "py_ecc",
    "rich", "sqlalchemy", "structlog", "tongdui", "uvicorn", "web3",
}  # fmt: skip
SETTINGS = {"pydantic", "pydantic_settings"}

_RUN = """
import json, sys
from clearing.runtime.cli import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    code = end.code
loaded = sorted({name.partition(".")[0] for name in sys.modules})
print("\\n" + json.dumps([code or 0, loaded]))
"""


def _run(*arguments: str, **settings: str) -> tuple[int, set[str], str]:
    """Exit code, packages that were loaded, and what was printed."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TONGDUI_")}
    done = subprocess.run(
        [sys.executable, "-c", _RUN, *arguments],
        env={**clean, **settings}, capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    printed, _, last = done.stdout.rstrip().rpartition("\n")
    code, loaded = json.loads(last)
    return code, set(loaded), printed


@pytest.mark.parametrize("arguments", [[], *([name] for name in COMMANDS)], ids=" ".join)
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    code, loaded, printed = _run(*arguments, "--help")
    assert code == 0
    assert "usage: clearing" in printed
    assert not loaded & (HEAVY | SETTINGS)


def test_help_lists_every_command() -> None:
    _, _, printed = _run("--help")
    assert re.findall(r"^    (\w+)\b", printed, re.MULTILINE) == COMMANDS


def test_wrong_settings_are_refused_before_anything_heavy_is_loaded() -> None:
    code, loaded, _ = _run("queue", TONGDUI_BATCH_MAX_GAS="abc")
    assert code == 2
    assert not loaded & HEAVY


def test_clearing_imports_nothing_of_the_gateway() -> None:
    code = "import sys, clearing.runtime.embedded.network, clearing.runtime.actions.daemons as _; print('gateway' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "False"
