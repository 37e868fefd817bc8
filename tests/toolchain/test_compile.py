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
    target = compiler.Target("contracts/Thing.sol", project)
    (artifact,) = compiler.artifacts_of(target, PROFILE, compiler.compiled(target, PROFILE))
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


def test_a_build_that_is_not_published_fails_the_check(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "sdk").mkdir()
    (project / "sdk/pyproject.toml").write_text('[project]\nversion = "1.2"\n')
    (project / "contracts/Thing.sol").write_text(
        HEADER + "contract Thing { uint256 public immutable SIZE; constructor(uint256 size) { SIZE = size; } }\n"
    )
    monkeypatch.setattr(compiler, "BUILT", ("Thing",))
    monkeypatch.setattr(compiler, "BUILDS", project / "build.json")
    target = compiler.Target("contracts/Thing.sol", project, is_published=True)
    old = {"name": "1.1", "solc": "0", "contracts": {}}
    same_version = {"name": "1.2", "solc": "0", "contracts": {}}
    (project / "build.json").write_text(json.dumps([old, same_version]))

    build = compiler.build_of(compiler.compiled(target, PROFILE), PROFILE)
    assert list(build["contracts"]["Thing"]["immutables"]) == ["SIZE"]
    assert compiler._process_build(build, check=True) == 1
    assert "lacks the build" in capsys.readouterr().err
    assert compiler._process_build(build, check=False) == 0
    assert json.loads((project / "build.json").read_text()) == [old, build]
    assert compiler._process_build(build, check=True) == 0
