"""The command in this process, without settings."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.audit.planted.world import World
from tests.sdk.cli.conftest import Result, Terminal


class AuditCommand:
    """`tongdui audit run` on one network."""

    def __init__(self, terminal: Terminal, world: World) -> None:
        self._terminal = terminal
        self._world = world

    def __call__(self, *arguments: object, rpc: str | None = None, contract: str | None = None) -> Result:
        where = ("--rpc", rpc or self._world.url, "--contract", contract or self._world.chain.address)
        return self._terminal("audit", "run", *where, "--workers", "0", *map(str, arguments))

    def refused(self, *arguments: object, rpc: str | None = None, contract: str | None = None) -> str:
        """What it says where it cannot check: one sentence, and nothing else."""
        result = self(*arguments, rpc=rpc, contract=contract)
        assert (result.code, result.out) == (2, ""), result.out + result.err
        return result.err


@pytest.fixture
def terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Terminal:
    for name in os.environ:
        if name.startswith("TONGDUI_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    return Terminal(capsys)


@pytest.fixture
def audit_run(terminal: Terminal, world: World) -> AuditCommand:
    return AuditCommand(terminal, world)
