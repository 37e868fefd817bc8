"""The artifacts that ship are those that the sources and foundry.toml say."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest

compiler = importlib.import_module("scripts.dev.compile")

PROFILE = {
    "solc": "scripts/dev/solc",
    "evm_version": "paris",
    "via_ir": True,
    "optimizer": True,
    "optimizer_runs": 450,
    "bytecode_hash": "none",
    "cbor_metadata": False,
    "remappings": ["lib/=contracts/"],
}
HEADER = "// SPDX-License-Identifier: Apache-2.0\npragma solidity 0.8.37;\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of two sources, compiled by the real compiler."""
    here = Path(__file__).parents[2]
    (tmp_path / "contracts").mkdir()
    (tmp_path / "contracts/Base.sol").write_text(HEADER + "abstract contract Base { uint256 public one = 1; }\n")
    (tmp_path / "contracts/Thing.sol").write_text(
        HEADER + 'import {Base} from "lib/Base.sol";\ncontract Thing is Base {}\n'
    )
    monkeypatch.setattr(compiler, "ROOT", tmp_path)
    (tmp_path / "scripts").symlink_to(here / "scripts")
    return tmp_path


def build(project: Path) -> dict[str, Any]:
    artifact: dict[str, Any]
    (artifact,) = compiler.compile_file("contracts/Thing.sol", PROFILE)
    return artifact


def test_an_artifact_names_every_source_it_came_from(project: Path) -> None:
    assert list(build(project)["sources"]) == ["contracts/Base.sol", "contracts/Thing.sol"]


def test_the_same_sources_give_the_same_artifact_and_no_metadata(project: Path) -> None:
    artifact = build(project)
    assert artifact == build(project)
    assert b"solc".hex() not in artifact["bytecode"]


def test_a_changed_source_is_named_by_the_check(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = project / "Thing.json"
    path.write_text(json.dumps(build(project), indent=2, sort_keys=True) + "\n")
    assert compiler._is_current(path, build(project))

    base = project / "contracts/Base.sol"
    base.write_text(base.read_text().replace("one = 1", "one = 2"))

    assert not compiler._is_current(path, build(project))
    assert "Thing.json does not match the sources: contracts/Base.sol changed" in capsys.readouterr().err


def test_a_contract_too_large_to_be_deployed_is_refused(project: Path) -> None:
    artifact = {"deployedBytecode": "0x" + "00" * 24_576}
    assert compiler._fits(project / "Thing.json", artifact)
    artifact["deployedBytecode"] += "00"
    assert not compiler._fits(project / "Thing.json", artifact)
